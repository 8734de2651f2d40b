"""How long a service is dark: each number from its source, and the terms add up."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overlayweb.domain import estimates
from overlayweb.domain.estimates import Measured, Outage, Pace, ServiceHistory, Timings
from overlayweb.domain.plans import Strategy, Term
from overlayweb.domain.swarm import Service, Swarm, SwarmTask
from tests.domain.builders import NOW, make_port, make_service, make_swarm, make_swarm_task
from tests.domain.examples import EXAMPLES

ROUND = Timings(
    stop_overhead=Measured(4.0, "measured on this cluster, 3 rebuilds"),
    remove=Measured(1.0),
    create=Measured(2.0),
    start=Measured(3.0),
    latency=Measured(0.1, "measured"),
)


def _pace(service: Service, *swarm_tasks: SwarmTask, history: tuple[ServiceHistory, ...] = ()) -> Pace:
    swarm = make_swarm(services=[service], swarm_tasks=swarm_tasks)
    return estimates.paces(swarm=swarm, services=[service], timings=ROUND, history=history)[service.id]


def _ended(service: Service, exit_code: int | None, **changes: object) -> SwarmTask:
    return make_swarm_task(
        service, 9, **{"state": "shutdown", "desired_state": "shutdown", "exit_code": exit_code, **changes}
    )


def _started(service: Service, number: int, seconds: float) -> SwarmTask:
    return make_swarm_task(service, number, created_at=NOW, state_at=NOW + timedelta(seconds=seconds))


def test_without_evidence_the_stop_grace_is_assumed() -> None:
    pace = _pace(make_service(stop_grace_seconds=25.0))
    assert [(t.label, t.seconds) for t in pace.stop] == [("Containers stop", 25.0), ("Swarm lets go", 4.0)]
    assert "assumed" in pace.stop[0].source
    assert pace.stop[1].source == "measured on this cluster, 3 rebuilds"


@pytest.mark.parametrize(("exit_code", "seconds"), [(137, 25.0), (0, 1.7), (143, 1.7), (1, 25.0), (None, 25.0)])
def test_exit_codes_of_earlier_containers(exit_code: int | None, seconds: float) -> None:
    service = make_service(stop_grace_seconds=25.0)
    assert _pace(service, _ended(service, exit_code)).stop[0].seconds == seconds


def test_one_killed_container_is_enough() -> None:
    service = make_service()
    pace = _pace(service, _ended(service, 0), _ended(service, 137), _ended(service, 143))
    assert pace.stop[0].seconds == 10.0
    assert "137" in pace.stop[0].source


def test_exit_codes_win_over_an_init_process_and_it_over_nothing() -> None:
    service = make_service(init=True)
    assert _pace(service).stop[0].seconds == 1.7
    assert _pace(service, _ended(service, 137)).stop[0].seconds == 10.0


@pytest.mark.parametrize("changes", [{"container_id": ""}, {"state": "failed"}, {"state": "running"}])
def test_tasks_that_were_not_stopped_prove_nothing(changes: dict[str, object]) -> None:
    service = make_service()
    assert "assumed" in _pace(service, _ended(service, 0, **changes)).stop[0].source


def test_a_short_grace_bounds_a_quick_stop() -> None:
    service = make_service(init=True, stop_grace_seconds=0.0)
    assert _pace(service).stop[0].seconds == 0.0


def test_earlier_jobs_win_over_everything() -> None:
    service = make_service(init=True)
    history = (
        ServiceHistory(service_id=service.id, drain_seconds=(6.0, 7.5)),
        ServiceHistory(service_id="another", drain_seconds=(99.0,)),
    )
    pace = _pace(service, _ended(service, 137), history=history)
    assert [(t.label, t.seconds, t.source) for t in pace.stop] == [
        ("Containers stop", 7.5, "longest of 2 earlier jobs")
    ]
    assert _pace(service, history=(ServiceHistory(service_id=service.id, drain_seconds=()),)).stop[0].seconds == 1.7


def test_the_start_is_the_median_of_running_tasks() -> None:
    service = make_service()
    pace = _pace(service, _started(service, 1, 2.0), _started(service, 2, 30.0), _started(service, 3, 4.0))
    assert (pace.start.seconds, pace.start.source) == (4.0, "median of 3 running")


def test_starts_that_say_nothing_are_left_out_and_long_ones_cut() -> None:
    service = make_service()
    unknown = make_swarm_task(service, 1, created_at=None)
    backwards = _started(service, 2, -5.0)
    assert _pace(service, unknown, backwards).start.seconds == 3.0
    assert _pace(service, _started(service, 1, 9000.0)).start.seconds == 120.0


def _outages(service: Service, *, count: int = 1) -> tuple[Outage, Outage]:
    swarm = make_swarm(services=[service], swarm_tasks=())
    return estimates.outages(pace=_pace(service), count=count, swarm=swarm, timings=ROUND)


def test_stop_is_one_stop_and_one_start() -> None:
    _, stop = _outages(make_service(network_ids=("id-backend",)))
    # 10 stop + 4 overhead + 1 remove + 2 create + 4 answers of 0.1 + 3 start
    assert (stop.dark_seconds, stop.network_dark_seconds, stop.restarts) == (20.4, 20.4, 1)


def test_unpublish_is_two_stops_and_two_starts_on_other_networks_and_two_stops_on_the_ports() -> None:
    unpublish, _ = _outages(make_service(network_ids=("id-backend",)))
    # 10 + 4 + 1 + 2 + 0.4, then 10 + 4 + 3 again; others: 2 x (10 + 4 + 3)
    assert (unpublish.dark_seconds, unpublish.network_dark_seconds, unpublish.restarts) == (34.4, 34.0, 2)


def test_each_further_service_costs_one_answer() -> None:
    assert _outages(make_service(), count=11)[1].dark_seconds == 21.4


def test_only_services_on_other_networks_or_host_ports_are_dark_there() -> None:
    assert [outage.network_dark_seconds for outage in _outages(make_service())] == [0.0, 0.0]
    host = make_service(published=(8080, make_port(9000, mode="host")))
    assert all(outage.network_dark_seconds > 0 for outage in _outages(host))


def _outage(strategy: Strategy, seconds: float) -> Outage:
    return Outage(
        strategy=strategy, restarts=1, terms=(Term(label="", seconds=seconds, source=""),), network_dark_seconds=0
    )


@pytest.mark.parametrize(
    ("unpublish", "stop", "expected"),
    [(10.0, 20.0, Strategy.UNPUBLISH), (20.0, 10.0, Strategy.STOP), (10.0, 10.0, Strategy.STOP)],
)
def test_automatic_takes_the_shorter_and_stop_on_a_tie(unpublish: float, stop: float, expected: Strategy) -> None:
    taken, why = estimates.choose(
        wanted=Strategy.AUTOMATIC,
        unpublish=_outage(Strategy.UNPUBLISH, unpublish),
        stop=_outage(Strategy.STOP, stop),
    )
    assert taken.strategy is expected
    assert "10.0 s" in why


@pytest.mark.parametrize("wanted", [Strategy.UNPUBLISH, Strategy.STOP])
def test_a_person_s_choice_holds_and_the_other_is_named(wanted: Strategy) -> None:
    taken, why = estimates.choose(
        wanted=wanted, unpublish=_outage(Strategy.UNPUBLISH, 20), stop=_outage(Strategy.STOP, 10)
    )
    assert taken.strategy is wanted
    assert why.startswith("Chosen by hand")
    assert "20.0 s" in why
    assert "10.0 s" in why
    assert "other networks" not in why


def test_where_other_networks_are_dark_too_both_ways_say_for_how_long() -> None:
    unpublish, stop = _outages(make_service(stop_grace_seconds=10.0, network_ids=("n",)))
    _, why = estimates.choose(wanted=Strategy.UNPUBLISH, unpublish=unpublish, stop=stop)
    for outage in (unpublish, stop):
        assert f"{outage.dark_seconds:.1f} s, other networks {outage.network_dark_seconds:.1f} s" in why


seconds = st.floats(0, 600, allow_nan=False)


@given(grace=seconds, drains=st.lists(seconds, max_size=3), start=seconds, latency=seconds, count=st.integers(1, 2000))
@settings(max_examples=EXAMPLES)
def test_stop_is_never_longer_and_terms_always_add_up(
    grace: float, drains: list[float], start: float, latency: float, count: int
) -> None:
    service = make_service(stop_grace_seconds=grace, network_ids=("n",))
    swarm: Swarm = make_swarm(services=[service], swarm_tasks=(_started(service, 1, start),), latency_seconds=latency)
    history = (ServiceHistory(service_id=service.id, drain_seconds=tuple(drains)),)
    pace = estimates.paces(swarm=swarm, services=[service], timings=Timings(), history=history)[service.id]
    unpublish, stop = estimates.outages(pace=pace, count=count, swarm=swarm, timings=Timings())
    for outage in (unpublish, stop):
        assert outage.dark_seconds == pytest.approx(sum(term.seconds for term in outage.terms), abs=0.01)
        assert all(term.seconds >= 0 and term.source for term in outage.terms)
    assert stop.dark_seconds <= unpublish.dark_seconds
