"""The pages of readiness: what they show, what they propose, and who may do what."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from overlayweb.domain.readiness import Answer, EngineView, Membership, PortAnswer
from overlayweb.domain.swarm import NodeView, Swarm
from overlayweb.models import (
    ActionKind,
    Cluster,
    MembershipAction,
    ReadinessCheck,
    codec,
)
from overlayweb.models.secrets import seal
from tests.domain.builders import NOW, make_bridge, make_network, make_node, make_swarm
from tests.web.engines import keep
from tests.web.pages import beside, text, value
from tests.web.wedges import see

PAGE = "/clusters/prod/readiness/"
TOKEN = "SWMTKN-1-aaa-bbb"


def show_token(cluster: Cluster, person: User, role: str = "worker") -> MembershipAction:
    now = timezone.now()
    return MembershipAction.objects.create(
        cluster=cluster,
        person=person,
        kind=ActionKind.SHOW,
        role=role,
        asked_at=now,
        started_at=now,
        ended_at=now,
        sealed=seal(TOKEN),
        shown_until=now + timedelta(minutes=5),
    )


def test_the_page_says_what_is_and_what_was_not_checked(as_reader: Client, cluster: Cluster, swarm: Swarm) -> None:
    tried = PortAnswer(node_id=swarm.nodes[0].id, address=swarm.nodes[0].address, port=2377, answer=Answer.OPEN)
    silent = PortAnswer(node_id=swarm.nodes[1].id, address=swarm.nodes[1].address, port=7946, answer=Answer.SILENT)
    keep(cluster, EngineView(hostname="node1", membership=Membership.MANAGER), tried, silent)
    words = text(as_reader.get(PAGE))
    assert "Manager of a Swarm" in words
    assert "Open" in words
    assert "No answer in 2 s" in words
    assert "UDP and ESP are not checked" in words
    assert "is the only manager" in words
    assert "172.18.0.0/16" in words


@pytest.mark.parametrize(
    ("firewall", "line"),
    [
        ("ufw", "ufw allow proto udp from 192.168.50.12 to any port 4789"),
        ("firewalld", 'source address="192.168.50.12" port port="2377" protocol="tcp" accept'),
        ("nftables", "ip saddr { 192.168.50.12, 192.168.50.13 } tcp dport { 2377, 7946 } accept"),
        ("iptables", "iptables -I INPUT -s 192.168.50.12,192.168.50.13 -p udp -m multiport --dports 7946,4789"),
    ],
)
def test_rules_are_written_for_each_firewall(as_reader: Client, cluster: Cluster, firewall: str, line: str) -> None:
    assert line in text(as_reader.get(PAGE, {"firewall": firewall}))


@pytest.mark.parametrize(
    ("membership", "words"),
    [
        (Membership.WORKER, "docker node promote"),
        (Membership.LOCKED, "docker swarm unlock"),
        (Membership.BROKEN, "kept from its Swarm"),
    ],
)
def test_each_state_of_an_engine_has_its_way_out(
    as_reader: Client, cluster: Cluster, membership: Membership, words: str
) -> None:
    keep(cluster, EngineView(hostname="node2", membership=membership))
    assert words in text(as_reader.get(PAGE))


def test_a_cluster_that_was_never_seen_is_said_so(as_reader: Client, cluster: Cluster) -> None:
    Cluster.objects.filter(pk=cluster.pk).update(observation="", observed_at=None, error="Nothing listens there.")
    words = text(as_reader.get(PAGE))
    assert "Nothing listens there." in words
    assert "Not known" in words


def test_the_token_is_shown_to_who_asked_for_it_alone(
    as_administrator: Client, as_author: Client, administrator: User, author: User, cluster: Cluster
) -> None:
    show_token(cluster, administrator)
    assert f"--token {TOKEN}" in beside(as_administrator.get(f"{PAGE}join"), "preview")
    assert as_administrator.get(f"{PAGE}join").headers["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    assert TOKEN not in text(as_administrator.get(f"{PAGE}join", {"role": "manager"}))
    typed = {"role": "worker", "remote": "192.168.50.11:2377", "advertise": "10.2.0.99"}
    answer = as_administrator.post(f"{PAGE}join", typed, headers={"HX-Request": "true"})
    assert f"--token {TOKEN} --advertise-addr 10.2.0.99" in beside(answer, "preview")
    assert answer.headers["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    show_token(cluster, author)  # no way to it: members may not ask
    others = as_author.get(f"{PAGE}join")
    assert TOKEN not in text(others)
    assert "--token TOKEN" in beside(others, "preview")
    as_administrator.post(f"{PAGE}hide")
    assert TOKEN not in text(as_administrator.get(f"{PAGE}join"))


@pytest.mark.parametrize("questions", [1, 2, 3])
def test_a_token_that_comes_while_the_page_is_made_is_on_it_or_looked_for_again(
    as_administrator: Client, administrator: User, cluster: Cluster, questions: int
) -> None:
    """``questions``: after so many about the actions the worker ends."""
    action = show_token(cluster, administrator)
    done = {name: getattr(action, name) for name in ("ended_at", "sealed", "shown_until")}
    MembershipAction.objects.update(ended_at=None, sealed="", shown_until=None)
    asked = 0

    def end(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        nonlocal asked
        found = execute(sql, *rest)
        if sql.startswith("SELECT") and "membershipaction" in sql:
            asked += 1
            if asked == questions:
                MembershipAction.objects.update(**done)
        return found

    with connection.execute_wrapper(end):
        html = as_administrator.get(f"{PAGE}join").content.decode()
    assert TOKEN in html or 'hx-trigger="every 1s"' in html


@pytest.mark.parametrize("path", ["token/worker", "token/worker/rotate", "hide"])
def test_only_administrators_act_on_tokens(as_author: Client, as_reader: Client, cluster: Cluster, path: str) -> None:
    assert [who.post(f"{PAGE}{path}").status_code for who in (as_author, as_reader)] == [404, 404]
    assert not MembershipAction.objects.exists()


def test_rotating_asks_first_and_leaves_a_trace(as_administrator: Client, as_reader: Client, cluster: Cluster) -> None:
    assert "lets no engine join any more" in text(as_administrator.get(f"{PAGE}token/manager/rotate"))
    assert not MembershipAction.objects.exists()
    as_administrator.post(f"{PAGE}token/manager/rotate")
    assert "Rotated the token for managers Clara Admin" in text(as_reader.get(PAGE))
    assert as_administrator.post(f"{PAGE}token/boss/rotate").status_code == 404


def test_members_ask_for_a_check_and_readers_do_not(as_author: Client, as_reader: Client, cluster: Cluster) -> None:
    assert as_reader.post(f"{PAGE}check").status_code == 403
    as_author.post(f"{PAGE}check")
    assert "A worker asks the engines" in text(as_author.get(PAGE))
    long_ago = timezone.now() - timedelta(minutes=5)
    ReadinessCheck.objects.update(asked_at=long_ago)
    assert "no worker has carried it out" in text(as_author.get(PAGE))


def test_the_checklist_of_a_bridge_is_filled_in(as_reader: Client, cluster: Cluster, swarm: Swarm) -> None:
    node = replace(swarm.nodes[1], labels=(("zone", "a b"),))
    Cluster.objects.filter(pk=cluster.pk).update(
        observation=codec.dump(replace(swarm, nodes=(swarm.nodes[0], node, *swarm.nodes[2:])))
    )
    asked = {"node": node.id, "subnet": "172.30.0.0/20", "gateway": "172.30.0.1", "masquerade": "on"}
    words = beside(as_reader.get(f"{PAGE}bridge", asked), "answer")
    assert "docker network create --subnet 172.30.0.0/20 --gateway 172.30.0.1" in words
    assert "com.docker.network.bridge.enable_ip_masquerade=true docker_gwbridge" in words
    assert "docker swarm join --token TOKEN --advertise-addr 192.168.50.12 192.168.50.11:2377" in words
    assert "--label-add 'zone=a b' NEW" in words


def test_a_bridge_on_taken_addresses_is_refused(as_reader: Client, cluster: Cluster, swarm: Swarm) -> None:
    page = as_reader.get(f"{PAGE}bridge", {"node": swarm.nodes[1].id, "subnet": "10.9.0.0/16", "masquerade": "on"})
    assert "overlaps overlay payments" in beside(page, "verdict-subnet")
    assert "docker network create" not in beside(page, "answer")


def test_of_very_many_that_a_bridge_would_overlap_the_first_are_named(
    as_reader: Client, cluster: Cluster, swarm: Swarm
) -> None:
    many = tuple(make_network(f"n{number:03}", f"10.99.{number}.0/24") for number in range(200))
    Cluster.objects.filter(pk=cluster.pk).update(observation=codec.dump(replace(swarm, networks=many)))
    page = as_reader.get(f"{PAGE}bridge", {"node": swarm.nodes[1].id, "subnet": "10.99.0.0/16", "masquerade": "on"})
    said = beside(page, "verdict-subnet")
    assert said.count("10.99.0.0/16 overlaps") == 21
    assert "10.99.0.0/16 overlaps 180 more." in said


def test_the_bridges_of_two_nodes_may_have_the_same_addresses(
    as_reader: Client, cluster: Cluster, swarm: Swarm
) -> None:
    bridge = make_bridge("docker_gwbridge", "172.30.0.0/20")
    other = make_bridge("builds", "172.30.64.0/20")
    view = NodeView(node_id=swarm.nodes[2].id, hostname="node3", observed_at=NOW, local_networks=(bridge, other))
    Cluster.objects.filter(pk=cluster.pk).update(observation=codec.dump(replace(swarm, node_views=(view,))))
    asked = {"node": swarm.nodes[1].id, "subnet": "172.30.0.0/20", "masquerade": "on"}
    assert "docker network create" in beside(as_reader.get(f"{PAGE}bridge", asked), "answer")
    page = as_reader.get(f"{PAGE}bridge", {**asked, "subnet": "172.30.64.0/20"})
    assert "overlaps node3's local network builds" in beside(page, "verdict-subnet")


def test_of_very_many_nodes_a_page_shows_some_and_finds_the_others(as_reader: Client, wide: Cluster) -> None:
    page = as_reader.get(PAGE)
    words = text(page)
    assert len(page.content) < 1_000_000, "the rules of one node alone are 4,800 lines"
    assert "1 to 50 of 1200" in words
    assert "Of 1200 nodes those of one at a time." in words
    assert words.count("openings for") == 1
    assert "The first 50 of 1500" in words
    assert "encrypted here: net0000, net0001, net0002, net0003, net0004 and 1495 more" in words
    found = as_reader.get(PAGE, {"q": "node0777", "firewall": "iptables"})
    assert [row.node.hostname for row in found.context["listing"].page] == ["node0777"]
    assert "node0777 4 openings for 1199 addresses" in text(found)
    assert "iptables -I INPUT" in text(found)
    managers = as_reader.get(PAGE, {"show": "manager"}, headers={"HX-Request": "true", "HX-Target": "found"})
    assert [row.node.hostname for row in managers.context["listing"].page] == ["node0000", "node0001", "node0002"]
    assert "<html" not in managers.content.decode()


def test_few_nodes_stand_there_all_with_their_rules(as_reader: Client, cluster: Cluster) -> None:
    page = as_reader.get(PAGE)
    assert text(page).count("openings for") == 3
    assert "list-filter" not in re.findall(r'<form[^>]*id="([^"]*)"', page.content.decode())


def test_nodes_at_which_a_port_did_not_answer_are_found(as_reader: Client, cluster: Cluster, swarm: Swarm) -> None:
    tried = [(swarm.nodes[0], Answer.OPEN), (swarm.nodes[1], Answer.SILENT)]
    ports = tuple(PortAnswer(node_id=node.id, address=node.address, port=7946, answer=how) for node, how in tried)
    keep(cluster, EngineView(hostname="node1", membership=Membership.MANAGER), *ports)
    page = as_reader.get(PAGE, {"show": "closed"})
    assert [row.node.hostname for row in page.context["listing"].page] == ["node2"]


def test_a_node_that_came_after_the_check_is_named_beside_its_age(
    as_reader: Client, cluster: Cluster, swarm: Swarm
) -> None:
    first, second, third = swarm.nodes
    known = (PortAnswer(node_id=n.id, address=n.address, port=7946, answer=Answer.OPEN) for n in (first, third))
    keep(cluster, EngineView(hostname="node1", membership=Membership.MANAGER), *known)
    page = as_reader.get(PAGE)
    assert f"did not try {second.hostname}: new since then, or at another address" in text(page)
    moved = replace(third, address="192.168.50.99")
    see(cluster, replace(swarm, nodes=(first, moved)))
    page = as_reader.get(PAGE)
    assert f"did not try {third.hostname}: new since then" in text(page)
    open_now = [row.node.hostname for row in page.context["listing"].page if any(found for _, found in row.ports)]
    assert open_now == [first.hostname]
    see(cluster, replace(swarm, nodes=(first,)))
    assert "did not try" not in text(as_reader.get(PAGE))


def test_while_a_check_goes_on_the_whole_page_is_asked_for_again(as_reader: Client, cluster: Cluster) -> None:
    again = as_reader.get(PAGE, headers={"HX-Request": "true", "HX-Target": "main"})
    assert 'id="main"' in again.content.decode()


@pytest.mark.parametrize("typed", ["node0777", "NODE0777", "id-node0777", "0777"])
def test_a_node_is_found_by_its_name_a_part_of_it_or_its_id(typed: str, as_reader: Client, wide: Cluster) -> None:
    asked = {"node": typed, "subnet": "172.30.0.0/20", "masquerade": "on"}
    page = as_reader.get(f"{PAGE}bridge", asked)
    assert "Checklist for node0777" in text(page)
    assert "docker swarm leave" in beside(page, "answer")
    assert page.content.decode().count("<option") == 1


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("node1", "200 nodes fit: node1000 (id-node1000), node1001 (id-node1001)"),
        ("web", "No node is called “web”"),
        ("", "Type the host name of a node"),
    ],
)
def test_a_node_that_is_not_meant_clearly_is_asked_for(
    typed: str, words: str, as_reader: Client, wide: Cluster
) -> None:
    page = as_reader.get(f"{PAGE}bridge", {"node": typed, "subnet": "172.30.0.0/20", "masquerade": "on"})
    assert words in beside(page, "verdict-node")
    assert "docker swarm leave" not in beside(page, "answer")
    assert page.content.decode().count("<option") <= 50


def test_the_only_manager_does_not_leave(as_reader: Client, cluster: Cluster, swarm: Swarm) -> None:
    asked = {"node": swarm.nodes[0].id, "subnet": "172.30.0.0/20", "masquerade": "on"}
    words = beside(as_reader.get(f"{PAGE}bridge", asked), "answer")
    assert "is the only manager" in words
    assert "docker swarm leave" not in words


def test_windows_and_mixed_versions_are_told(as_reader: Client, cluster: Cluster) -> None:
    mixed = make_swarm(
        nodes=[make_node("node1"), make_node("node2", os="windows"), make_node("node3", engine_version="20.10.24")],
        networks=[make_network("secret", "10.9.1.0/24", encrypted=True, mtu="9000")],
    )
    Cluster.objects.filter(pk=cluster.pk).update(observation=codec.dump(mixed))
    page = as_reader.get(PAGE)
    words = text(page)
    assert "node2 runs Windows" in words
    assert "Encrypted here: secret" in words
    assert "2 versions of the engine side by side" in words
    assert "New-NetFirewallRule" in words
    assert value(as_reader.get(f"{PAGE}join"), "remote") == "192.168.50.11:2377"
