"""Repair a wedged routing mesh: all that the API can do, and a person's restarts of engines in between.

A node that holds an ingress which the Swarm has removed lets go of it in one way only: its engine is restarted. So
the job names the node and the command, gives itself back, and looks again every few seconds until the node no longer
holds it; nobody has to say so. Then it takes away an ingress that Swarm cannot use, or all where there are several,
makes the one that is missing, gives services back what they lost, and verifies. A node that does not join in the end is
named in the same way.

Ways back: until an ingress is removed or made nothing is lost by putting back what was written (PUT_BACK); after that
the way back is the same as the way forward (RESTORE).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn

from overlayweb.domain import mesh, repair_plans
from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.mesh import NodeMesh, Presence
from overlayweb.domain.plans import Effect, IngressPlan, NodeRestart, Plan, PlannedStep, Strategy
from overlayweb.domain.swarm import Node, Service, Swarm
from overlayweb.domain.wording import counted
from overlayweb.engine.errors import NotAManager
from overlayweb.models import Cluster, JobService
from overlayweb.workflows import approved, ingress_network, ingress_rebuild, peers, problems, release, snapshots
from overlayweb.workflows.runner import Context, NotYetError, OperatorNeededError, StepFailedError
from overlayweb.workflows.strength import Strength

VIEW_AGE = timedelta(seconds=30)
"""What a node's own engine showed longer ago says nothing about a restart."""
PLANNED_AGE = timedelta(seconds=90)
"""What is to be mended was planned and approved by views of at most this age; nobody has restarted anything since."""
READY_SECONDS = 60.0
SETTLE_SECONDS = 20.0
"""So long services may come up by themselves before those that hang in NEW are published again."""
JOIN_SECONDS = 90.0
"""So long nodes may take to show as peers: after a restart some gossip again only after a minute. [lab]"""

State = JobService.State
_ASKED, _LEADER = "asked ", "leader"
"""Keys of what a step has noted: the nodes that were named, and how the nodes were registered when the leader was."""


class MeshRepair:
    """The workflow, as the runner knows it."""

    kind = repair_plans.KIND

    def steps(self, current_pass: Pass, plan: Plan) -> tuple[PlannedStep, ...]:
        """The plan's own steps forward; on the way back those that end with a working ingress, or put specs back."""
        if current_pass is Pass.FORWARD:
            return plan.steps
        takes_off = any(step.name == "remove" for step in plan.steps)
        if current_pass is Pass.PUT_BACK:
            wanted = [*(["bring-back"] if takes_off else []), "put-back"]
        else:
            wanted = [*(["remove"] if takes_off else []), "create", "publish", "verify"]
        return tuple(PlannedStep(name=name, title=_BACK_TITLES[name], expected_seconds=5.0) for name in wanted)

    def run(self, name: str, context: Context) -> str:
        """Run one of the steps, named in the plan."""
        if name.startswith(repair_plans.RESTART_STEP):
            number = int(name.removeprefix(repair_plans.RESTART_STEP))
            restarts = ingress_network.plan_of(context).restarts
            return restart(context, restarts[number - 1], last=number == len(restarts))
        return _STEPS[name](context)

    def way_back(self, context: Context) -> Pass | None:
        """By what was written. Restarts of engines are nothing that could be put back."""
        if context.job.point_passed:
            return Pass.RESTORE
        return Pass.PUT_BACK if any(map(release.was_touched, context.job.services.all())) else None

    def turning(self, way: Pass) -> str:
        """What is said when the job turns back that way."""
        return "Putting every service back" if way is Pass.PUT_BACK else "Making the ingress whole"

    def outcome(self, current_pass: Pass, plan: Plan) -> str:
        """How a pass that came to its end has left the cluster."""
        if current_pass is Pass.PUT_BACK:
            return "Every service has the spec that it had before"
        return f"The routing mesh is whole: one ingress {IngressPlan.of(plan).after.subnet} on every ready node"


def check(context: Context) -> str:
    """Recompute the plan under the lock: it must be what was approved, and something must be wrong still."""
    swarm = sight(context, oldest=PLANNED_AGE)
    approved.hold(context, swarm)
    return " ".join(finding.message for finding in mesh.recognise(swarm).findings)


def record(context: Context) -> str:
    """Save every affected service whole, before anything changes."""
    if not context.job.services.exists():
        swarm = context.engine.observe()
        context.ledger.intend(context.step, registered={node.id: _registered(node) for node in swarm.nodes})
        by_id = {service.id: service for service in swarm.services}
        rows = [_snapshot(context, swarm, by_id.get(e.service_id), e) for e in context.plan.effects]
        context.ledger.record(
            rows, step=context.step, message=f"{counted(len(rows), 'service')} saved before anything changes"
        )
    return counted(context.job.services.count(), "service")


def restart(context: Context, wanted: NodeRestart, *, last: bool) -> str:
    """Name the node and the command, and wait until its engine was restarted, however long that takes."""
    swarm = _patient_sight(context)
    if swarm is not None and wanted.node_id not in {node.id for node in swarm.nodes}:
        return f"{wanted.hostname} is no longer in the Swarm"
    if swarm is None or not _is_back(wanted, swarm, recorded=_recorded(context)):
        _ask(context, wanted)
        _look_again(context, f"Waiting for {wanted.hostname}: run `{wanted.command}` there ({wanted.address})")
    if last:
        context.wait("nodes", lambda: _not_ready(context), seconds=READY_SECONDS, every=0.5)
    context.ledger.announce(
        "restarted",
        f"{wanted.hostname} is back",
        step=context.step,
        subject=wanted.hostname,
        data={"node_id": wanted.node_id, "hostname": wanted.hostname},
    )
    return f"{wanted.hostname} is back"


def create(context: Context) -> str:
    """Make the ingress that is missing. From here on the repair is finished, not taken back."""
    if not context.job.point_passed:
        context.ledger.pass_point_of_no_return(context.step, "the ingress network is made next")
    said = ingress_rebuild.create(context)
    peers.nudge(context)
    return said


def publish(context: Context) -> str:
    """Give services back what they lost; publish again what hangs in NEW; wait until all are at full strength."""
    rows = list(context.job.services.all())
    for row in rows:
        if row.state in {State.GONE, State.STARTING, State.RUNNING}:
            continue
        context.pulse()
        if _has_to_be_written(row):
            release.write(context, row, release.on_ingress(row))
        if row.state != State.GONE:
            context.ledger.change_service(row, step=context.step, state=State.STARTING, containers_now=0)
    look = Strength(context, rows)
    context.wait("settle", look, seconds=SETTLE_SECONDS, every=0.4)
    _publish_waiting(context, rows)
    limit = context.step.expected_seconds * 2 + ingress_rebuild.PUBLISH_MARGIN_SECONDS
    waiting = context.wait("strength", look, seconds=limit, every=0.4)
    return ingress_rebuild.waited_for_late(context, rows, look, waiting)


def verify(context: Context) -> str:
    """Restore every spec that was written, then hold the cluster against what was planned.

    A node that does not join is named with its command, and waited for as in the restarts before; then the leader,
    if containers still do not come to those nodes.
    """
    rows = list(context.job.services.all())
    for row in rows:
        if release.was_touched(row) and row.state != State.GONE:
            context.pulse()
            release.write(context, row, lambda spec: spec)
    context.wait("peers", lambda: _not_joined(context), seconds=JOIN_SECONDS, every=0.5)
    away = _away(context)
    for node in away:
        _ask(context, repair_plans.restart_of(node))
    if away:
        _look_again(context, f"Waiting for {', '.join(f'{n.hostname} ({n.address})' for n in away)} to join")
    if _leader_is_asked(context) or context.wait("strength", Strength(context, rows), seconds=30.0):
        _restart_leader(context)
        context.wait("strength after all", Strength(context, rows), seconds=READY_SECONDS)
    peers.take_nudges_off(context)
    wrong = [*problems.of_ingress(context), *problems.of_services(context, [r for r in rows if r.state != State.GONE])]
    if wrong:
        raise OperatorNeededError([*wrong, *_leader_once_more(context)])
    return f"One ingress on every ready node; {len(rows)} services at full strength"


def _restart_leader(context: Context) -> None:
    """Where nodes had to be restarted that no sign had shown to the plan, ask for the leader as the plan would have."""
    asked = [key for key in context.step.intent if key.startswith(_ASKED)]
    planned = any(wanted.leader for wanted in ingress_network.plan_of(context).restarts)
    if not asked or planned:
        return
    swarm = _patient_sight(context)
    leader = next((node for node in mesh.recognise(swarm).nodes if node.leader), None) if swarm else None
    if swarm is None or leader is None:
        _look_again(context, "Waiting for the leader to answer")
    wanted = repair_plans.restart_of_leader(leader)
    if not _leader_is_asked(context):
        context.ledger.intend(context.step, **{_LEADER: {node.id: _registered(node) for node in swarm.nodes}})
        _ask(context, wanted)
    if not _is_back(wanted, swarm, recorded=context.step.intent[_LEADER]):
        _look_again(context, f"Waiting for {wanted.hostname}: run `{wanted.command}` there ({wanted.address})")


def _leader_is_asked(context: Context) -> bool:
    return _LEADER in context.step.intent


def _leader_once_more(context: Context) -> list[str]:
    """What may still heal services that hang although every node has the ingress."""
    leaders = [wanted for wanted in ingress_network.plan_of(context).restarts if wanted.leader]
    return [
        f"If containers hang there, run `{wanted.command}` on the leader {wanted.hostname} ({wanted.address}), then "
        "continue."
        for wanted in leaders
    ]


def put_back(context: Context) -> str:
    """Give every service that was written the spec that it had when the job began, but for ports that Swarm chose.

    Those of services that were taken off stay written out: taking the numbers out again restarts their containers.
    """
    rows = [row for row in context.job.services.all() if release.was_touched(row)]
    for row in rows:
        if row.strategy == Strategy.AUTOMATIC and row.target != row.original and not row.edited:
            context.ledger.change_service(row, step=context.step, target=row.original)
        if row.state != State.GONE:
            release.write(context, row, lambda spec: spec)
    peers.take_nudges_off(context)
    return f"{len(rows)} of {len(rows)}"


def sight(context: Context, *, oldest: timedelta = VIEW_AGE) -> Swarm:
    """The Swarm now, with what the nodes' own engines showed in the latest look, unless that is older."""
    swarm = context.engine.observe()
    latest = Cluster.objects.get(pk=context.job.cluster_id).swarm()
    views = latest.node_views if latest else ()
    recent = tuple(view for view in views if context.now() - view.observed_at < oldest)
    return replace(swarm, node_views=recent)


def _patient_sight(context: Context) -> Swarm | None:
    """The Swarm now; None while the manager itself is starting."""
    try:
        swarm = sight(context)
    except NotAManager:  # what a manager that has just been started may answer
        return None
    if context.step.intent.get("troubled_since"):
        context.ledger.intend(context.step, troubled_since=0, tries=0)  # the patience of each trouble is its own
    return swarm


def _recorded(context: Context) -> dict[str, str]:
    """How each node was registered when the job began, by its id."""
    found: dict[str, str] = context.job.steps.get(name="record").intent.get("registered", {})
    return found


def _is_back(wanted: NodeRestart, swarm: Swarm, *, recorded: dict[str, str]) -> bool:
    """Whether the node is ready and holds no removed ingress; the leader has to have registered anew, too.

    A restart too quick for the managers to miss the node shows all the same: it is no peer of the removed ingress any
    more, and its record has changed.
    """
    seen = next(node for node in mesh.recognise(swarm).nodes if node.node_id == wanted.node_id)
    if seen.stale or not seen.ready:
        return False
    now = {node.id: _registered(node) for node in swarm.nodes}
    return not wanted.leader or recorded.get(wanted.node_id) != now[wanted.node_id]


def _registered(node: Node) -> str:
    return node.updated_at.isoformat() if node.updated_at else ""


def _ask(context: Context, wanted: NodeRestart) -> None:
    """Say once which engine has to be restarted, and how."""
    key = f"{_ASKED}{wanted.node_id}"
    if context.step.intent.get(key):
        return
    context.ledger.announce(
        "restart",
        f"On {wanted.hostname} ({wanted.address}) run `{wanted.command}`. {wanted.why}",
        step=context.step,
        subject=wanted.hostname,
        data={
            "node_id": wanted.node_id,
            "hostname": wanted.hostname,
            "address": wanted.address,
            "command": wanted.command,
        },
        **{key: True},
    )


def _look_again(context: Context, waiting_for: str) -> NoReturn:
    """Give the job back; the sweep rings every few seconds."""
    context.ledger.progress(context.step, waiting_for)
    context.pulse()
    raise NotYetError(waiting_for)


def _not_ready(context: Context) -> str:
    """Nodes that register anew after the leader's restart, in words."""
    away = [node.hostname for node in context.engine.nodes() if not node.ready]
    return f"Waiting for {', '.join(sorted(away))} to register again" if away else ""


def _away(context: Context) -> list[NodeMesh]:
    """Ready nodes that do not have the ingress."""
    found = mesh.recognise(sight(context))
    return [node for node in found.nodes if node.ready and node.presence is not Presence.PRESENT]


def _not_joined(context: Context) -> str:
    away = _away(context)
    if not away:
        return ""
    peers.nudge_again(context, ingress_network.current_ids(context))
    return "Waiting for the ingress on " + ", ".join(node.hostname for node in away)


def _has_to_be_written(row: JobService) -> bool:
    """Taken off by this job, touched before, or without the ports that it had."""
    return row.strategy != Strategy.AUTOMATIC or release.was_touched(row) or row.target != row.original


def _publish_waiting(context: Context, rows: list[JobService]) -> None:
    """Services that hang in NEW are looked at again by Swarm at their next update only."""
    waiting = mesh.recognise(context.engine.observe()).waiting
    for row in rows:
        if row.service_id in waiting and row.state == State.STARTING:
            context.pulse()
            release.write(context, row, release.on_ingress(row))


def _snapshot(context: Context, swarm: Swarm, service: Service | None, effect: Effect) -> JobService:
    if service is None or service.spec.digest != effect.spec_digest:
        raise StepFailedError(f"{effect.service_name} changed since the plan was checked. Plan again.")
    lost = bool(mesh.lost_ports(service)) and service.previous_spec is not None
    target = service.previous_spec if lost else (service.spec if effect.strategy is Strategy.AUTOMATIC else None)
    return snapshots.of_service(context, swarm, service, effect, target=target, containers=effect.containers)


_STEPS: dict[str, Callable[[Context], str]] = {
    "check": check,
    "record": record,
    "release": ingress_rebuild.take_off,
    "drain": ingress_rebuild.drain,
    "remove": ingress_rebuild.remove,
    "create": create,
    "publish": publish,
    "verify": verify,
    "bring-back": ingress_rebuild.publish,
    "put-back": put_back,
}
_BACK_TITLES = {
    "bring-back": "Bring services back",
    "put-back": "Put back what was written",
    "remove": "Remove what does not work",
    "create": "Create the ingress",
    "publish": "Bring services back",
    "verify": "Verify and restore settings",
}
