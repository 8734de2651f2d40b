"""What errors mean: each known text, the states without a text, and what is looked up in the observation."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overlayweb.domain import decoding, diagnosis
from overlayweb.domain.decoding import Decoded
from overlayweb.domain.swarm import Network, Service, Swarm
from tests.domain.builders import (
    NOW,
    make_attachment,
    make_ingress,
    make_network,
    make_node,
    make_service,
    make_spec,
    make_swarm,
    make_swarm_task,
)
from tests.domain.examples import EXAMPLES

OLD = "s38ptt3yqhrw8lx10ldfgcyv4"
TEXTS = {
    # docs of the engine's behaviour, measured
    "ingress sandbox already present": "ingress-sandbox",
    "error creating load balancer endpoint: ingress sandbox already present": "ingress-sandbox",
    "invalid config for network ingress: invalid endpoint settings:\n"
    "no configured subnet or ip-range contain the IP address 10.0.0.9": "ingress-subnet",
    f"could not find network allocator state for network {OLD}": "allocator-state",
    'msg="9ae2e4b00a6d cleanup: failed to delete container from containerd: no such container"': "start-failed",
    "service needs ingress network, but no ingress network is present": "ingress-missing",
    "network with name ingress already exists": "ingress-name-held",
    f"ingress network ({OLD}) is already present": "ingress-second",
    f"Cannot allocate ingress network {OLD} because another one is already present": "ingress-second",
    f"ingress network cannot be removed because service {OLD} depends on it": "ingress-in-use",
    "ingress network cannot be attachable": "ingress-attachable",
    "EndpointSpec: port published with ingress mode can't be used with dnsrr mode": "ingress-dnsrr",
    "node is missing network attachments, ip addresses may be exhausted": "no-attachments",
    "rpc error: code = Unknown desc = update out of sequence": "out-of-sequence",
    "Could not update shop_web: it was changed since it was read. Read it again and compare.": "out-of-sequence",
    # networks
    f"rpc error: code = FailedPrecondition desc = network {OLD} is in use by task kqnn": "in-use-by-task",
    f"network {OLD} is in use by task\n hm7jshtlypgnum9i8118li0lh": "in-use-by-task",
    f"network {OLD} is in use by service {OLD}": "in-use-by-service",
    f"error while removing network: network backend id {OLD} has active endpoints": "active-endpoints",
    "network with name backend already exists": "name-taken",
    "rpc error: code = Unknown desc = name conflicts with an existing object": "name-taken",
    "docker_gwbridge is a pre-defined network and cannot be removed": "predefined",
    "Could not attach to network backend: rpc error: code = PermissionDenied desc = network backend not manually"
    " attachable": "not-attachable",
    "The network host-only cannot be used with services. Only networks scoped to the swarm can be used, such as those"
    " created with the overlay driver.": "local-network",
    "network backend not found": "network-gone",
    "Error: No such network: backend": "network-gone",
    "could not find the corresponding predefined swarm network backend": "network-gone",
    # addresses
    "no available IPv4 addresses on this network's address pools: backend (2628c4b4a767)": "addresses-exhausted",
    "could not find an available IP while allocating VIP": "addresses-exhausted",
    "could not find an available, non-overlapping IPv4 address pool among the defaults to assign": "pools-exhausted",
    "all predefined address pools have been fully subnetted": "pools-exhausted",
    "invalid pool request: Pool overlaps with other one on this address space": "overlap",
    "overlay subnet 10.0.0.0/24 has conflicts in the host while running in host mode": "overlap",
    f"Failed allocation for service {OLD}: ingress network was not there": "allocation-failed",
    f"service {OLD} to which this task {OLD} belongs has pending allocations": "allocation-failed",
    "attaching to network failed, make sure your network options are correct and check manager logs: context deadline"
    " exceeded": "attach-timeout",
    'network sandbox join failed: subnet sandbox join failed for "10.0.5.0/24": error creating vxlan interface: file'
    " exists": "vxlan-exists",
    "subnet sandbox join failed: error creating vxlan interface: invalid argument": "mtu",
    'failed to parse abc: strconv.Atoi: parsing "abc": invalid syntax': "mtu",
    "error creating vxlan interface: operation not supported": "vxlan-unsupported",
    "network sandbox join failed: something else": "sandbox",
    # ports and nodes
    f"port '80' is already in use by service 'shop_web' ({OLD}) as an ingress port": "port-taken",
    "driver failed programming external connectivity on endpoint web: Bind for 0.0.0.0:8080 failed: port is already"
    " allocated": "host-port-taken",
    "listen tcp4 0.0.0.0:8080: bind: address already in use": "host-port-taken",
    "no suitable node (host-mode port already in use on 1 node)": "host-port-taken",
    "no suitable node": "no-node",
    "no suitable node (1 node not available for new tasks)": "no-node",
    "no suitable node (scheduling constraints not satisfied on 3 nodes)": "no-node-constraints",
    "no suitable node (insufficient resources on 3 nodes)": "no-node-resources",
    "no suitable node (unsupported platform on 2 nodes)": "no-node-platform",
    "no suitable node (missing plugin on 2 nodes)": "no-node-plugin",
    "no suitable node (max replicas per node limit exceed)": "no-node-replicas",
    "network driver weave not found": "no-node-plugin",
    "plugin weave not found": "no-node-plugin",
    "error looking up ipam plugin infoblox: plugin is gone": "no-node-plugin",
    "heartbeat failure": "node-away",
    # images and containers
    "No such image: shop/web:2": "image-missing",
    "manifest for shop/web:2 not found: manifest unknown": "image-missing",
    "pull access denied for shop/web, repository does not exist or may require 'docker login'": "image-access",
    "toomanyrequests: You have reached your pull rate limit": "image-rate",
    "no matching manifest for linux/arm64/v8 in the manifest list entries": "no-node-platform",
    "write /var/lib/docker/x: no space left on device": "disk-full",
    "invalid mount config for type bind: bind source path does not exist: /srv": "mount",
    "secret database-url not found": "secret",
    "task: non-zero exit (137): dockerexec: unhealthy container": "unhealthy",
    "task: non-zero exit (1)": "exited",
    "OCI runtime create failed: container_linux.go: exec: no such file": "runtime",
    # engines that do not answer as they should
    "The swarm does not have a leader. It's possible that too few managers are online.": "no-leader",
    "Could not list the nodes: the Swarm has no leader, since too few of its managers answer.": "no-leader",
    "The Swarm on tcp://10.2.0.11:2376 is locked. Run `docker swarm unlock` on that node.": "locked",
    "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state.": "not-a-manager",
    "The engine at unix:///var/run/docker.sock is not a manager of a Swarm.": "not-a-manager",
    "the manager at tcp://10.2.0.11:2376 is starting or can not reach the others.": "starting",
    "x509: certificate signed by unknown authority": "tls",
    "The certificate of the engine at tcp://m:2376 is not accepted: certificate has expired.": "tls",
    "There is no TLS connection to tcp://m:2376. Check the port.": "tls",
    "This process may not use the socket /var/run/docker.sock. Add its user to the group.": "socket-rights",
    "The name in tcp://manger:2376 has no address. Check its spelling.": "no-name",
    "dial tcp: lookup manger: no such host": "no-name",
    "Nothing listens at tcp://10.2.0.11:2376. Check that the Docker daemon is running there.": "refused",
    "There is no socket at /var/run/docker.sock. Check the path.": "refused",
    "rpc error: code = DeadlineExceeded desc = context deadline exceeded": "no-majority",
    "rpc error: code = Unknown desc = raft: failed to process the request: node lost leader status": "no-majority",
    "the manager at tcp://10.2.0.11:2376 did not hear enough of the other managers in time.": "no-majority",
    "context deadline exceeded": "deadline",
    "The engine at tcp://10.2.0.11:2376 did not answer in time (10 s).": "deadline",
    "There is no way to tcp://10.2.0.11:2376. Check the network.": "no-route",
    "The connection to the engine at tcp://10.2.0.11:2376 broke.": "broken-connection",
    "read: connection reset by peer": "broken-connection",
}


@pytest.mark.parametrize(("text", "code"), TEXTS.items())
def test_each_known_text_has_its_cause_and_a_next_action(text: str, code: str) -> None:
    found = decoding.decode(text)
    assert found is not None
    assert found.code == code
    assert found.cause.endswith(".")
    assert found.remedy.endswith((".", "…"))
    assert found.evidence == ()


def test_every_row_of_the_table_is_reached_by_a_text() -> None:
    reached = set(TEXTS.values())
    # The scheduler's words for a port hold those of the node, which come first and mean the same.
    assert {row.code for row in decoding.ROWS} - reached == {"no-node-port"}


def test_codes_name_one_row_each() -> None:
    codes = [row.code for row in decoding.ROWS]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("text", ["", "everything is well", "shop_web runs 1 of 2 containers.", "network"])
def test_what_is_not_known_is_left_as_it_is(text: str) -> None:
    assert decoding.decode(text, swarm=make_swarm()) is None


AROUND = st.text(alphabet=st.characters(categories=("L", "Nd", "Zs"), max_codepoint=0x3FF), max_size=30)


@settings(max_examples=EXAMPLES)
@given(st.sampled_from(sorted(TEXTS)), AROUND, AROUND)
def test_a_text_means_the_same_whatever_stands_around_it(text: str, before: str, after: str) -> None:
    found = decoding.decode(f"{before} : {text} ; {after}", swarm=SWARM)
    assert found is not None
    assert found.code == TEXTS[text] or found.code in {TEXTS[other] for other in TEXTS if other in f"{before}{after}"}


@settings(max_examples=EXAMPLES)
@given(st.text(max_size=300))
def test_any_text_is_decoded_or_left_and_the_same_each_time(text: str) -> None:
    found = decoding.decode(text, swarm=SWARM)
    assert found == decoding.decode(text, swarm=SWARM)
    assert found is None or (found.said == text and found.cause and found.remedy)


@settings(max_examples=EXAMPLES)
@given(st.sampled_from(sorted(TEXTS)), st.integers(1, 3), st.integers(0, 4), st.sampled_from([None, make_ingress()]))
def test_evidence_is_sentences_for_every_text_on_every_swarm(
    text: str, nodes: int, services: int, ingress: Network | None
) -> None:
    made = [make_service(f"shop_s{n}", published=(8000 + n,), network_ids=("id-backend",)) for n in range(services)]
    swarm = make_swarm(nodes=nodes, services=made, networks=[make_network()], ingress=ingress)
    for service in (None, *made[:1]):
        found = decoding.decode(text, swarm=swarm, service=service)
        assert found is not None
        assert all(sentence.endswith((".", "`.")) and sentence.strip() for sentence in found.evidence)
        assert len(found.evidence) == len(set(found.evidence))


SHOP = make_service("shop_web", network_ids=("id-backend",))
SWARM = make_swarm(services=[SHOP], networks=[make_network("backend", "10.0.9.0/24")])


def decoded(text: str, swarm: Swarm = SWARM, service: Service | None = None) -> Decoded:
    found = decoding.decode(text, swarm=swarm, service=service)
    assert found is not None
    return found


def failing(error: str, count: int = 2, service: Service = SHOP, **swarm: Any) -> Swarm:
    tasks = [make_swarm_task(service, n, state="rejected", error=error, container_id="") for n in range(1, count + 1)]
    return make_swarm(services=[service], swarm_tasks=tasks, **{"networks": [make_network()], **swarm})


def test_who_says_it_now() -> None:
    swarm = failing("preparing: ingress sandbox already present")
    found = decoded("shop_web runs 0 of 2 containers. Swarm says: ingress sandbox already present.", swarm)
    assert found.evidence[0] == "2 tasks of shop_web say so now on node1 and node2."
    assert found.evidence[1] == "The Swarm has ingress 10.0.0.0/24."
    assert found.go is not None
    assert found.go.place == "ingress-repair"


def test_nobody_says_it_any_more() -> None:
    assert decoded("No such image: shop/web:2").evidence == ()


def test_a_task_that_uses_a_network() -> None:
    task = make_swarm_task(SHOP, 2)
    text = f"network id-backend is in use by task {task.id}"
    assert decoded(text).evidence == (
        "Task task-shop_web-2 is of service shop_web, on node2, running.",
        "backend 10.0.9.0/24 is used by shop_web; it is attachable.",
    )
    assert decoded("network id-backend is in use by task kqnn").evidence[0] == (
        "Task kqnn is not there any more: it has ended since."
    )
    found = decoded(text).go
    assert found is not None
    assert (found.place, found.subject, found.label) == ("network", "id-backend", "See the network backend")


def test_a_container_attached_by_hand_is_named_so() -> None:
    task = replace(make_attachment(SWARM.networks[-1], "f00d" * 16), id="t" * 25)
    swarm = replace(SWARM, attachments=(task,))
    text = f"The engine refuses to remove the network: network backend is in use by task {task.id}."
    assert decoded(text, swarm).evidence[0] == (
        "Task tttttttttttt is of no service: container f00df00df00d that was attached by hand, on node1, running."
    )


def test_all_services_on_the_ingress_and_not_only_the_first() -> None:
    services = [make_service(f"s{n}", published=(8000 + n,)) for n in range(5)]
    text = "ingress network cannot be removed because service id-s0 depends on it"
    assert decoded(text, make_swarm(services=services)).evidence == (
        "The service is s0.",
        "5 services publish through it: s0, s1, s2 and 2 more.",
    )


@pytest.mark.parametrize(
    ("peers", "said"),
    [
        ((), "A manager still lists the removed ingress 10.9.0.0/24."),
        (("192.168.50.12",), "node2 still lists the removed ingress 10.9.0.0/24."),
        (("192.168.50.12", "192.168.50.13"), "node2 and node3 still list the removed ingress 10.9.0.0/24."),
    ],
)
def test_who_still_lists_a_removed_ingress_is_named(peers: tuple[str, ...], said: str) -> None:
    gone = make_ingress("10.9.0.0/24", id=OLD, registered=False, peers=peers)
    assert said in decoded("ingress sandbox already present", make_swarm(networks=[make_ingress(), gone])).evidence


def test_addresses_are_blamed_only_where_one_network_is_full() -> None:
    text = "node is missing network attachments, ip addresses may be exhausted"
    roomy = decoded(text, service=SHOP)
    assert "Addresses are not short: " in " ".join(roomy.evidence)
    small = make_swarm(
        services=[replace(SHOP, vips=(("id-backend", "10.0.9.2/29"),), replicas=4)],
        networks=[make_network("backend", "10.0.9.0/29")],
    )
    full = decoded(text, small, small.services[0])
    assert "backend 10.0.9.0/29 is full: 9 of 6 addresses are taken." in full.evidence


def test_what_a_service_asks_of_nodes_and_which_take_none() -> None:
    template = make_spec().document()["TaskTemplate"]
    template |= {
        "Placement": {"Constraints": ["node.labels.zone==a"]},
        "Resources": {"Reservations": {"NanoCPUs": 2_500_000_000, "MemoryBytes": 512 * 2**20}},
    }
    picky = make_service("shop_web", spec=make_spec(TaskTemplate=template))
    nodes = [make_node("node1"), make_node("node2", state="down"), make_node("node3", availability="drain")]
    swarm = failing("no suitable node (scheduling constraints not satisfied on 1 node)", service=picky, nodes=nodes)
    found = decoding.of_service(swarm=swarm, service=picky)
    assert found is not None
    assert found.evidence[1:] == (
        "shop_web asks for `node.labels.zone==a`.",
        "shop_web reserves 2.5 CPUs and 512 MiB for each container.",
        "node2 is down and node3 is drained.",
    )


def test_who_has_the_port_now() -> None:
    text = "port '8080' is already in use by service 'shop_web' (abc) as an ingress port"
    assert decoded(text).evidence == ("Port 8080 is published by shop_web now.",)
    assert decoded(text, make_swarm(services=[])).evidence == ("No service publishes port 8080 now.",)


def test_who_leads() -> None:
    nodes = [make_node("node1"), make_node("node2", role="manager", state="down")]
    found = decoded("The swarm does not have a leader.", make_swarm(nodes=nodes))
    assert found.evidence == ("1 of 2 managers ready; the leader is node1.",)


def hanging(state: str, minutes: float = 5, **task: Any) -> Swarm:
    made = make_swarm_task(SHOP, 1, state=state, state_at=NOW - timedelta(minutes=minutes), **task)
    return make_swarm(services=[SHOP], swarm_tasks=[made], networks=[make_network("backend", "")])


@pytest.mark.parametrize(
    ("state", "code", "place"),
    [
        ("new", "state-new", "service"),
        ("pending", "state-pending", "cluster"),
        ("preparing", "state-preparing", "ingress"),
        ("starting", "state-preparing", "ingress"),
        ("orphaned", "state-orphaned", "cluster"),
    ],
)
def test_states_without_a_word_are_explained(state: str, code: str, place: str) -> None:
    swarm = hanging(state)
    found = decoding.of_service(swarm=swarm, service=SHOP)
    assert found is not None
    assert found.code == code
    assert found.said == f"1 of its tasks stays in {state.upper()}."
    assert found.go is not None
    assert found.go.place == place


def test_a_task_in_new_shows_which_network_has_no_addresses() -> None:
    found = decoding.of_service(swarm=hanging("new"), service=SHOP)
    assert found is not None
    assert found.evidence[:2] == ("Its tasks: 1 new.", "Without addresses now: backend.")


def test_a_task_in_preparing_shows_a_network_without_room() -> None:
    """A full overlay leaves no address for the node itself: its containers stay in PREPARING without a word."""
    made = [
        make_swarm_task(SHOP, n, state="preparing", state_at=NOW - timedelta(minutes=5), network_ids=("id-backend",))
        for n in (1, 2)
    ]
    swarm = make_swarm(services=[SHOP], swarm_tasks=made, networks=[make_network("backend", "10.8.0.0/30")])
    found = decoding.of_service(swarm=swarm, service=SHOP)
    assert found is not None
    assert "backend 10.8.0.0/30 is full" in " ".join(found.evidence)


def test_a_task_that_has_just_begun_does_not_hang_and_a_running_service_has_nothing() -> None:
    assert decoding.of_service(swarm=hanging("preparing", minutes=0.1), service=SHOP) is None
    assert decoding.of_service(swarm=SWARM, service=SHOP) is None


def test_a_network_without_addresses_names_who_waits_for_it() -> None:
    swarm = hanging("new")
    network = next(n for n in swarm.networks if n.name == "backend")
    found = decoding.of_network(swarm=swarm, network=network)
    assert found is not None
    assert found.evidence == ("Used by shop_web.", "1 of their tasks waits in NEW.")
    assert decoding.of_network(swarm=SWARM, network=SWARM.networks[2]) is None


def test_findings_of_a_cluster_are_explained() -> None:
    swarm = hanging("new")
    weak = next(f for f in diagnosis.diagnose(swarm) if f.code == "service-weak")
    found = decoding.of_finding(weak, swarm=swarm)
    assert found is not None
    assert found.code == "state-new"
    assert decoding.of_finding(weak, swarm=None) is None
