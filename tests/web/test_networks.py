"""One network: its page, the form that makes one, and the page that takes one away."""

import re
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from overlayweb.domain import connect_plans, ingress_plans, network_plans, overlay_mtu
from overlayweb.domain.connect_plans import ConnectRequest
from overlayweb.domain.links import Link
from overlayweb.domain.network_plans import CreatePlan, DeleteRequest
from overlayweb.domain.plans import Request
from overlayweb.domain.swarm import Swarm
from overlayweb.models import Adoption, ChangeRequest, Cluster, Job, codec
from overlayweb.services import changes
from tests.domain.builders import make_attachment, make_request
from tests.web.pages import beside, text, value

NEW = "/clusters/prod/networks/new"
TYPED = {"name": "lake", "subnets": "10.44.0.0/22", "mtu": "1400", "attachable": "on", "labels": "", "options": ""}


def test_the_page_of_a_network_says_who_is_on_it(cluster: Cluster, as_author: Client) -> None:
    page = text(as_author.get("/clusters/prod/networks/id-backend/"))
    for words in ("backend", "10.0.9.0/24", "shop_web", "present on", "room for", "Replace…", "Delete…"):
        assert words in page
    assert "wiki" not in page


def test_what_uses_it_keeps_it_from_being_deleted_with_the_way_to_each(cluster: Cluster, as_author: Client) -> None:
    page = as_author.get("/clusters/prod/networks/id-backend/")
    said = beside(page, "in-use")
    assert "shop_web is attached to backend. Detach it first." in said
    assert 'href="/clusters/prod/services/id-shop_web/">Open shop_web</a>' in page.content.decode()
    assert "/networks/id-backend/delete" not in page.content.decode()


def test_a_reader_sees_it_without_buttons(cluster: Cluster, as_reader: Client) -> None:
    page = text(as_reader.get("/clusters/prod/networks/id-backend/"))
    assert "shop_web" in page
    assert "Replace…" not in page


def test_while_it_is_typed_the_command_follows(cluster: Cluster, as_author: Client) -> None:
    assert "No settings yet" in beside(as_author.get(NEW), "preview")
    page = text(as_author.post(f"{NEW}/preview", TYPED))
    assert "docker network create --driver overlay --attachable --subnet 10.44.0.0/22 --gateway 10.44.0.1" in page
    assert "No outage" in page


def test_asked_for_it_becomes_a_change_and_can_be_planned_again(cluster: Cluster, as_author: Client) -> None:
    answer = as_author.post(NEW, {**TYPED, "reason": "Analytics needs one."})
    change = ChangeRequest.objects.get()
    assert answer["Location"] == f"/changes/{change.pk}/"
    after = CreatePlan.of(change.plan_record.plan()).after
    assert (after.name, after.mtu, after.subnets[0].gateway) == ("lake", 1400, "10.44.0.1")
    assert "Create lake 10.44.0.0/22" in text(as_author.get(f"/changes/{change.pk}/"))
    assert value(as_author.get(f"/changes/{change.pk}/again"), "name") == "lake"


def test_everything_that_docker_would_take_and_hang_on_is_said_at_once(cluster: Cluster, as_author: Client) -> None:
    typed = {**TYPED, "name": "backend", "subnets": "10.9.1.0/25\n10.50.0.0/31", "mtu": "20", "reason": "Why not"}
    answer = as_author.post(NEW, typed)
    assert answer.status_code == 422
    assert "is called backend" in beside(answer, "verdict-name")
    assert "10.9.1.0/25 overlaps overlay payments" in beside(answer, "verdict-subnets")
    assert "/31" in beside(answer, "verdict-subnets")
    assert "outside 576 to 9000" in beside(answer, "verdict-mtu")
    assert value(answer, "mtu") == "20"
    assert not ChangeRequest.objects.exists()


@pytest.mark.parametrize("path", [NEW, "/clusters/prod/networks/id-backend/replace"])
def test_what_stands_beside_a_field_is_said_there_alone(path: str, cluster: Cluster, as_author: Client) -> None:
    said = "10.44.0.0/22 lies inside Swarm's default address pool"
    page = as_author.post(path, {**TYPED, "mtu": "1500", "check": "1"})
    assert said in beside(page, "verdict-subnets")
    assert "An MTU of 1500" in beside(page, "verdict-mtu")
    assert text(page).count(said) == text(page).count("An MTU of 1500") == 1


def test_the_page_of_a_change_says_what_stood_beside_the_fields(cluster: Cluster, as_author: Client) -> None:
    as_author.post(NEW, {**TYPED, "reason": "Analytics needs one."})
    page = text(as_author.get(f"/changes/{ChangeRequest.objects.get().pk}/"))
    assert "10.44.0.0/22 lies inside Swarm's default address pool" in page


def test_options_and_names_that_docker_takes_in_silence(cluster: Cluster, as_author: Client) -> None:
    options = "com.docker.network.driver.mtu=abc\nencrypted=false\n=x"
    answer = as_author.post(NEW, {**TYPED, "name": "ingress", "options": options, "reason": "Why not"})
    assert "The ingress network is called ingress." in beside(answer, "verdict-name")
    said = beside(answer, "verdict-options")
    for words in ("driver.mtu has a field", "encrypted has a field", "is empty"):
        assert words in said


@pytest.mark.parametrize("port", [4789, 7789])
def test_the_data_path_and_what_encryption_covers_and_costs_is_said(
    port: int, cluster: Cluster, swarm: Swarm, as_author: Client
) -> None:
    see(cluster, replace(swarm, data_path_port=port))
    plain, encrypted = (overlay_mtu.inner(assumed=1500, encrypted=secret) for secret in (False, True))
    for path in (NEW, "/clusters/prod/networks/id-backend/replace"):
        page = text(as_author.get(path))
        assert f"VXLAN over UDP {port}, which takes {overlay_mtu.VXLAN_BYTES} bytes of each" in page
        assert "IPsec ESP between the nodes" in page
        assert "not what enters by published ports" in page
        assert f"containers keep {encrypted} instead of {plain}" in page


def test_auxiliary_addresses_are_refused_with_the_reason(cluster: Cluster, as_author: Client) -> None:
    lines = "10.44.0.0/22 10.44.0.1 printer=10.44.0.9"
    in_subnets = as_author.post(NEW, {**TYPED, "subnets": lines, "reason": "Why not"})
    assert "Overlays hold no auxiliary addresses back" in beside(in_subnets, "verdict-subnets")
    in_options = as_author.post(NEW, {**TYPED, "options": "aux-address=printer=10.44.0.9", "reason": "Why not"})
    assert "Choose an IP range that leaves them out." in beside(in_options, "verdict-options")
    assert (in_subnets.status_code, in_options.status_code) == (422, 422)
    assert "No auxiliary addresses, which Swarm drops" in text(as_author.get(NEW))


def test_a_free_block_is_picked_by_need(cluster: Cluster, as_author: Client) -> None:
    page = as_author.post(NEW, {**TYPED, "subnets": "", "services": 20, "replicas": 10, "growth": 2, "pick": "1"})
    assert "= 844 addresses → /22 with 1022" in text(page)
    assert "/22" in beside(page, "preview")
    assert not ChangeRequest.objects.exists()


def test_one_that_is_used_cannot_be_deleted_and_says_by_whom(cluster: Cluster, as_author: Client) -> None:
    page = text(as_author.get("/clusters/prod/networks/id-backend/delete"))
    assert "shop_web is attached to backend." in page
    assert "Ask for approval" not in page
    assert as_author.post("/clusters/prod/networks/id-backend/delete", {"reason": "x"}).status_code == 422
    assert not ChangeRequest.objects.exists()


def test_one_that_nobody_uses_is_asked_to_be_deleted(cluster: Cluster, as_author: Client) -> None:
    swarm = cluster.swarm()
    assert swarm is not None
    used = {key for service in swarm.services for key in service.network_ids}
    spare = next(n for n in swarm.networks if n.scope == "swarm" and not n.ingress and n.id not in used)
    path = f"/clusters/prod/networks/{spare.id}/delete"
    assert "Say why" in beside(as_author.post(path, {"reason": ""}), "verdict-reason")
    as_author.post(path, {"reason": "Nobody is on it."})
    assert ChangeRequest.objects.get().title == f"Delete {spare.name}"


def test_standalone_containers_are_shown_with_the_way_off(cluster: Cluster, swarm: Swarm, as_author: Client) -> None:
    backend = next(network for network in swarm.networks if network.name == "backend")
    page = text(as_author.get("/clusters/prod/networks/id-backend/"))
    assert "Standalone containers Connect containers… None is connected." in page
    see(cluster, replace(swarm, attachments=(make_attachment(backend, "f00d" * 16),)))
    page = text(as_author.get("/clusters/prod/networks/id-backend/"))
    assert "f00df00df00d node1 docker network disconnect backend f00df00df00d" in page
    assert "Standalone container f00df00df00d on node1 is connected to backend." in page


def test_readers_too_read_what_keeps_it(cluster: Cluster, as_reader: Client) -> None:
    page = as_reader.get("/clusters/prod/networks/id-backend/")
    assert "shop_web is attached to backend." in beside(page, "in-use")
    assert "Look again" not in beside(page, "in-use")


def test_the_delete_page_links_each_reason(cluster: Cluster, swarm: Swarm, as_author: Client) -> None:
    backend = next(network for network in swarm.networks if network.name == "backend")
    box = make_attachment(backend, "f00d" * 16)
    see(cluster, replace(swarm, attachments=(box,)))
    html = as_author.get("/clusters/prod/networks/id-backend/delete").content.decode()
    assert 'href="/clusters/prod/services/id-shop_web/">Open shop_web</a>' in html
    assert 'href="/clusters/prod/networks/id-backend/containers">Disconnect it here</a>' in html


def test_its_settings_are_shown_with_the_command_that_would_make_it(
    cluster: Cluster, swarm: Swarm, change: ChangeRequest, as_reader: Client
) -> None:
    job = Job.objects.create(change=change, cluster=cluster, kind=change.kind, created_at=timezone.now())
    labels = (("team", "shop"), ("com.overlayweb.job", f"{job.pk}-1"))
    see_backend(cluster, swarm, labels=labels, options=(("com.example.depth", "3"),), document='{"Scope":"swarm"}')
    page = as_reader.get("/clusters/prod/networks/id-backend/")
    words = text(page)
    assert "Driver options com.example.depth=3 Labels team=shop Made by" in words
    assert f'href="/jobs/{job.pk}/">job {job.pk}: {change.title}</a>' in page.content.decode()
    assert "docker network create --driver overlay --attachable --subnet 10.0.9.0/24" in words
    assert "Free 247 addresses, estimated; room for" in words
    assert "Peers: not known" in words
    assert 'As the engine lists it, JSON { "Scope": "swarm" }' in words


@pytest.mark.parametrize("label", ["", "12", "x-1", "9" * 30])
def test_a_label_that_names_no_job_here_links_nowhere(
    cluster: Cluster, swarm: Swarm, as_reader: Client, label: str
) -> None:
    see_backend(cluster, swarm, labels=(("com.overlayweb.job", label),))
    assert "Made by" not in text(as_reader.get("/clusters/prod/networks/id-backend/"))


def test_peers_count_as_they_do_in_the_list(cluster: Cluster, swarm: Swarm, as_reader: Client) -> None:
    see_backend(cluster, replace(swarm, swarm_tasks=()), peers=("192.168.50.11", "192.168.50.12"))
    assert "present on 2 of 3 nodes" in text(as_reader.get("/clusters/prod/networks/id-backend/"))


def test_every_kind_of_change_that_touches_it_is_its_history(
    cluster: Cluster, swarm: Swarm, author: User, as_reader: Client
) -> None:
    def asked(kind: str, request: Request) -> None:
        changes.submit(
            cluster=cluster, kind=kind, request=request, author=author, reason="It is time.", now=timezone.now()
        )

    def told(name: str) -> str:
        return beside(as_reader.get(f"/clusters/prod/networks/{name}/"), "changes")

    payments, shop = replace(swarm.networks[-1], attachable=True), swarm.services[0]
    see(cluster, replace(swarm, networks=(*swarm.networks[:-1], payments)))
    for name in ("id-backend", "id-payments", swarm.ingress_networks[0].id):
        assert "was asked for here" in told(name)
    asked(connect_plans.KIND, ConnectRequest(links=(Link(service_id=shop.id, network_id=payments.id),)))
    both = [Link(service_id=row.id, network_id=payments.id) for row in swarm.services[:2]]
    asked(connect_plans.KIND, ConnectRequest(links=tuple(both)))
    asked(network_plans.DELETE, DeleteRequest(network_id=payments.id))
    asked(ingress_plans.KIND, make_request("10.11.0.0/16"))
    said = told("id-payments")
    for words in ("shop_web: attach payments", "Connect 2 services: payments", "Delete payments"):
        assert words in said
    assert "Rebuild ingress" not in said
    assert "was asked for here" in told("id-backend")
    assert "Rebuild ingress → 10.11.0.0/16" in told(swarm.ingress_networks[0].id)


def test_who_adopted_it_stands_in_its_history(cluster: Cluster, author: User, as_reader: Client) -> None:
    Adoption.objects.create(
        cluster=cluster, subject="network", name="backend", person=author, reason="It is right.", at=timezone.now()
    )
    assert "Adopted as it was found Ana Author, just now : It is right." in beside(
        as_reader.get("/clusters/prod/networks/id-backend/"), "changes"
    )


def see(cluster: Cluster, swarm: Swarm) -> None:
    cluster.observation, cluster.revision = codec.dump(swarm), cluster.revision + 1
    cluster.save()


def see_backend(cluster: Cluster, swarm: Swarm, **settings: Any) -> None:
    """A look that finds backend with these settings."""
    networks = (replace(row, **settings) if row.name == "backend" else row for row in swarm.networks)
    see(cluster, replace(swarm, networks=tuple(networks)))


def test_numbers_that_cannot_be_used_are_said_beside_them_and_nothing_typed_is_lost(
    cluster: Cluster, as_author: Client
) -> None:
    needs = {"services": "", "replicas": "many", "growth": "1000", "pick": "1"}
    for form in (NEW, "/clusters/prod/networks/id-backend/replace"):
        page = as_author.post(form, {**TYPED, **needs})
        assert beside(page, "verdict-services") == "Say how many services."
        assert beside(page, "verdict-replicas") == "Replicas: a whole number."
        assert (value(page, "replicas"), value(page, "growth")) == ("many", "1000")
        page = as_author.post(form, {**TYPED, **needs, "services": "5", "replicas": "3"})
        assert beside(page, "verdict-growth") == "Growth: from 1 to 100."
        assert "10.44.0.0/22" in text(page)
    del needs["pick"]
    assert as_author.post(NEW, {**TYPED, **needs, "reason": "Needed."}).status_code == 302


def test_a_free_block_is_picked_for_a_replacement_too(cluster: Cluster, as_author: Client) -> None:
    typed = {**TYPED, "name": "backend-wide", "services": 20, "replicas": 10, "growth": 2, "pick": "1"}
    page = as_author.post("/clusters/prod/networks/id-backend/replace", typed)
    assert "= 844 addresses → /22 with 1022" in text(page)
    assert "10.44.0.0/22" not in beside(page, "preview")


def test_an_ip_range_needs_no_gateway(cluster: Cluster, as_author: Client) -> None:
    lines = "10.44.0.0/22 10.44.2.0/24\n10.45.0.0/22 10.45.1.0/24 10.45.0.9"
    as_author.post(NEW, {**TYPED, "subnets": lines, "reason": "Needed."})
    change = ChangeRequest.objects.get()
    rows = CreatePlan.of(change.plan_record.plan()).request.settings.subnets
    assert [(row.subnet, row.gateway, row.ip_range) for row in rows] == [
        ("10.44.0.0/22", "", "10.44.2.0/24"),
        ("10.45.0.0/22", "10.45.0.9", "10.45.1.0/24"),
    ]
    again = as_author.get(f"/changes/{change.pk}/again")
    assert "10.44.0.0/22 10.44.2.0/24 10.45.0.0/22 10.45.0.9 10.45.1.0/24" in text(again)
    page = as_author.post(NEW, {**TYPED, "subnets": "10.44.0.0/22 10.44.0.1 10.44.0.2", "reason": "Needed."})
    assert "Too much: 10.44.0.0/22 10.44.0.1 10.44.0.2" in beside(page, "verdict-subnets")


def test_a_line_that_cannot_be_read_keeps_nothing_else_from_being_judged(cluster: Cluster, as_author: Client) -> None:
    lines = "10.9.1.0/25\n10.44.0.0/22 10.44.0.1 10.44.0.2\n10.45.0.0/22 printer=10.45.0.9"
    labels = "com.docker.x=1\nteam\nshop"
    page = as_author.post(NEW, {**TYPED, "subnets": lines, "labels": labels, "reason": "Needed."})
    said = beside(page, "verdict-subnets")
    for words in ("overlaps overlay payments", "Too much: 10.44.0.0/22", "no auxiliary addresses"):
        assert words in said
    said = beside(page, "verdict-labels")
    for words in ("Write it as key=value: team", "Write it as key=value: shop", "The label com.docker.x is in"):
        assert words in said
    assert "Not asked for: 6 things to mend" in beside(page, "refused")


def test_a_suggestion_takes_the_place_of_the_line_that_collides(cluster: Cluster, as_author: Client) -> None:
    typed = {**TYPED, "subnets": "10.44.0.0/22 10.44.0.9\n10.9.1.0/25\n10.45.0.0/22"}
    html = as_author.post(f"{NEW}/preview", typed).content.decode()
    offered = re.search(r'value="(subnets:10\.9\.1\.0/25=([0-9./]+))"', html)
    assert offered is not None
    page = as_author.post(NEW, {**typed, "use": offered[1]})
    assert f"10.44.0.0/22 10.44.0.9 {offered[2]} 10.45.0.0/22" in text(page)
    assert "overlaps" not in beside(page, "verdict-subnets")


def test_two_lines_that_collide_are_offered_blocks_apart(cluster: Cluster, as_author: Client) -> None:
    typed = {**TYPED, "subnets": "10.9.1.0/25\n10.9.1.128/25"}
    for begins in ("10.9.1.0/25", "10.9.1.128/25"):
        html = as_author.post(f"{NEW}/preview", typed).content.decode()
        offered = re.search(rf'value="(subnets:{begins}=([0-9./]+))"', html)
        assert offered is not None
        typed["subnets"] = typed["subnets"].replace(begins, offered[2])
    assert "overlaps" not in beside(as_author.post(NEW, typed), "verdict-subnets")
