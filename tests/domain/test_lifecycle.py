"""The tables of statuses: nothing unreachable, no dead end, and what people may ask when."""

from itertools import product

import pytest

from overlayweb.domain import lifecycle
from overlayweb.domain.lifecycle import (
    CHANGE_TRANSITIONS,
    ENDED,
    HOLDS_CLUSTER,
    JOB_TRANSITIONS,
    ChangeStatus,
    JobEvent,
    JobStatus,
    Pass,
)


def reachable(start: str, moves: set[tuple[str, str]]) -> set[str]:
    found, grown = {start}, True
    while grown:
        new = {after for before, after in moves if before in found} - found
        found, grown = found | new, bool(new)
    return found


def test_every_status_can_be_reached_and_none_but_an_ending_is_a_dead_end() -> None:
    jobs = {(str(before), str(after)) for (before, _), after in JOB_TRANSITIONS.items()}
    changes = {(str(before), str(after)) for (before, _), after in CHANGE_TRANSITIONS.items()}
    assert reachable(JobStatus.PENDING, jobs) == set(JobStatus)
    assert reachable(ChangeStatus.PENDING, changes) == set(ChangeStatus)
    for status in JobStatus:
        leads_on = any(before is status for before, _ in JOB_TRANSITIONS)
        assert leads_on is (status not in ENDED)


@pytest.mark.parametrize(("status", "event"), list(product(JobStatus, JobEvent)))
def test_what_the_table_does_not_have_is_refused(status: JobStatus, event: JobEvent) -> None:
    if (status, event) in JOB_TRANSITIONS:
        assert lifecycle.job_after(status, event) is JOB_TRANSITIONS[status, event]
    else:
        with pytest.raises(lifecycle.InvalidTransitionError):
            lifecycle.job_after(status, event)


@pytest.mark.parametrize(("status", "way", "passed"), list(product(JobStatus, Pass, [False, True])))
def test_a_person_has_at_most_one_way_out_and_it_fits(*, status: JobStatus, way: Pass, passed: bool) -> None:
    cancel = lifecycle.may_cancel(status=status, current_pass=way, point_passed=passed)
    restore = lifecycle.may_restore(status=status, current_pass=way, point_passed=passed)
    assert not (cancel and restore)
    assert not cancel or not passed
    assert not restore or passed
    if status is JobStatus.RUNNING and way is Pass.FORWARD:
        assert cancel or restore


def test_a_job_that_waits_for_a_person_still_holds_its_cluster() -> None:
    assert {JobStatus.RUNNING, JobStatus.NEEDS_OPERATOR} == HOLDS_CLUSTER
