"""Plans of a replacement: what happens to each service, over which networks, and what is in the way."""

from dataclasses import replace
from typing import Any

import pytest

from overlayweb.domain import attaching, network_settings, planners, replace_checks, replace_plans
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.plans import Level, Meanwhile
from overlayweb.domain.replace_plans import ReplacePlan, ReplaceRequest
from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import IpamConfig, Mode, Network, Service, Swarm
from overlayweb.models import codec
from tests.domain.builders import make_attachment, make_network, make_node, make_service, make_swarm

FIRST = {"Order": "start-first", "Parallelism": 1}


def backend(**changes: Any) -> Network:
    return make_network("backend", "10.0.9.0/24", **{"attachable": False, **changes})


def swarm(*services: Service, **changes: Any) -> Swarm:
    old = changes.pop("old", backend())
    return make_swarm(services=services, networks=[old, make_network("payments", "10.9.1.0/24")], **changes)


def on_backend(name: str = "shop_web", **changes: Any) -> Service:
    container = {"Healthcheck": {"Test": changes.pop("health", [])}, "Mounts": changes.pop("mounts", [])}
    given = {"published": (), "network_ids": ("id-backend",), "update_config": FIRST, **changes}
    service = make_service(name, **given)
    document = service.spec.document()
    document["TaskTemplate"]["ContainerSpec"] |= container
    return replace(service, spec=Spec.of(document))


def plan(there: Swarm, *, keep_name: bool = False, **changes: Any) -> ReplacePlan:
    settings = network_settings.of_network(there.networks[[n.id for n in there.networks].index("id-backend")])
    wanted = replace(settings, **{"name": "wide", "subnets": (IpamConfig(subnet="10.31.0.0/22"),), **changes})
    request = ReplaceRequest(network_id="id-backend", settings=wanted, keep_name=keep_name)
    return replace_plans.build(swarm=there, request=request)


def codes(found: ReplacePlan, level: Level) -> set[str]:
    return {finding.code for finding in found.findings if finding.level is level}


def test_start_first_services_are_never_dark_and_restart_twice() -> None:
    found = plan(swarm(on_backend(), make_service("wiki", published=())))
    assert [(e.service_name, e.restarts, e.dark_seconds) for e in found.effects] == [("shop_web", 2, 0.0)]
    assert found.blockers == ()


def words(found: ReplacePlan) -> str:
    return " ".join(found.keeps_working)


@pytest.mark.parametrize(
    ("service", "meanwhile", "why", "said"),
    [
        ({"health": ["CMD", "up"]}, Meanwhile.ANSWERS, "with a health check: it keeps answering", "1 service keeps"),
        ({}, Meanwhile.UNPROVEN, "no health check in its spec", "nobody checks"),
        ({"health": ["NONE"]}, Meanwhile.UNPROVEN, "no health check in its spec", "nobody checks"),
        ({"update_config": None}, Meanwhile.SOME, "some of its containers run", "some containers"),
        ({"update_config": {"Parallelism": 2}}, Meanwhile.DARK, "all its containers stop", ""),
        ({"update_config": {"Parallelism": 0}}, Meanwhile.DARK, "all its containers stop", ""),
        ({"replicas": 0, "update_config": None}, Meanwhile.NOTHING, "it has no containers", ""),
        ({"replicas": 0}, Meanwhile.NOTHING, "it has no containers", ""),
    ],
)
def test_no_more_is_promised_than_the_update_config_keeps(
    service: dict[str, Any], meanwhile: Meanwhile, why: str, said: str
) -> None:
    found = plan(swarm(on_backend(**service)))
    (effect,) = found.effects
    assert (effect.meanwhile, why in effect.why) == (meanwhile, True)
    assert bool(effect.dark_seconds) == (meanwhile is Meanwhile.DARK)
    assert [text in words(found) for text in ("keeps answering", "nobody checks", "some containers")] == [
        meanwhile is kind for kind in (Meanwhile.ANSWERS, Meanwhile.UNPROVEN, Meanwhile.SOME)
    ]
    assert said in words(found)
    unchecked = "start-first-unchecked" in codes(found, Level.WARNING)
    assert unchecked == (meanwhile is Meanwhile.UNPROVEN)


def test_what_only_one_container_can_have_forbids_start_first() -> None:
    mounts = [{"Type": "cluster", "Source": "disk"}, {"Type": "volume", "Source": "data"}]
    found = plan(swarm(on_backend(mounts=mounts)))
    assert "start-first-volume" in codes(found, Level.BLOCKER) & codes(found, Level.WARNING)
    stops_first = plan(swarm(on_backend(mounts=mounts, update_config=None)))
    assert "start-first-volume" not in codes(stops_first, Level.BLOCKER) | codes(stops_first, Level.WARNING)


def test_a_network_that_is_not_attachable_takes_no_standalone_containers() -> None:
    old = backend(attachable=True)
    there = swarm(old=old, attachments=(make_attachment(old, "f00d" * 16, node_id="id-node2"),))
    found = plan(there, attachable=False)
    (said,) = [finding for finding in found.blockers if finding.code == "standalone-not-attachable"]
    assert "f00df00df00d on node2" in said.message
    assert plan(there).blockers == ()
    assert plan(swarm(old=old), attachable=False).blockers == ()


def test_what_has_no_field_here_is_named_as_left_behind() -> None:
    old = backend(ipam_driver="weave", ipam_options=(("pool", "a"),), auxiliary=(("printer", "10.0.9.9"),))
    (said,) = [row for row in plan(swarm(old=old)).findings if row.code == "ipam-left-behind"]
    for part in ("IPAM driver weave", "IPAM option pool=a", "auxiliary address printer 10.0.9.9"):
        assert part in said.message
    plain = plan(swarm(old=backend(ipam_driver="default")))
    assert "ipam-left-behind" not in codes(plain, Level.WARNING)


def test_a_single_container_that_stops_first_is_dark_in_each_update_and_said_so() -> None:
    found = plan(swarm(on_backend(replicas=1, update_config=None)))
    assert found.effects[0].dark_seconds > 0
    assert "service-dark" in codes(found, Level.WARNING)


def test_the_same_name_takes_two_moves_over_a_network_that_overlaps_nothing() -> None:
    found = plan(swarm(on_backend()), keep_name=True, subnets=(IpamConfig(subnet="10.0.9.0/24"),), mtu=1400)
    assert found.blockers == ()
    assert found.interim is not None
    assert [made.name for made in found.made] == ["backend-interim", "backend"]
    assert found.interim.subnets[0].subnet not in {"10.0.9.0/24", "10.9.1.0/24", ""}
    assert found.effects[0].restarts == 4
    assert [step.name for step in found.steps if step.point_of_no_return] == ["remove-1"]


def test_beside_the_old_network_its_own_subnet_and_name_are_taken() -> None:
    found = plan(swarm(on_backend()), name="backend", subnets=(IpamConfig(subnet="10.0.9.0/25"),))
    assert {"name-taken", "subnet-overlap"} <= codes(found, Level.BLOCKER)


@pytest.mark.parametrize(
    ("service", "code"),
    [
        ({"update_state": "updating"}, "service-updating"),
        ({"update_state": "paused"}, "service-update-paused"),
        ({"mode": Mode.REPLICATED_JOB}, "service-job"),
        ({"runtime": "plugin"}, "service-plugin"),
        ({"labels": (("com.overlayweb.self", ""),)}, "own-service"),
    ],
)
def test_services_that_must_not_be_touched_block_it(service: dict[str, Any], code: str) -> None:
    assert code in codes(plan(swarm(on_backend(**service))), Level.BLOCKER)


def test_encryption_is_refused_while_a_node_runs_windows() -> None:
    there = swarm(on_backend(), nodes=[make_node("node1"), make_node("node2", os="windows")])
    assert "encrypted-windows" in codes(plan(there, encrypted=True), Level.BLOCKER)


def test_a_network_that_is_gone_or_stays_as_it_is_is_refused() -> None:
    gone = replace_plans.build(swarm=swarm(), request=ReplaceRequest(network_id="id-none", settings=NetworkSettings()))
    assert codes(gone, Level.BLOCKER) == {"network-gone"}
    same = plan(swarm(), name="backend", subnets=(IpamConfig(subnet="10.0.9.0/24", gateway="10.0.9.1"),))
    assert "no-change" in codes(same, Level.BLOCKER)


def test_standalone_containers_are_named_with_their_node() -> None:
    old = backend(attachable=True)
    assert "standalone-containers" not in codes(plan(swarm(old=old)), Level.WARNING)
    found = plan(swarm(old=old, attachments=(make_attachment(old, "f00d" * 16, node_id="id-node2"),)))
    (said,) = [finding for finding in found.findings if finding.code == "standalone-containers"]
    assert (said.level, "f00df00df00d on node2" in said.message) == (Level.WARNING, True)


def test_a_service_that_only_remembers_the_network_is_written_once_more_and_not_restarted() -> None:
    left = make_service("left", published=(), previous_spec=on_backend("left").spec)
    found = plan(swarm(left))
    assert [(e.service_name, e.restarts) for e in found.effects] == [("left", 0)]


def test_only_what_it_depends_on_voids_it() -> None:
    before = plan(swarm(on_backend()))
    other = plan(swarm(on_backend(), make_service("wiki")))
    moved = plan(swarm(on_backend(update_config={"Order": "stop-first"})))
    assert planners.drift(before=before, now=other) == ()
    assert planners.drift(before=before, now=moved) == ("Attached service shop_web has been changed: its spec.",)


def test_a_plan_is_kept_word_by_word() -> None:
    found = plan(swarm(on_backend()), keep_name=True)
    assert codec.load_plan(codec.dump(found)) == found


def test_aliases_and_options_go_along_and_other_networks_keep_their_place() -> None:
    rows: list[dict[str, Any]] = [
        {"Target": "side"},
        {"Target": "old", "Aliases": ["api"], "DriverOpts": {"a": "b"}},
        {"Target": "end"},
    ]
    spec = Spec.of({"Name": "web", "TaskTemplate": {"Networks": rows}})
    both = attaching.moved(spec, known={"old", "new"}, wanted=("old", "new"))
    assert attaching.networks_of(both) == ("side", "old", "new", "end")
    only = attaching.moved(both, known={"old", "new"}, wanted=("new",))
    assert only.document()["TaskTemplate"]["Networks"][1] == {**rows[1], "Target": "new"}
    assert attaching.moved(only, known={"old", "new"}, wanted=("old",)) == spec


def test_the_mark_of_a_stack_may_stay_and_not_be_put_on() -> None:
    mark = (("com.docker.stack.namespace", "shop"),)
    before = NetworkSettings(name="back", labels=mark)

    def refused(labels: tuple[tuple[str, str], ...]) -> list[str]:
        after = replace(before, name="wide", labels=labels, subnets=(IpamConfig(subnet="10.44.0.0/22"),))
        old = replace(make_network("back", "10.0.9.0/24"), labels=mark)
        found = replace_checks.find(
            swarm=make_swarm(networks=[old]), old=old, before=before, after=after, keep_name=False, attached=()
        )
        return [finding.code for finding in found if finding.subject == "labels"]

    assert refused(mark) == []
    assert refused((("com.docker.stack.namespace", "other"),)) == ["label-invalid"]
