"""The ingress network of a rebuild: which one is there, whose it is, and making and removing it."""

import ipaddress

from overlayweb.domain import repair_plans, specs
from overlayweb.domain.ingress_settings import JOB_LABEL
from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.plans import IngressPlan, IngressSettings
from overlayweb.domain.swarm import Network
from overlayweb.engine.errors import AlreadyExists, NotFound, Refused
from overlayweb.workflows.runner import Context, OperatorNeededError, StepFailedError

REMOVE_SECONDS = 60.0
CREATE_CONFLICT_SECONDS = 60.0


def plan_of(context: Context) -> IngressPlan:
    """The plan of a job about the ingress."""
    return IngressPlan.of(context.plan)


def aims_forward(context: Context) -> bool:
    """Whether this pass makes what the plan wants. Each of a repair does: what it found does not work."""
    return context.current_pass is Pass.FORWARD or context.plan.kind == repair_plans.KIND


def target_settings(context: Context) -> IngressSettings:
    """What the ingress shall be in this pass."""
    return plan_of(context).after if aims_forward(context) else plan_of(context).before


def existing(context: Context) -> list[Network]:
    """Every ingress network of the Swarm: one, if all is well. By its flag, never by its name.

    One that the Swarm has removed and the manager's node still holds is in the list, and is none of them.
    """
    listed = [network for network in context.engine.networks() if network.ingress and network.scope == "swarm"]
    return [network for network in listed if not network.allocated or context.engine.is_registered(network.id)]


def current_ids(context: Context) -> tuple[str, ...]:
    """The full ids of the ingress networks: one, if all is well, and () when there is none."""
    return tuple(network.id for network in existing(context))


def to_remove(context: Context) -> list[Network]:
    """What has to go in this pass and is there still, in order. Raises StepFailedError for one not ours to remove."""
    planned = plan_of(context).ingress_ids
    found = existing(context)
    old = sorted((n for n in found if n.id in planned), key=lambda n: planned.index(n.id))
    made = [n for n in found if _is_made(context, n, Pass.FORWARD)]
    restored = [n for n in found if _is_made(context, n, Pass.RESTORE)]
    strange = [n for n in found if n not in (*old, *made, *restored)]
    if not strange:
        return old if aims_forward(context) else made
    named = f"{strange[0].name} {subnet_of(strange[0])} (id {strange[0].id[:12]})"
    if context.ledger.job().point_passed or context.current_pass is not Pass.FORWARD:
        what = "Remove it by its id and continue, or keep it and close the job."
        raise StepFailedError(f"The ingress {named} was made by somebody else. {what}")
    raise StepFailedError(f"Somebody made the ingress {named} meanwhile. Plan again.")


def refuse_while_used(context: Context, networks: list[Network]) -> None:
    """The engine looks at specs only; what wedges a cluster is a container that is still attached."""
    ids = [network.id for network in networks]
    nodes = [t.node_id for t in context.engine.swarm_tasks() if t.may_be_on(*ids)]
    if waiting := still_on(context, nodes):
        raise StepFailedError(f"Containers came back onto the ingress. {waiting}.")
    refuse_published(context)


def refuse_published(context: Context) -> None:
    """Raises StepFailedError while services publish through an ingress that they have all been taken off."""
    names = sorted(s.name for s in context.engine.services() if specs.publishes_through_ingress(s.spec))
    if names:
        forward = context.current_pass is Pass.FORWARD
        what = "Plan again." if forward else "Take the ports off it and continue, or close the job."
        raise StepFailedError(f"Somebody published {', '.join(names)} through the ingress meanwhile. {what}")


def still_there(context: Context, network: Network) -> str:
    """Who still holds the removed network, in words; "" when this manager has let go of it."""
    if any(other.id == network.id for other in context.engine.networks()):
        return f"{network.name} is still listed"
    return f"The manager's node still holds {network.name}" if context.engine.network(network.id) else ""


def created(context: Context, settings: IngressSettings) -> Network:
    """The ingress that this job made in this pass: found by its label, or made now."""
    made: list[Network] = []

    def attempt() -> str:
        if _take_listed(context, made):
            return ""
        labels = {JOB_LABEL: _mark(context, _target(context))}
        context.ledger.intend(context.step, create=settings.subnet)
        try:
            context.engine.create_ingress(settings=settings, labels=labels)
        except AlreadyExists:
            _refuse_taken_name(context, settings.name)
            return "The manager's node still lets go of the old ingress"
        except Refused as error:
            raise StepFailedError(f"The engine refuses to create the ingress: {error}") from error
        return "" if _take_listed(context, made) else "The new ingress is not listed yet"

    tried = context.step.intent.get("unallocated", 0)
    waiting = context.wait(f"create {tried}", attempt, seconds=CREATE_CONFLICT_SECONDS, every=0.1)
    if waiting:
        raise StepFailedError(f"No ingress could be made within {CREATE_CONFLICT_SECONDS:.0f} s: {waiting}.")
    return made[0]


def unallocated(context: Context, network: Network) -> str:
    """ "" once Swarm has given the network its driver and addresses. The list tells; inspecting may answer 404."""
    found = next((other for other in existing(context) if other.id == network.id), None)
    return "" if found and found.allocated else "The new ingress is not allocated"


def overlapping(context: Context, subnet: str) -> list[str]:
    """Other overlays whose addresses overlap the subnet, as "name (subnet)"."""
    wanted = ipaddress.ip_network(subnet)
    return [
        f"{network.name} ({block.subnet})"
        for network in context.engine.networks()
        if network.scope == "swarm" and not network.ingress
        for block in network.ipam
        if wanted.overlaps(ipaddress.ip_network(block.subnet))
    ]


def remove_again(context: Context, network: Network) -> None:
    """Remove an ingress that was never allocated, and wait until it is gone."""
    context.ledger.intend(context.step, remove=network.id)
    try:
        context.engine.remove_network(network.id)
    except NotFound:
        return
    context.wait(f"gone {network.id}", lambda: still_there(context, network), seconds=REMOVE_SECONDS, every=0.1)


def still_on(context: Context, node_ids: list[str]) -> str:
    """In words, on which nodes containers are still attached, from one node id for each; "" when there are none."""
    if not node_ids:
        return ""
    names = {node.id: node.hostname for node in context.engine.nodes()}
    counted = sorted((names.get(node_id, node_id), node_ids.count(node_id)) for node_id in set(node_ids))
    return "Waiting for " + ", ".join(f"{name} ({containers(count)})" for name, count in counted)


def containers(count: int) -> str:
    """ "1 container", "3 containers"."""
    return "1 container" if count == 1 else f"{count} containers"


def subnet_of(network: Network) -> str:
    """Its first subnet, for people."""
    return network.ipam[0].subnet if network.ipam else "(no subnet)"


def any_of_ours(context: Context, found: list[Network]) -> bool:
    """Whether this job made one of them on its way forward."""
    return any(_is_made(context, network, Pass.FORWARD) for network in found)


def _target(context: Context) -> Pass:
    return Pass.FORWARD if aims_forward(context) else Pass.RESTORE


def _is_made(context: Context, network: Network, way: Pass) -> bool:
    """Whether this job made it, aiming that way."""
    return (JOB_LABEL, _mark(context, way)) in network.labels


def _mark(context: Context, way: Pass) -> str:
    return f"{context.job.pk}" if way is Pass.FORWARD else f"{context.job.pk}-restored"


def _take_listed(context: Context, made: list[Network]) -> bool:
    """Whether an ingress is listed; it is put into ``made`` when it may be taken for this job's own."""
    found = existing(context)
    if found:
        made.append(_adopted(context, found))
    return bool(found)


def _refuse_taken_name(context: Context, name: str) -> None:
    taken = [n for n in context.engine.networks() if n.name == name and n.scope == "swarm" and not n.ingress]
    if taken:
        raise StepFailedError(f"Somebody made another network named {name} meanwhile.")


def _adopted(context: Context, found: list[Network]) -> Network:
    if len(found) > 1:
        ids = ", ".join(network.id for network in found if not _is_made(context, network, _target(context)))
        raise OperatorNeededError([f"Somebody else made another ingress. Remove it by its id, {ids}, then continue."])
    network = found[0]
    if _is_made(context, network, _target(context)) or network.id == plan_of(context).ingress_id:
        return network
    raise StepFailedError(f"Somebody else made the ingress {network.name} {subnet_of(network)} meanwhile.")
