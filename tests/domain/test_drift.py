"""What was approved against what is: by examples, and that adopting all of it leaves nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from overlayweb.domain import drift, ingress_plans, network_settings, repair_plans, standings
from overlayweb.domain.drift import Approved, Report, What
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.plans import Plan, Request
from overlayweb.domain.ports import PublishedPort
from overlayweb.domain.standings import Standing, Subject
from overlayweb.domain.swarm import IpamConfig, Network, Service, Swarm
from tests.domain.builders import NOW, make_ingress, make_network, make_request, make_service, make_swarm
from tests.domain.examples import EXAMPLES

BEFORE = NOW - timedelta(days=1)
REGISTERED = NOW - timedelta(days=30)


def word(standing: Standing, at: datetime = BEFORE, **changes: Any) -> Approved:
    return Approved(standing=standing, at=at, by="Ana", change_id=7, **changes)


def find(swarm: Swarm, *approved: Approved) -> Report:
    return drift.find(swarm=swarm, approved=approved, since=REGISTERED)


def as_is(swarm: Swarm) -> list[Approved]:
    return [word(standing) for standing in standings.seen(swarm)]


BACKEND = make_network("backend", "10.0.9.0/24", mtu="1400")
SWARM = make_swarm(services=[make_service("shop_web", published=(8001,))], networks=[BACKEND])


def test_what_is_as_approved_is_no_drift() -> None:
    assert find(SWARM, *as_is(SWARM)) == Report()


def test_a_plan_that_was_carried_out_as_approved_is_no_drift() -> None:
    plan = ingress_plans.build(swarm=SWARM, request=make_request("10.11.0.0/16", mtu=1450))
    after = replace(SWARM, networks=(make_ingress("10.11.0.0/16", mtu="1450"), *SWARM.networks[1:]))
    words = [word(standing) for standing in standings.of_plan(plan)]
    assert {standing.subject for standing in standings.of_plan(plan)} == {Subject.INGRESS, Subject.PORTS}
    assert find(after, *words).drifts == ()
    (found,) = find(SWARM, *words).drifts
    assert [(d.setting, d.approved, d.found) for d in found.differences] == [
        ("Subnet", "10.11.0.0/16", "10.0.0.0/24"),
        ("Gateway", "10.11.0.1", "10.0.0.1"),
        ("MTU", "1450", "unset"),
    ]


def test_a_repair_that_leaves_the_ingress_says_nothing_of_its_settings() -> None:
    plan = repair_plans.build(swarm=SWARM, request=make_request())
    assert all(standing.subject is not Subject.INGRESS for standing in standings.of_plan(plan))


def test_a_changed_network_shows_each_setting() -> None:
    now = replace(SWARM, networks=(*SWARM.networks[:-1], replace(BACKEND, mtu="", attachable=False)))
    (found,) = find(now, word(standings.of_network(BACKEND))).drifts
    assert (found.what, found.name, found.subject_id) == (What.CHANGED, "backend", "id-backend")
    assert [(d.setting, d.approved, d.found) for d in found.differences] == [
        ("MTU", "1400", "unset"),
        ("Attachable", "yes", "no"),
    ]


def test_a_network_made_anew_as_approved_is_no_drift() -> None:
    now = replace(SWARM, networks=(*SWARM.networks[:-1], replace(BACKEND, id="another")))
    assert find(now, word(standings.of_network(BACKEND))).drifts == ()


def test_a_removed_network_and_a_removed_ingress() -> None:
    gone = replace(SWARM, networks=())
    found = find(gone, *as_is(SWARM)).drifts
    assert [(one.what, one.subject) for one in found] == [
        (What.REMOVED, Subject.INGRESS),
        (What.REMOVED, Subject.NETWORK),
    ]
    assert not any(one.found.there for one in found)


def test_a_network_whose_removal_was_approved_is_back() -> None:
    (found,) = find(SWARM, word(Standing(subject=Subject.NETWORK, name="backend", there=False))).drifts
    assert (found.what, found.subject_id) == (What.MADE, "id-backend")


def test_a_network_that_nobody_approved_counts_only_if_it_appeared_since() -> None:
    new = replace(BACKEND, created_at=NOW - timedelta(hours=1))
    old = replace(BACKEND, created_at=REGISTERED - timedelta(hours=1))
    made = find(replace(SWARM, networks=(make_ingress(), new)))
    assert [(one.what, one.name) for one in made.drifts] == [(What.MADE, "backend")]
    assert made.unrecorded == ()
    for there_before in (old, BACKEND):
        before = find(replace(SWARM, networks=(make_ingress(), there_before)))
        assert before.drifts == ()
        assert [row.name for row in before.unrecorded] == ["backend"]


def test_local_networks_and_removed_ones_that_a_node_still_holds_are_not_compared() -> None:
    stale = make_network("old", "10.3.0.0/24", registered=False, created_at=NOW)
    assert find(replace(SWARM, networks=(*SWARM.networks[:2], stale))) == Report()


def test_changed_ports_by_the_name_of_the_service() -> None:
    approved = word(standings.of_ports("shop_web", make_service("shop_web", published=(8001, 8443)).ports))
    again = make_service("shop_web", published=(8001,), id="another")
    (found,) = find(replace(SWARM, services=(again,)), approved).drifts
    assert (found.what, found.subject_id) == (What.CHANGED, "another")
    assert [(d.approved, d.found) for d in found.differences] == [("8001→80/tcp, 8443→80/tcp", "8001→80/tcp")]
    assert find(replace(SWARM, services=()), approved).drifts == ()


def test_the_latest_word_counts_whatever_the_order() -> None:
    first, second = word(standings.of_network(make_network(subnet="10.5.0.0/24"))), as_is(SWARM)[1]
    later = replace(second, at=BEFORE + timedelta(hours=1))
    assert find(SWARM, first, later).drifts == find(SWARM, later, first).drifts == ()


def test_what_was_approved_after_the_observation_is_not_judged_by_it() -> None:
    wanted = word(standings.of_network(make_network(subnet="10.5.0.0/24")), at=NOW + timedelta(seconds=1))
    assert find(SWARM, wanted) == Report()


def test_two_ingress_networks_are_told_as_a_broken_mesh_and_not_as_drift() -> None:
    two = make_swarm(networks=[make_ingress("10.5.0.0/24", id="second")])
    assert find(two, word(standings.of_ingress(make_request().settings))).drifts == ()


def test_settings_that_were_not_named_may_be_anything() -> None:
    asked = Standing(subject=Subject.NETWORK, name="backend", values=(("Attachable", "yes"),))
    assert find(SWARM, word(asked)).drifts == ()


NAMES = st.sampled_from(["a", "b", "c"])
FLAGS = st.booleans()
PORTS = st.lists(
    st.builds(
        PublishedPort,
        target_port=st.integers(1, 3),
        published_port=st.integers(0, 3),
        protocol=st.sampled_from(["tcp", "udp"]),
        publish_mode=st.sampled_from(["ingress", "host"]),
    ),
    max_size=3,
    unique=True,
)
LABELS = st.dictionaries(st.text("xyz. ", min_size=1, max_size=3), st.text("xyz= ", max_size=4), max_size=2)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    return make_network(
        draw(NAMES),
        draw(st.sampled_from(["10.0.9.0/24", "10.5.0.0/16", ""])),
        mtu=draw(st.sampled_from(["", "1400", "abc"])),
        attachable=draw(FLAGS),
        created_at=draw(st.sampled_from([None, REGISTERED - timedelta(1), NOW - timedelta(1)])),
        labels=tuple(sorted(draw(LABELS).items())),
    )


@st.composite
def swarms(draw: st.DrawFn) -> Swarm:
    overlays = draw(st.lists(networks(), max_size=3, unique_by=lambda n: n.name))
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    made: Sequence[Service] = [make_service(name, ports=tuple(draw(PORTS))) for name in names]
    ingress = draw(st.sampled_from([None, make_ingress(), make_ingress("10.11.0.0/16", mtu="1450")]))
    return make_swarm(services=made, networks=overlays, ingress=ingress)


@settings(max_examples=EXAMPLES)
@given(swarms(), swarms())
def test_after_all_is_adopted_nothing_differs_and_every_change_shows(then: Swarm, now: Swarm) -> None:
    report = find(now, *as_is(then))
    later = BEFORE + timedelta(hours=1)
    adopted = [word(one.found, at=later) for one in report.drifts] + [word(row, at=later) for row in report.unrecorded]
    assert find(now, *as_is(then), *adopted) == Report()

    was = {standing.key: standing for standing in standings.seen(then)}
    is_now = {standing.key: standing for standing in standings.seen(now)}
    told = {one.found.key for one in report.drifts}
    for key, standing in was.items():
        if key in is_now:
            assert (key in told) == (standing.values != is_now[key].values)
        else:
            assert (key in told) == (key[0] is not Subject.PORTS)


@settings(max_examples=EXAMPLES)
@given(PORTS, LABELS)
def test_words_for_ports_and_labels_can_be_read_back(ports: list[PublishedPort], labels: dict[str, str]) -> None:
    assert set(standings.ports_of(standings.ports_text(ports))) == set(ports)
    shown = dict(standings.of_network(make_network(labels=tuple(labels.items()))).values)["Labels"]
    assert dict(standings.pairs_of(shown)) == labels


@given(st.sampled_from(["10.11.0.0/16", "10.0.0.0/24"]), st.sampled_from([None, 1450]), LABELS)
def test_an_ingress_that_was_approved_can_be_asked_for_again(
    subnet: str, mtu: int | None, labels: dict[str, str]
) -> None:
    wanted = make_request(subnet, mtu=mtu, gateway="10.0.0.9", labels=tuple(sorted(labels.items()))).settings
    assert standings.ingress_settings(standings.of_ingress(wanted)) == wanted


OVERLAY = st.builds(
    NetworkSettings,
    name=NAMES,
    subnets=st.lists(
        st.builds(
            IpamConfig,
            subnet=st.sampled_from(["10.0.9.0/24", "10.5.0.0/16"]),
            gateway=st.sampled_from(["", "10.0.9.1"]),
            ip_range=st.sampled_from(["", "10.0.9.128/25"]),
        ),
        max_size=2,
    ).map(tuple),
    mtu=st.sampled_from([None, 1400]),
    attachable=FLAGS,
    internal=FLAGS,
    encrypted=FLAGS,
    labels=LABELS.map(lambda pairs: tuple(sorted(pairs.items()))),
    options=LABELS.map(lambda pairs: tuple(sorted(pairs.items()))),
)


@settings(max_examples=EXAMPLES)
@given(OVERLAY)
def test_an_overlay_that_was_approved_can_be_asked_for_again(wanted: NetworkSettings) -> None:
    assert standings.network_settings(standings.of_settings(wanted)) == wanted


@settings(max_examples=EXAMPLES)
@given(networks())
def test_an_overlay_as_it_is_tells_what_its_settings_tell(network: Network) -> None:
    chosen = network_settings.of_network(network)
    told, seen = dict(standings.of_settings(chosen).values), dict(standings.of_network(network).values)
    assert all(seen[key] == value for key, value in told.items() if key != "MTU" or network.mtu != "abc")


@dataclass(frozen=True, kw_only=True)
class OverlayPlan(Plan):
    """A plan that changes an overlay, as the kinds of overlays are shaped."""

    before: NetworkSettings | None
    after: NetworkSettings | None


def test_plans_of_overlays_say_what_comes_and_what_leaves() -> None:
    old, new = NetworkSettings(name="backend"), NetworkSettings(name="roomy")

    def said(before: NetworkSettings | None, after: NetworkSettings | None) -> list[tuple[str, bool]]:
        plan = OverlayPlan(
            kind="overlay",
            cluster_id="c",
            request=Request(),
            steps=(),
            effects=(),
            keeps_working=(),
            findings=(),
            commands=(),
            expected_seconds=1,
            fingerprint="f",
            before=before,
            after=after,
        )
        return [(standing.name, standing.there) for standing in standings.of_plan(plan)]

    assert said(None, new) == [("roomy", True)]
    assert said(old, new) == [("backend", False), ("roomy", True)]
    assert said(old, old) == [("backend", True)]
    assert said(old, None) == [("backend", False)]
