"""The ingress: when it can be removed, when it is allocated, and when it comes to the nodes."""

from tests.contract import deeds
from tests.contract.deeds import rpc
from tests.contract.grounds import NODES, Ground
from tests.lab import services


def _peers(ground: Ground, network_id: str) -> set[str]:
    return {peer["IP"] for peer in ground.get(f"/networks/{network_id}").get("Peers") or ()}


def test_scaling_to_zero_keeps_it_in_use_and_the_refusal_names_one_service_by_id(fresh: Ground) -> None:
    made = [deeds.web(fresh, name, port=port) for name, port in (("one", 8001), ("two", 8002))]
    for key in made:
        deeds.change(fresh, key, Mode={"Replicated": {"Replicas": 0}})
    answer = fresh.ask("DELETE", f"/networks/{deeds.ingress(fresh)['Id']}")
    words = rpc("FailedPrecondition", "ingress network cannot be removed because service {} depends on it")
    assert answer.status == 400
    assert answer.words in {words.format(key) for key in made}


def test_an_overlay_in_a_spec_is_in_use(fresh: Ground) -> None:
    overlay = deeds.create_overlay(fresh, "backend")
    made = deeds.create(fresh, services.replicated("cache", networks=[overlay]))
    answer = fresh.ask("DELETE", f"/networks/{overlay}")
    words = rpc("FailedPrecondition", f"network {overlay} is in use by service {made}")
    assert (answer.status, answer.words) == (400, words)


def test_a_port_in_host_mode_does_not_use_it(fresh: Ground) -> None:
    deeds.create(fresh, services.everywhere("agent", services.host_port(9010)))
    deeds.remove_ingress(fresh)


def test_there_is_only_one(fresh: Ground) -> None:
    there = deeds.ingress(fresh)["Id"]
    answer = fresh.ask("POST", "/networks/create", {"Name": "other", "Driver": "overlay", "Ingress": True})
    words = rpc("AlreadyExists", f"ingress network ({there}) is already present")
    assert (answer.status, answer.words) == (409, words)


def test_it_is_not_attachable(ground: Ground) -> None:
    body = {"Name": "other", "Driver": "overlay", "Ingress": True, "Attachable": True}
    answer = ground.ask("POST", "/networks/create", body)
    words = rpc("InvalidArgument", "ingress network cannot be attachable")
    assert (answer.status, answer.words) == (400, words)


def test_it_may_have_another_name(fresh: Ground) -> None:
    deeds.remove_ingress(fresh)
    made = deeds.create_ingress(fresh, Name="mesh")
    assert (deeds.ingress(fresh)["Id"], deeds.ingress(fresh)["Name"]) == (made, "mesh")


def test_without_it_nothing_can_be_published(fresh: Ground) -> None:
    deeds.remove_ingress(fresh)
    answer = fresh.ask("POST", "/services/create", services.replicated("web", services.ingress_port(8001)))
    assert (answer.status, "service needs ingress network, but no ingress network is present" in answer.words) == (
        400,
        True,
    )


def test_nodes_get_a_new_one_when_their_label_changes(fresh: Ground) -> None:
    deeds.remove_ingress(fresh)
    made = deeds.create_ingress(fresh)
    fresh.let_pass(3)
    assert _peers(fresh, made) < set(fresh.addresses.values()), "nothing has told the nodes yet"
    for nudge in ("1", "2", "3"):
        deeds.label_nodes(fresh, nudge)
        fresh.let_pass(2)
    assert _peers(fresh, made) == set(fresh.addresses.values())


def test_tasks_bring_a_new_one_to_their_nodes(fresh: Ground) -> None:
    deeds.remove_ingress(fresh)
    made = deeds.create_ingress(fresh)
    deeds.create(fresh, services.everywhere("agent", services.ingress_port(8003)))
    fresh.until(lambda: _peers(fresh, made) == set(fresh.addresses.values()), "all nodes to be peers")


def test_one_that_is_allocated_late_serves_nobody_until_it_is_made_again(fresh: Ground) -> None:
    deeds.remove_ingress(fresh)
    blocker = deeds.create_overlay(fresh, "blocker", IPAM={"Config": [{"Subnet": "10.20.0.0/24"}]})
    late = deeds.create_ingress(fresh, subnet="10.20.0.0/24", allocated=False)
    before = deeds.create(fresh, services.replicated("before", services.ingress_port(8001)), wait=False)
    fresh.let_pass(2)
    assert deeds.networks(fresh)[late]["Driver"] == ""
    fresh.do("DELETE", f"/networks/{blocker}")
    fresh.until(lambda: deeds.networks(fresh)[late]["Driver"], "the ingress to be allocated late", seconds=30)
    after = deeds.create(fresh, services.replicated("after", services.ingress_port(8002)), wait=False)
    fresh.let_pass(5)
    assert [deeds.states(fresh, key) for key in (before, after)] == [{"new": 3}, {"new": 3}]

    for key in (before, after):
        deeds.change(fresh, key, EndpointSpec=deeds.unpublished())
    deeds.remove_ingress(fresh)
    deeds.create_ingress(fresh, subnet="10.20.0.0/24")
    for key, port in ((before, 8001), (after, 8002)):
        deeds.change(fresh, key, EndpointSpec=deeds.published(port))
    fresh.until(lambda: all(deeds.full(fresh, key) for key in (before, after)), "both to run", seconds=60)


def test_an_ingress_removed_too_early_is_held_by_the_node_and_not_by_the_swarm(fresh: Ground) -> None:
    made, old = deeds.web(fresh), deeds.ingress(fresh)["Id"]
    deeds.change(fresh, made, EndpointSpec=deeds.unpublished())
    assert deeds.on_network(fresh, old), "its containers are attached still"
    fresh.do("DELETE", f"/networks/{old}")
    fresh.let_pass(3)
    assert fresh.ask("GET", f"/networks/{old}", scope="global").status == 404
    assert fresh.get(f"/networks/{old}")["Ingress"]


def test_a_careful_rebuild_leaves_nothing_behind(fresh: Ground) -> None:
    made, old = deeds.web(fresh), deeds.ingress(fresh)["Id"]
    deeds.change(fresh, made, EndpointSpec=deeds.unpublished(), UpdateConfig={"Parallelism": 0, "Order": "stop-first"})
    fresh.until(lambda: not deeds.on_network(fresh, old), "all tasks to leave the ingress")
    deeds.remove_ingress(fresh)
    new = deeds.create_ingress(fresh, subnet="10.13.0.0/24")
    deeds.change(fresh, made, EndpointSpec=deeds.published(8001))
    fresh.until(lambda: len(deeds.running_on(fresh, new)) == 3, "the service to run on it", seconds=60)
    assert deeds.service(fresh, made)["Endpoint"]["VirtualIPs"][0]["NetworkID"] == new
    assert fresh.holding(old) == set()


def test_a_careless_rebuild_wedges_and_restarts_heal_it(fresh: Ground) -> None:
    deeds.set_availability(fresh, NODES[0], "drain")
    made, old = {"web": 8001, "api": 8002}, deeds.ingress(fresh)["Id"]
    keys = {deeds.web(fresh, name, port=port): port for name, port in made.items()}
    for key in keys:
        deeds.change(fresh, key, EndpointSpec=deeds.unpublished())
    deeds.remove_ingress(fresh)
    deeds.create_ingress(fresh, subnet="10.11.0.0/24")
    for key, port in keys.items():
        deeds.change(fresh, key, EndpointSpec=deeds.published(port))
    fresh.until(lambda: fresh.holding(old) == set(NODES[1:]), "the workers to hold the old ingress")
    fresh.let_pass(8)
    assert not any(deeds.full(fresh, key) for key in keys)
    assert all(_stuck(fresh, key) for key in keys)

    for node in reversed(NODES):
        fresh.restart(node)
    fresh.until(lambda: all(deeds.full(fresh, key) for key in keys), "all to run again", seconds=120)
    assert fresh.holding(old) == set()


def _stuck(ground: Ground, service_id: str) -> list[str]:
    """States of new Swarm tasks that a wedged node can not start: hanging, or rejected one by one."""
    found = [row["Status"] for row in deeds.rows(ground, service_id)]
    rejected = [status["State"] for status in found if "ingress" in status.get("Err", "")]
    return [status["State"] for status in found if status["State"] == "starting"] + rejected
