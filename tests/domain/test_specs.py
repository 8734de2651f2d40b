"""A service's spec changes only where the plan says, and comes back to the byte."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from overlayweb.domain import specs
from overlayweb.domain.ports import PublishedPort
from overlayweb.domain.specs import HOLD_NANO_CPUS, Spec
from tests.domain.builders import make_port, make_spec
from tests.domain.examples import EXAMPLES

PLANNED = ("EndpointSpec.Ports", "TaskTemplate.Resources", "UpdateConfig")

leaves = st.none() | st.booleans() | st.integers(-5, 2**63 - 1) | st.text(max_size=4)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
)
ports = st.lists(
    st.builds(
        PublishedPort,
        target_port=st.integers(1, 9),
        published_port=st.integers(1, 65535),
        protocol=st.sampled_from(["tcp", "udp", "sctp"]),
        publish_mode=st.sampled_from(["ingress", "host"]),
    ),
    max_size=4,
    unique_by=lambda port: (port.published_port, port.protocol),
)
update_configs = st.none() | st.fixed_dictionaries(
    {"Parallelism": st.integers(0, 3)}, optional={"Order": st.just("start-first")}
)
resources = st.fixed_dictionaries(
    {}, optional={"Limits": st.just({"MemoryBytes": 64}), "Reservations": st.just({"MemoryBytes": 32, "NanoCPUs": 5})}
)


@st.composite
def any_spec(draw: st.DrawFn) -> Spec:
    spec = make_spec(published=draw(ports), update_config=draw(update_configs), Extra=draw(values))
    document = spec.document()
    document["TaskTemplate"]["Resources"] = draw(resources)
    if draw(st.booleans()):
        del document["TaskTemplate"]["Resources"]
    return Spec.of(document)


def _paths(document: Any, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(document, dict):
        return [prefix]
    return [path for key, value in document.items() for path in _paths(value, (*prefix, key))]


def _edited(spec: Spec, path: tuple[str, ...], value: object) -> Spec:
    document = spec.document()
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return Spec.of(document)


def _at(spec: Spec, path: tuple[str, ...]) -> object:
    place: Any = spec.document()
    for key in path:
        place = place[key]
    return place


@given(spec=any_spec())
@settings(max_examples=EXAMPLES)
def test_only_planned_paths_differ(spec: Spec) -> None:
    assert all(path.startswith(PLANNED) for path in specs.differences(spec, specs.held(spec)))
    assert all(path.startswith(PLANNED[::2]) for path in specs.differences(spec, specs.unpublished(spec)))
    for was_held in (True, False):
        changed = specs.differences(spec, specs.starting(spec, was_held=was_held))
        assert all(path.startswith("UpdateConfig") for path in changed)


@given(spec=any_spec())
@settings(max_examples=EXAMPLES)
def test_taken_off_means_no_ingress_port_and_every_host_port(spec: Spec) -> None:
    host = [port for port in specs.ports_of(spec) if port.publish_mode == "host"]
    for released in (specs.held(spec), specs.unpublished(spec)):
        assert list(specs.ports_of(released)) == host
        assert not specs.publishes_through_ingress(released)


@given(spec=any_spec())
@settings(max_examples=EXAMPLES)
def test_untouched_services_come_back_to_the_byte(spec: Spec) -> None:
    for released in (specs.held(spec), specs.unpublished(spec)):
        assert specs.merged(base=released, current=released, target=spec).text == spec.text


def _given_back(value: Any) -> Any:
    """The value as an engine gives it back: keys with nothing in them are left out."""
    if isinstance(value, dict):
        kept = {key: _given_back(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (None, 0, "", [], {})}
    return [_given_back(item) for item in value] if isinstance(value, list) else value


@given(spec=any_spec())
@settings(max_examples=EXAMPLES)
def test_what_an_engine_leaves_out_is_not_a_foreign_edit(spec: Spec) -> None:
    for released in (specs.held(spec), specs.unpublished(spec)):
        current = Spec.of(_given_back(released.document()))
        assert specs.same(released, current)
        assert specs.differences(released, current) == ()
        assert specs.merged(base=released, current=current, target=spec).text == spec.text


@given(spec=any_spec(), data=st.data())
@settings(max_examples=EXAMPLES)
def test_a_foreign_edit_is_recognised_though_the_engine_leaves_things_out(spec: Spec, data: st.DataObject) -> None:
    base = specs.held(spec)
    path = data.draw(
        st.sampled_from([("Name",), ("TaskTemplate", "ContainerSpec", "Image"), ("UpdateConfig", "Order")])
    )
    current = Spec.of(_given_back(_edited(base, path, "edited by somebody").document()))
    assert not specs.same(base, current)
    assert specs.differences(base, current) == (".".join(path),)
    assert _at(specs.merged(base=base, current=current, target=spec), path) == "edited by somebody"


@given(spec=any_spec(), data=st.data())
@settings(max_examples=EXAMPLES)
def test_a_foreign_edit_anywhere_survives_and_the_rest_comes_back(spec: Spec, data: st.DataObject) -> None:
    base = specs.held(spec)
    foreign = [
        path
        for path in _paths(base.document())
        if path[0] not in ("EndpointSpec", "UpdateConfig") and path in _paths(spec.document())
    ]
    path = data.draw(st.sampled_from(foreign))
    current = _edited(base, path, "edited by somebody")
    assert specs.merged(base=base, current=current, target=spec) == _edited(spec, path, "edited by somebody")


@given(spec=any_spec())
@settings(max_examples=EXAMPLES)
def test_a_key_that_somebody_adds_survives(spec: Spec) -> None:
    base = specs.held(spec)
    for path in (("New",), ("TaskTemplate", "New"), ("TaskTemplate", "Resources", "New"), ("UpdateConfig", "New")):
        current = _edited(base, path, {"a": 1})
        result = specs.merged(base=base, current=current, target=spec)
        assert _at(result, path) == {"a": 1}
        changed = specs.differences(spec, result)
        assert len(changed) == 1
        assert ".".join(path).startswith(changed[0])


@given(spec=any_spec())
@settings(max_examples=EXAMPLES)
def test_ingress_ports_come_back_beside_a_stranger_s_new_port(spec: Spec) -> None:
    base = specs.held(spec)
    stranger = {"Protocol": "tcp", "TargetPort": 10, "PublishedPort": 70000, "PublishMode": "ingress"}
    current = _edited(base, ("EndpointSpec",), {"Ports": [stranger]})
    result = specs.merged(base=base, current=current, target=spec)
    came_back = set(specs.ports_of(result))
    assert {port for port in specs.ports_of(spec) if port.publish_mode == "ingress"} <= came_back
    assert make_port(70000, target=10) in came_back


def test_a_port_that_somebody_published_again_is_not_published_twice() -> None:
    spec = make_spec(published=(8080, 8443))
    again = _edited(specs.held(spec), ("EndpointSpec",), make_spec(published=(8080,)).document()["EndpointSpec"])
    result = specs.merged(base=specs.held(spec), current=again, target=spec)
    assert sorted(port.published_port for port in specs.ports_of(result)) == [8080, 8443]


def test_a_hold_is_a_reservation_that_no_node_meets_all_at_once_and_never_rolled_back() -> None:
    document = specs.held(make_spec(update_config={"FailureAction": "rollback", "Parallelism": 1})).document()
    assert document["TaskTemplate"]["Resources"]["Reservations"]["NanoCPUs"] == HOLD_NANO_CPUS == 10**14
    assert document["UpdateConfig"] == {
        "Parallelism": 0,
        "FailureAction": "continue",
        "Monitor": 1,
        "MaxFailureRatio": 0,
        "Order": "stop-first",
    }


def test_other_reservations_stay_beside_the_hold() -> None:
    spec = make_spec(TaskTemplate={"Resources": {"Reservations": {"MemoryBytes": 7}}})
    reservations = specs.held(spec).document()["TaskTemplate"]["Resources"]["Reservations"]
    assert reservations == {"MemoryBytes": 7, "NanoCPUs": HOLD_NANO_CPUS}


def test_held_services_start_first_others_stop_first() -> None:
    assert specs.starting(make_spec(), was_held=True).document()["UpdateConfig"]["Order"] == "start-first"
    assert specs.starting(make_spec(), was_held=False).document()["UpdateConfig"]["Order"] == "stop-first"


def test_pinning_writes_what_swarm_chose_and_nothing_else() -> None:
    spec = make_spec(published=(8080, 0, make_port(0, mode="host")))
    pinned = specs.pinned(spec, [make_port(8080), make_port(30007), make_port(40000, mode="host")])
    assert [port.published_port for port in specs.ports_of(pinned)] == [8080, 30007, 0]
    assert specs.pinned(make_spec(), [make_port(8080)]) == make_spec()


def test_pinning_keeps_two_chosen_ports_of_one_target_apart() -> None:
    spec = make_spec(published=(0, 8080, 0))
    pinned = specs.pinned(spec, [make_port(30001), make_port(8080), make_port(30002)])
    assert [port.published_port for port in specs.ports_of(pinned)] == [30001, 8080, 30002]


def test_a_port_that_swarm_has_not_chosen_stays_open() -> None:
    spec = make_spec(published=(0,))
    assert specs.pinned(spec, []) == spec


def test_the_order_of_keys_is_no_difference() -> None:
    left, right = Spec.of({"a": 1, "b": {"c": 2, "d": 3}}), Spec.of({"b": {"d": 3, "c": 2}, "a": 1})
    assert left == right
    assert left.digest == right.digest
    assert json.loads(left.text) == {"a": 1, "b": {"c": 2, "d": 3}}


def test_differences_are_named_by_path() -> None:
    left, right = Spec.of({"a": {"b": 1, "c": 2}, "d": 1}), Spec.of({"a": {"b": 1, "c": 3}, "e": 1})
    assert specs.differences(left, right) == ("a.c", "d", "e")


def test_a_document_is_a_private_copy() -> None:
    spec = make_spec()
    spec.document()["Name"] = "changed"
    assert spec.document()["Name"] == "shop_web"
