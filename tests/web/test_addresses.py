"""The address space and the registry of reserved ranges, as pages."""

import html
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from overlayweb.domain import subnets
from overlayweb.models import Cluster, RangeRecord, ReservedRange, codec
from tests.domain.builders import make_network, make_service, make_swarm
from tests.web.pages import beside, text, value
from tests.web.wedges import see

PATH = "/clusters/prod/addresses"
IMPORT = "/clusters/prod/reserved/import"
FILE = "cidr,name,owner\n10.20.0.0/16,office,Ana\n10.30.0.0/16,vpc,\n"


@pytest.fixture
def full(cluster: Cluster) -> Cluster:
    """An overlay with three replicas in eight addresses, and a reserved range with an overlay in it."""
    small, shop = make_network("small", "10.0.8.0/29"), make_network("shop", "10.20.1.0/24")
    service = make_service("db", published=(), replicas=3, network_ids=(small.id,))
    cluster.observation = codec.dump(make_swarm(services=[service], networks=[small, shop]))
    cluster.save()
    ReservedRange.objects.create(cidr="10.20.0.0/16", name="office", reason="VPN", owner="Ana")
    return cluster


def test_the_space_names_who_is_where_and_what_collides(full: Cluster, as_author: Client) -> None:
    page = text(as_author.get(PATH))
    pool = "in Swarm's default pool"
    assert "Addresses" in page
    assert "10.20.1.0/24 shop Overlay collides with office 256" in page
    assert f"10.0.1.0 – 10.0.7.255 Nobody Free, {pool}. The largest block in it: 10.0.4.0/22 1,792" in page  # noqa: RUF001
    squares = as_author.get(PATH).content.decode()
    assert squares.count('class="square is-') == 256 + 8
    assert "10.20.0.0/16: overlay shop 10.20.1.0/24, reserved office 10.20.0.0/16, collides" in squares


def test_looks_closer_and_back(full: Cluster, as_author: Client) -> None:
    answer = as_author.get(PATH, {"at": "10.20.0.0/16"})
    assert "65,536 of 65,536 addresses held" in text(answer)
    assert '<a href="?at=10.16.0.0/12#space">' in answer.content.decode()
    assert "192.168.50.11/32 node1" in text(as_author.get(PATH, {"at": "192.168.50.0/24"}))
    assert "192.168.50.11/32 node1" in text(as_author.get(PATH, {"at": "192.168.50.7"}))
    assert "Write it like" not in text(as_author.get(PATH, {"at": ""}))
    for nonsense in ("x", "fd00::/64", "10.0.0.0/33"):
        answer = as_author.get(PATH, {"at": nonsense})
        assert "Write it like 10.20.0.0/16" in beside(answer, "at-wrong")
        assert value(answer, "at") == nonsense
        assert answer.context["view"] == subnets.parse("10.0.0.0/8")


def test_free_room_says_whether_swarm_gives_it_out(full: Cluster, as_author: Client) -> None:
    pooled = make_swarm(networks=[make_network("shop", "10.20.0.0/16")], default_addr_pools=("10.128.0.0/9",))
    cluster = Cluster.objects.get(pk=full.pk)
    see(cluster, pooled)
    page = text(as_author.get(PATH))
    assert "Nobody Free, 8,388,608 in Swarm's default pool. The largest block in it: 10.128.0.0/9" in page
    assert "10.0.1.0 – 10.19.255.255 Nobody Free. The largest" in page  # noqa: RUF001
    inside = text(as_author.get(PATH, {"at": "10.192.0.0/16"}))
    assert "Nobody Free, in Swarm's default pool. The largest block in it: 10.192.0.0/16 65,536" in inside


def test_the_overlay_that_fills_first_is_named_first(full: Cluster, as_author: Client) -> None:
    page = text(as_author.get(PATH))
    assert page.index("small 10.0.8.0/29") < page.index("ingress 10.0.0.0/24")
    assert "estimated: 1 for the gateway, 3 for nodes, 0 for services, 3 for containers" in page


def test_a_cluster_that_was_never_seen(cluster: Cluster, as_author: Client) -> None:
    Cluster.objects.update(observation="", observed_at=None)
    assert as_author.get(PATH).status_code == 200


def test_a_file_is_shown_before_it_is_imported(cluster: Cluster, as_administrator: Client) -> None:
    upload = SimpleUploadedFile("ranges.csv", FILE.encode())
    answer = as_administrator.post(IMPORT, {"file": upload})
    assert "10.20.0.0/16 New office Ana" in text(answer)
    assert not ReservedRange.objects.exists()
    seal = html.unescape(re.findall(r'name="seal"\s+value="([^"]*)"', answer.content.decode())[0])
    done = as_administrator.post(IMPORT, {"text": FILE.replace("\n", "\r\n"), "seal": seal})
    assert done.headers["Location"] == "/clusters/prod/reserved"
    assert [(row.cidr, row.name, row.owner) for row in ReservedRange.objects.all()] == [
        ("10.20.0.0/16", "office", "Ana"),
        ("10.30.0.0/16", "vpc", ""),
    ]
    exported = as_administrator.get("/clusters/prod/reserved/export").content.decode()
    assert "all 2 are in the registry already" in text(as_administrator.post(IMPORT, {"text": exported}))
    again = as_administrator.post(IMPORT, {"text": FILE.replace("Ana", "Rui"), "seal": seal})
    assert "The registry has changed since" in text(again)
    assert ReservedRange.objects.get(name="office").owner == "Ana"


def test_a_long_file_is_taken_over_by_few_statements_and_its_history_is_whole(
    cluster: Cluster, as_administrator: Client
) -> None:
    first, second = (
        "cidr,name\n" + "".join(f"10.{n >> 8}.{n & 255}.0/24,{word}{n}\n" for n in range(600)) for word in ("a", "b")
    )
    as_administrator.post(IMPORT, {"text": first, "seal": sealed(as_administrator, first)})
    seal = sealed(as_administrator, second)
    with CaptureQueriesContext(connection) as asked:
        as_administrator.post(IMPORT, {"text": second, "seal": seal})
    assert len(asked) < 40, "not one for each line"
    assert sorted(ReservedRange.objects.values_list("name", flat=True)) == sorted(f"b{n}" for n in range(600))
    told = RangeRecord.objects.filter(after__startswith="10.1.7.0/24").values_list(
        "before", "after", "person__username"
    )
    assert list(told) == [
        ("10.1.7.0/24 · a263", "10.1.7.0/24 · b263", "clara"),
        ("", "10.1.7.0/24 · a263", "clara"),
    ]
    assert RangeRecord.objects.count() == 1200


def sealed(client: Client, file: str) -> str:
    """What confirms the import of this file, as its preview has it."""
    page = client.post(IMPORT, {"text": file}).content.decode()
    return html.unescape(re.findall(r'name="seal"\s+value="([^"]*)"', page)[0])


def test_one_error_keeps_everything_out(cluster: Cluster, as_administrator: Client) -> None:
    for fields in ({}, {"seal": "[[],[]]"}):
        page = text(as_administrator.post(IMPORT, {"text": f"{FILE}10.40.0.1/16,\n,x\n", **fields}))
        assert "Nothing is imported: 3 errors" in page
        assert "4 10.40.0.1/16 has host bits set. 10.40.0.0/16 is meant?" in page
    assert not ReservedRange.objects.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "Choose a CSV file"), (b"\xff\xfe", "not UTF-8"), (b"x" * 600_000, "larger than 512 KiB")],
)
def test_a_file_that_cannot_be_read(cluster: Cluster, as_administrator: Client, content: bytes, said: str) -> None:
    files = {"file": SimpleUploadedFile("ranges.csv", content)} if content else {}
    assert said in text(as_administrator.post(IMPORT, files))


def test_overlays_of_the_table_lead_to_their_pages(cluster: Cluster, as_reader: Client) -> None:
    html = as_reader.get("/clusters/prod/addresses?at=10.0.0.0/8").content.decode()
    for name in ("backend", "ingress"):
        path = re.search(rf'<a href="(/clusters/prod/networks/[^"]+/)">{name}</a>', html)
        assert path is not None
        assert as_reader.get(path[1]).status_code == 200


RANGES = "/clusters/prod/reserved"


@pytest.fixture
def registry(cluster: Cluster) -> Cluster:
    """Five ranges, of which one holds for this cluster alone."""
    for cidr, name, reason, owner in (
        ("10.100.0.0/16", "vpc", "AWS", "net team"),
        ("10.20.0.0/16", "Office", "VPN", ""),
        ("10.3.0.0/16", "lab", "", "Ana"),
        ("192.168.0.0/16", "office old", "", "net team"),
    ):
        ReservedRange.objects.create(cidr=cidr, name=name, reason=reason, owner=owner)
    ReservedRange.objects.create(cidr="10.20.4.0/24", name="printers", reason="VPN", cluster=cluster)
    return cluster


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["lab", "Office", "printers", "vpc", "office old"]),
        ("?sort=-range", ["office old", "vpc", "printers", "Office", "lab"]),
        ("?sort=name", ["lab", "Office", "office old", "printers", "vpc"]),
        ("?sort=owner", ["lab", "vpc", "office old", "Office", "printers"]),
        ("?sort=-owner", ["vpc", "office old", "lab", "Office", "printers"]),
        ("?q=OFFICE", ["Office", "office old"]),
        ("?q=net+office", ["office old"]),
        ("?q=10.20", ["Office", "printers"]),
        ("?q=nothing", []),
        ("?show=here", ["printers"]),
        ("?show=all&q=vpn", ["Office"]),
        ("?show=nonsense&sort=nonsense", ["lab", "Office", "printers", "vpc", "office old"]),
    ],
)
def test_ranges_are_filtered_and_sorted(
    query: str, expected: list[str], registry: Cluster, as_administrator: Client
) -> None:
    page = as_administrator.get(RANGES + query).context["listing"].page
    assert [row.name for row in page] == expected


def test_thousands_of_ranges_are_paged_and_exported_whole(cluster: Cluster, as_administrator: Client) -> None:
    ReservedRange.objects.bulk_create(
        ReservedRange(cidr=f"10.{n >> 8}.{n & 255}.0/24", name=f"range{n:04}") for n in range(2000)
    )
    found = [
        row.name for page in (1, 2, 40) for row in as_administrator.get(RANGES, {"page": page}).context["listing"].page
    ]
    assert found == [f"range{n:04}" for n in (*range(100), *range(1950, 2000))]
    page = text(as_administrator.get(RANGES))
    assert "1 to 50 of 2000" in page
    assert "range0050" not in page
    assert as_administrator.get(f"{RANGES}/export").content.count(b"\r\n") == 2001


def test_typing_brings_the_ranges_alone_and_a_release_comes_back_to_them(
    registry: Cluster, as_administrator: Client
) -> None:
    fragment = as_administrator.get(f"{RANGES}?q=vpn&sort=-name", headers={"HX-Request": "true"})
    assert "<html" not in fragment.content.decode()
    assert "printers" in text(fragment)
    assert "Reserve a range" not in text(fragment)
    assert "HX-Request" in fragment["Vary"]
    back = html.unescape(re.findall(r'name="next"\s+value="([^"]*)"', fragment.content.decode())[0])
    pk = ReservedRange.objects.get(name="printers").pk
    answer = as_administrator.post(f"{RANGES}/{pk}/release", {"next": back})
    assert answer.headers["Location"] == f"{RANGES}?q=vpn&sort=-name"
    nothing = as_administrator.get(f"{RANGES}?q=printers")
    assert "No range fits “printers”" in text(nothing)
    assert f'href="{RANGES}"' in nothing.content.decode()


def test_of_a_long_file_the_first_lines_are_shown(cluster: Cluster, as_administrator: Client) -> None:
    lines = [f"10.{n >> 8}.{n & 255}.0/24,range{n:04}" for n in range(300)]
    page = text(as_administrator.post(IMPORT, {"text": "\n".join(("cidr,name", *lines))}))
    assert page.count(" New range") == 100
    assert "300 new, 0 changed, 0 the same already. The first 100 of each are shown." in page
    page = text(as_administrator.post(IMPORT, {"text": "\n".join(("cidr,name", *(f"x{n},y" for n in range(300))))}))
    assert "Nothing is imported: 300 errors" in page
    assert "The first 100 are shown." in page


def test_what_holds_for_one_cluster_alone_goes_out_and_comes_back_as_that(
    registry: Cluster, as_administrator: Client
) -> None:
    exported = as_administrator.get(f"{RANGES}/export").content.decode()
    assert [line.split(",")[0] for line in exported.splitlines()[1:]] == [
        str(subnet) for subnet in sorted(subnets.parse(row.cidr) for row in ReservedRange.objects.all())
    ]
    assert "all 5 are in the registry already" in text(as_administrator.post(IMPORT, {"text": exported}))
    own = ReservedRange.objects.get(cluster=registry)
    renamed = exported.replace(f"{own.cidr},{own.name}", f"{own.cidr},renamed")
    as_administrator.post(IMPORT, {"text": renamed, "seal": sealed(as_administrator, renamed)})
    assert ReservedRange.objects.get(name="renamed").cluster == registry
    assert ReservedRange.objects.count() == 5
    assert RangeRecord.objects.get().cluster == registry


def test_what_is_wrong_with_addresses_leads_to_where_it_is_mended(
    full: Cluster, as_author: Client, as_reader: Client
) -> None:
    replace_it = "/clusters/prod/networks/id-small/replace"
    pages = {client: client.get("/clusters/prod/").content.decode() for client in (as_author, as_reader)}
    assert all(f'href="{PATH}?at=10.20.0.0%2F16#space"' in page for page in pages.values())
    assert f'href="{replace_it}"' in pages[as_author]
    assert replace_it not in pages[as_reader]
    assert as_author.get(replace_it).status_code == 200


def test_each_of_many_overlays_without_addresses_leads_to_its_page(full: Cluster, as_author: Client) -> None:
    see(full, make_swarm(networks=[make_network(f"lake{number:02}", "") for number in range(12)]))
    page = as_author.get("/clusters/prod/").content.decode()
    assert [f'href="/clusters/prod/networks/id-lake{number:02}/"' in page for number in range(12)] == [True] * 12
