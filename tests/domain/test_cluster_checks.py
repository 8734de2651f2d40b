"""Nodes, engines, and the ingress that is there."""

from typing import Any

import pytest

from overlayweb.domain.swarm import IpamConfig, Mode, Network
from tests.domain.builders import (
    make_ingress,
    make_network,
    make_node,
    make_request,
    make_service,
    make_swarm,
    make_swarm_task,
)
from tests.domain.findings import BLOCKER, NOTICE, WARNING, codes, find, only


@pytest.mark.parametrize("settings", [{}, {"gateway": "10.0.0.1"}, {"labels": ()}])
def test_a_request_for_what_is_there_is_refused(settings: dict[str, Any]) -> None:
    finding = only(find(subnet="10.0.0.0/24", **settings), "no-change")
    assert (finding.level, finding.about) == (BLOCKER, "cluster")


def test_the_job_s_own_labels_on_the_old_ingress_are_no_change() -> None:
    swarm = make_swarm(ingress=make_ingress(labels=(("com.overlayweb.job", "7"), ("team", "a"))))
    assert "no-change" in codes(find(swarm, subnet="10.0.0.0/24", labels=(("team", "a"),)))


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "mesh"},
        {"gateway": "10.0.0.2"},
        {"mtu": 1400},
        {"ip_range": "10.0.0.128/25"},
        {"labels": (("team", "a"),)},
    ],
)
def test_one_changed_setting_is_a_change(changed: dict[str, Any]) -> None:
    assert codes(find(subnet="10.0.0.0/24", **changed)) == set()


def test_two_ingress_networks() -> None:
    swarm = make_swarm(networks=[make_ingress("10.200.0.0/24", id="second", name="ingress2")])
    finding = only(find(swarm), "ingress-twice")
    assert finding.level is BLOCKER
    assert "ingress2 (second)" in finding.message
    assert "ingress (ingressoldaa)" in finding.message


def test_no_ingress_only_creates_one() -> None:
    findings = find(make_swarm(ingress=None, services=[]), subnet="10.0.0.0/24")
    assert only(findings, "ingress-none").level is NOTICE
    assert codes(findings) == {"ingress-none"}


def test_services_that_publish_without_an_ingress_are_for_a_repair() -> None:
    findings = find(make_swarm(ingress=None, services=[make_service("shop_web"), make_service("api")]))
    finding = only(findings, "ingress-none-published")
    assert (finding.level, finding.about) == (BLOCKER, "cluster")
    assert "publish ports through it: api and shop_web." in finding.message
    assert "Plan a repair" in finding.remedy
    assert "ingress-none" not in codes(findings)


def test_an_unallocated_ingress_cannot_be_restored() -> None:
    findings = find(make_swarm(ingress=make_ingress("")))
    assert only(findings, "ingress-unallocated").level is WARNING
    assert codes(findings) == {"ingress-unallocated"}


def test_an_encrypted_ingress_is_refused() -> None:
    assert only(find(make_swarm(ingress=make_ingress(encrypted=True))), "ingress-encrypted").level is BLOCKER


@pytest.mark.parametrize(
    ("ingress", "words"),
    [
        (make_ingress(options=(("com.docker.network.x", "1"),)), "option com.docker.network.x=1"),
        (make_ingress(ipam=(IpamConfig(subnet="10.0.0.0/24"), IpamConfig(subnet="10.5.0.0/24"))), "subnet 10.5.0.0/24"),
        (make_ingress(mtu="abc"), "MTU abc"),
    ],
)
def test_what_the_new_ingress_does_not_keep(ingress: Network, words: str) -> None:
    finding = only(find(make_swarm(ingress=ingress)), "ingress-options")
    assert finding.level is WARNING
    assert words in finding.message


def test_options_that_are_settings_or_swarm_s_own_are_kept_or_made_anew() -> None:
    options = (("com.docker.network.driver.mtu", "1400"), ("com.docker.network.driver.overlay.vxlanid_list", "4096"))
    assert codes(find(make_swarm(ingress=make_ingress(mtu="1400", options=options)))) == set()


def test_an_unallocated_overlay_is_not_checked_for_overlap() -> None:
    finding = only(find(make_swarm(networks=[make_network("stuck", "")])), "network-unallocated")
    assert (finding.level, finding.about, finding.subject_name) == (WARNING, "network", "stuck")


@pytest.mark.parametrize("state", ["down", "unknown", "disconnected"])
def test_a_node_that_is_not_ready(state: str) -> None:
    swarm = make_swarm(nodes=[make_node("node1"), make_node("node2", state=state), make_node("node3", state=state)])
    found = [finding for finding in find(swarm) if finding.code == "node-not-ready"]
    assert [(f.level, f.about, f.subject, f.subject_name) for f in found] == [
        (BLOCKER, "node", "id-node2", "node2"),
        (BLOCKER, "node", "id-node3", "node3"),
    ]
    assert f"is {state}." in found[0].message


def test_a_paused_node_keeps_the_containers_of_global_publishers() -> None:
    nodes = [make_node("node1"), make_node("node2", availability="pause")]
    published = make_service("shop_web", mode=Mode.GLOBAL)
    finding = only(find(make_swarm(nodes=nodes, services=[published])), "node-paused")
    assert (finding.level, finding.about, finding.subject) == (BLOCKER, "node", "id-node2")
    assert "shop_web" in finding.message


def test_a_paused_node_without_containers_of_global_publishers_is_no_problem() -> None:
    nodes = [make_node("node1"), make_node("node2", availability="pause")]
    replicated = make_service("shop_web")
    unpublished = make_service("shop_agent", mode=Mode.GLOBAL, published=())
    elsewhere = make_service("shop_log", mode=Mode.GLOBAL, published=(9999,))
    ended = make_swarm_task(elsewhere, 2, state="shutdown", desired_state="shutdown")
    tasks = [make_swarm_task(replicated, 2), make_swarm_task(unpublished, 2), make_swarm_task(elsewhere, 1), ended]
    swarm = make_swarm(nodes=nodes, services=[replicated, unpublished, elsewhere], swarm_tasks=tasks)
    assert "node-paused" not in codes(find(swarm))


def test_a_windows_node_is_a_warning() -> None:
    swarm = make_swarm(nodes=[make_node("node1"), make_node("win2", os="windows")])
    finding = only(find(swarm), "node-windows")
    assert (finding.level, finding.subject_name) == (WARNING, "win2")


def test_engines_of_several_versions_are_named() -> None:
    nodes = [make_node("node1"), make_node("node2", engine_version="20.10.24"), make_node("node3")]
    finding = only(find(make_swarm(nodes=nodes)), "engines-mixed")
    assert finding.level is WARNING
    assert "20.10.24 on node2; 28.5.2 on node1, node3" in finding.message


def test_everything_at_once_blockers_first() -> None:
    swarm = make_swarm(
        nodes=[make_node("node1"), make_node("node2", state="down"), make_node("node3", engine_version="26.1.5")],
        services=[make_service("shop_web", update_state="paused"), make_service("shop_api", published=(0,))],
        networks=[make_network("payments", "10.11.1.0/24"), make_network("mesh", "10.0.40.0/24")],
    )
    request = make_request(name="mesh", subnet="10.11.0.0/16", gateway="10.12.0.1", mtu=100, labels=(("", "x"),))
    findings = find(swarm, request)
    assert codes(findings) == {
        "name-taken",
        "subnet-overlap",
        "gateway-outside",
        "mtu-bounds",
        "label-invalid",
        "engines-mixed",
        "node-not-ready",
        "service-update-paused",
        "service-port-pinned",
    }
    levels = [finding.level for finding in findings]
    assert levels == sorted(levels, key=[BLOCKER, WARNING, NOTICE].index)
