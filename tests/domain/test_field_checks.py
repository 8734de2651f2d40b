"""Name, MTU and labels: what Swarm does not take, or takes and then fails on."""

import pytest

from overlayweb.domain import network_checks
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.overlay_mtu import inner
from overlayweb.domain.swarm import IpamConfig, Network
from tests.domain.builders import make_bridge, make_network, make_swarm
from tests.domain.findings import BLOCKER, NOTICE, WARNING, codes, find, only


def test_a_good_request_on_a_healthy_swarm_has_no_findings() -> None:
    assert codes(find()) == set()
    assert (
        codes(find(name="mesh_2", mtu=1450, gateway="10.11.0.9", ip_range="10.11.4.0/22", labels=(("a.b", "c"),)))
        == set()
    )


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("", "ingress"),
        ("in.gress", "in-gress"),
        ("-ingress", "ingress"),
        ("ingress_", "ingress"),
        ("in gress", "in-gress"),
        ("netz-ä", "netz"),
        ("a" * 64, "a" * 63),
    ],
)
def test_names_that_swarm_does_not_take(name: str, suggestion: str) -> None:
    finding = only(find(name=name), "name-invalid")
    assert (finding.level, finding.about, finding.subject) == (BLOCKER, "field", "name")
    assert finding.suggestion == suggestion
    assert "name-invalid" not in codes(find(name=suggestion))


def test_blanks_around_a_name_are_no_mistake() -> None:
    assert codes(find(name=" ingress ")) == set()


@pytest.mark.parametrize("name", ["a", "A-1", "a--_b", "ingress", "a" * 63])
def test_names_that_swarm_takes(name: str) -> None:
    assert codes(find(name=name)) == set()


@pytest.mark.parametrize("other", [make_network("mesh"), make_bridge("mesh"), make_network("mesh", "")])
def test_a_name_that_another_network_bears(other: Network) -> None:
    swarm = make_swarm(networks=[other, make_network("mesh-2", "10.0.30.0/24")])
    finding = only(find(swarm, name="mesh"), "name-taken")
    assert (finding.level, finding.subject, finding.suggestion) == (BLOCKER, "name", "mesh-3")
    assert ("of the Swarm" in finding.message) == (other.scope == "swarm")


@pytest.mark.parametrize(("other", "found"), [(make_network("Mesh"), {"name-taken"}), (make_bridge("Mesh"), set())])
def test_capitals_make_no_other_name_in_a_swarm(other: Network, found: set[str]) -> None:
    assert codes(find(make_swarm(networks=[other]), name="mesh")) == found


@pytest.mark.parametrize("mtu", [575, 20, 0, -1, 9001])
def test_an_mtu_that_swarm_takes_and_nodes_fail_on(mtu: int) -> None:
    finding = only(find(mtu=mtu), "mtu-bounds")
    assert (finding.level, finding.subject, finding.suggestion) == (BLOCKER, "mtu", "1450")


def test_the_bounds_themselves_are_allowed() -> None:
    assert codes(find(mtu=576)) == set()
    assert codes(find(make_swarm(underlay_mtu=9050), mtu=9000)) == set()


def test_an_mtu_above_the_engine_s_less_50_is_a_warning() -> None:
    assert codes(find(mtu=1450)) == set()
    finding = only(find(mtu=1451), "mtu-no-margin")
    assert (finding.level, finding.suggestion) == (WARNING, "1450")
    assert "above 1450: what the manager's engine is set to, 1500, less the 50 bytes of VXLAN" in finding.message
    assert "containers get 1401 and full packets are 1451 bytes on the wire" in finding.message
    assert "49 bytes are left" in finding.message


def test_an_mtu_above_the_engine_s_may_lose_packets() -> None:
    finding = only(find(mtu=1501), "mtu-above-engine")
    assert finding.level is WARNING
    assert "is above the 1500 that the manager's engine is set to: containers get 1451" in finding.message
    assert "with the 50 of VXLAN their full packets are 1501 bytes on the wire" in finding.message


@pytest.mark.parametrize(("mtu", "code", "left"), [(1451, "mtu-no-margin", 1372), (1600, "mtu-above-engine", 1524)])
def test_encryption_takes_its_bytes_too(mtu: int, code: str, left: int) -> None:
    settings = NetworkSettings(name="safe", subnets=(IpamConfig(subnet="10.40.0.0/24"),), mtu=mtu, encrypted=True)
    finding = only(tuple(network_checks.of_settings(make_swarm(), settings)), code)
    assert f"containers get {left}" in finding.message
    assert "50 of VXLAN and those of ESP" in finding.message
    assert f"packets are up to {mtu} bytes on the wire" in finding.message
    assert left == inner(assumed=mtu, encrypted=True)


def test_without_an_mtu_docker_assumes_1500() -> None:
    finding = only(find(make_swarm(underlay_mtu=1400)), "mtu-above-engine")
    assert (finding.level, finding.suggestion) == (WARNING, "1350")
    assert finding.message.startswith("Without an MTU Docker assumes 1500, which is above the 1400 that")


@pytest.mark.parametrize(("mtu", "bytes_"), [(9000, 9000), (None, 1500)])
def test_where_the_engine_does_not_say_its_mtu_that_is_said(mtu: int | None, bytes_: int) -> None:
    findings = find(make_swarm(underlay_mtu=None), mtu=mtu)
    assert codes(findings) == {"mtu-not-checked"}
    notice = only(findings, "mtu-not-checked")
    assert (notice.level, notice.subject, notice.suggestion) == (NOTICE, "mtu", "")
    assert notice.message == "Not checked: the manager's engine does not say which MTU it is set to."
    assert f"carries {bytes_} bytes" in notice.remedy


def test_an_mtu_out_of_bounds_is_no_matter_of_what_the_engine_says() -> None:
    assert codes(find(make_swarm(underlay_mtu=None), mtu=20)) == {"mtu-bounds"}


@pytest.mark.parametrize("key", ["", "a b", "a=b", "a\nb", "com.docker.network", "io.docker.x", "com.overlayweb.job"])
def test_label_keys_that_cannot_be(key: str) -> None:
    finding = only(find(labels=((key, "v"),)), "label-invalid")
    assert (finding.level, finding.subject) == (BLOCKER, "labels")


def test_a_label_twice() -> None:
    assert "is there 2 times" in only(find(labels=(("team", "a"), ("team", "b"))), "label-invalid").message


def test_a_label_value_over_two_lines() -> None:
    assert only(find(labels=(("team", "a\nb"),)), "label-value").level is BLOCKER
    assert codes(find(labels=(("team", ""),))) == set()
