"""One phase of a move: services given other networks, a few side by side, each followed until its update is over."""

from collections.abc import Callable, Iterable

from overlayweb.domain import attaching, replace_plans
from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.swarm import Mode, Service, SwarmTask
from overlayweb.models import JobService
from overlayweb.workflows import release
from overlayweb.workflows.network_place import Move
from overlayweb.workflows.runner import Context, StepFailedError

State = JobService.State

TIMES_EXPECTED = 3.0
MARGIN_SECONDS = 180.0
_UNDER_WAY = frozenset({"updating", "rollback_started"})
_STOPPED = frozenset({"paused", "rollback_started", "rollback_paused", "rollback_completed"})
"""States in which Swarm does not carry an update of ours on: what it started failed."""
_WROTE = "wrote"


class Moving:
    """Brings every recorded service that is on one of the job's networks onto exactly ``wanted`` (full ids).

    ``stays``: a service of which it is true is not written; its update is waited for all the same.
    """

    def __init__(
        self, context: Context, move: Move, wanted: tuple[str, ...], *, stays: Callable[[Service], bool]
    ) -> None:
        self._context = context
        self._move = move
        self._wanted = wanted
        self._stays = stays
        self._rows = [*context.job.services.all()]

    def run(self) -> str:
        """How many services are there, in words. Raises StepFailedError where Swarm stops an update, or time is up."""
        self._begin()
        limit = self._context.step.expected_seconds * TIMES_EXPECTED + MARGIN_SECONDS
        if waiting := self._context.wait("moved", self._look, seconds=limit, every=0.2):
            raise StepFailedError(f"Not within {limit:.0f} s: {waiting}.")
        moved = sum(row.state == State.RUNNING for row in self._rows)
        return f"{moved} of {len(self._rows)} services"

    def _begin(self) -> None:
        """Each service waits for its turn, once per phase."""
        if "begun" in self._context.step.intent:
            return
        for row in self._rows:
            if row.state != State.GONE:
                self._context.ledger.change_service(row, step=self._context.step, state=State.WAITING)
        self._context.ledger.intend(self._context.step, begun=True)

    def _look(self) -> str:
        """Follow those under way, begin others while there is room; what is waited for, "" when all are there."""
        services = {service.id: service for service in self._context.engine.services()}
        swarm_tasks = self._context.engine.swarm_tasks()
        waiting: list[str] = []
        under_way = sum(row.state == State.STARTING for row in self._rows)
        for row in self._rows:
            service = services.get(row.service_id)
            if row.state in {State.GONE, State.RUNNING} or (service and not self._concerned(service)):
                continue
            if row.state == State.WAITING:
                if under_way < replace_plans.AT_ONCE:
                    self._start(row, service)
                    under_way += row.state == State.STARTING
            elif service is not None:
                self._follow(row, service, swarm_tasks)
            if row.state == State.STARTING:
                waiting.append(f"{row.name} ({row.containers_now} of {row.containers_before})")
        left = sum(row.state == State.WAITING and self._is_listed(row, services) for row in self._rows)
        later = f", then {left} more" if left else ""
        return f"Updating {', '.join(waiting)}{later}" if waiting or left else ""

    def _concerned(self, service: Service) -> bool:
        return bool(self._move.known & {*service.network_ids})

    def _is_listed(self, row: JobService, services: dict[str, Service]) -> bool:
        return row.service_id in services and self._concerned(services[row.service_id])

    def _start(self, row: JobService, service: Service | None) -> None:
        """Give the service its networks, unless it has them, or stays as it is."""
        self._context.pulse()
        step, known, wanted = self._context.step, self._move.known, self._wanted
        if service is None or not (self._has(service) or self._stays(service)):
            wrote = [*step.intent.get(_WROTE, []), row.service_id]
            self._context.ledger.intend(step, **{_WROTE: sorted({*wrote})})
            release.write(self._context, row, lambda spec: attaching.moved(spec, known=known, wanted=wanted))
        if row.state != State.GONE:
            said = f"{row.name} is being updated" if self._is_ours(row) else ""
            self._context.ledger.change_service(row, step=step, message=said, state=State.STARTING)

    def _follow(self, row: JobService, service: Service, swarm_tasks: Iterable[SwarmTask]) -> None:
        """See how far its update is. Raises StepFailedError where Swarm stopped or undid it."""
        ours = self._is_ours(row)
        if ours and (service.update_state in _STOPPED or not self._has(service)):
            why = service.update_message or f"its networks are others than those written, {service.update_state}"
            raise StepFailedError(f"The update of {row.name} did not come to its end: {why}.")
        own = [t for t in swarm_tasks if t.service_id == service.id]
        running = [t for t in own if t.state == "running" and t.desired_state == "running"]
        right = [t for t in running if self._is_right(t)]
        # On the way back a service that needs no update is left as it is, however weak.
        left_alone = not ours and self._context.current_pass is not Pass.FORWARD
        over = service.update_state not in _UNDER_WAY and len(right) == len(running) >= _needed(row, service)
        if left_alone or (over and not any(self._lingers(t) for t in own)):
            said = f"{row.name}: {len(right)} of {row.containers_before} containers have their networks"
            self._context.ledger.change_service(
                row,
                step=self._context.step,
                message="" if left_alone else said,
                state=State.RUNNING,
                containers_now=len(running) if left_alone else len(right),
            )
        elif len(right) != row.containers_now:
            self._context.ledger.change_service(row, step=self._context.step, containers_now=len(right))

    def _is_ours(self, row: JobService) -> bool:
        """Whether this phase wrote the service, or was about to."""
        return row.service_id in self._context.step.intent.get(_WROTE, [])

    def _has(self, service: Service) -> bool:
        return {*service.network_ids} & self._move.known == {*self._wanted}

    def _is_right(self, swarm_task: SwarmTask) -> bool:
        return {*swarm_task.network_ids} & self._move.known >= {*self._wanted} and not self._lingers(swarm_task)

    def _lingers(self, swarm_task: SwarmTask) -> bool:
        """Whether it may be on a network of the job that its service is off."""
        return swarm_task.may_be_on(*self._move.known - {*self._wanted})


def _needed(row: JobService, service: Service) -> int:
    """As many containers as ran before, unless somebody scaled the service down meanwhile."""
    return min(row.containers_before, service.replicas) if service.mode is Mode.REPLICATED else row.containers_before
