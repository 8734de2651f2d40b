"""The networks of a job about one: which are there, whose they are, and making and removing them.

A network is told by its id or by the label of the job that made it, never by its name.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from overlayweb.domain import standalone, subnets
from overlayweb.domain.ingress_settings import JOB_LABEL
from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.network_plans import NetworkPlan
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.standalone import Standalone
from overlayweb.domain.swarm import Network
from overlayweb.domain.wording import counted
from overlayweb.engine.errors import AlreadyExists, NotFound, Refused
from overlayweb.models import Event
from overlayweb.workflows.runner import Context, OperatorNeededError, StepFailedError

ALLOCATED_WITHIN = 10.0
NAME_FREE_WITHIN = 60.0
GONE_WITHIN = 60.0
LEFT_WITHIN = 120.0


def plan_of(context: Context) -> NetworkPlan:
    """The plan of a job about one network."""
    return NetworkPlan.of(context.plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The networks as they are now: the replaced one, and the first and second that the job makes; None: not there."""

    old: Network | None
    first: Network | None
    second: Network | None
    ids: frozenset[str]

    def move(self, context: Context, number: int) -> "Move":
        """The networks of the ``number``-th move of this pass."""
        if context.current_pass is Pass.PUT_BACK:
            return Move(source=self.first, target=self.old, known=self.ids)
        if context.current_pass is Pass.RESTORE:
            return Move(source=self.second, target=self.first, known=self.ids)
        if number == 1:
            return Move(source=self.old, target=self.first, known=self.ids)
        return Move(source=self.first, target=self.second, known=self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """From where to where services go; ``known``: ids of all networks of the job, gone ones too."""

    source: Network | None
    target: Network | None
    known: frozenset[str]

    def both(self) -> tuple[str, ...]:
        """Ids of both, as far as they are there."""
        return tuple(network.id for network in (self.source, self.target) if network is not None)

    def only(self) -> tuple[str, ...]:
        """The id of the target. Raises StepFailedError when it is not there."""
        if self.target is None:
            raise StepFailedError("The network that services go to is not there: somebody removed it meanwhile.")
        return (self.target.id,)


def place(context: Context) -> Place:
    """Look where things stand. One that the Swarm removed and the manager's node still holds is not there."""
    listed = [network for network in context.engine.networks() if network.scope == "swarm"]
    old = next((n for n in listed if n.id == plan_of(context).network_id), None)
    made = [next((n for n in listed if (JOB_LABEL, _mark(context, number)) in n.labels), None) for number in (1, 2)]
    there = [_registered(context, network) for network in (old, *made)]
    ids = {plan_of(context).network_id, *(n.id for n in made if n is not None), *_remembered(context)}
    return Place(old=there[0], first=there[1], second=there[2], ids=frozenset(ids))


def make(context: Context, number: int) -> str:
    """Make the ``number``-th network and wait until it is allocated; one that never is is removed again."""
    settings = plan_of(context).made[number - 1]
    network = _made(context, number, settings)
    context.ledger.intend(context.step, made=network.id)
    waiting = context.wait("allocated", lambda: _unallocated(context, number), seconds=ALLOCATED_WITHIN, every=0.1)
    if not waiting:
        return f"{settings.name} {', '.join(row.subnet for row in settings.subnets)} is allocated"
    context.ledger.say(f"{waiting}; it is removed again", step=context.step, level=Event.Level.WARNING)
    _remove(context, network)
    raise StepFailedError(f"Swarm accepted {settings.name} and did not allocate it: {_why(context, settings)}.")


def take_away(context: Context, network: Network, *, passes_point: bool) -> str:
    """Remove a network that nothing uses, and wait until it is gone from the Swarm.

    ``passes_point``: its removal is the point of no return. What still uses it is waited for, then named.
    """
    waiting = context.wait("left", lambda: used_by(context, network), seconds=LEFT_WITHIN, every=0.2)
    if waiting:
        raise StepFailedError(f"{network.name} is still used. {waiting}.")
    context.pulse()
    if passes_point:
        context.ledger.pass_point_of_no_return(context.step, f"{network.name} is removed next")
    context.ledger.intend(context.step, remove=network.id)
    try:
        _remove(context, network)
    except Refused as error:
        if not passes_point:
            raise OperatorNeededError(
                [f"The engine refuses to remove {network.name}: {error} Then continue."]
            ) from error
        context.ledger.take_back_point(context.step)
        raise StepFailedError(f"The engine refuses to remove {network.name}: {error}") from error
    return f"{network.name} is gone"


def used_by(context: Context, network: Network) -> str:
    """Who may still be on the network, in words; "" when nobody is."""
    specs = sorted(s.name for s in context.engine.services() if network.id in s.network_ids)
    if specs:
        return f"Attached to it: {', '.join(specs)}"
    swarm_tasks = [t for t in context.engine.swarm_tasks() if t.may_be_on(network.id)]
    if swarm_tasks:
        return f"Waiting for {counted(len(swarm_tasks), 'container')} of services to leave {network.name}"
    alone = ", ".join(f"{box.key} on {box.hostname}" for box in standing_on(context, network))
    return f"Waiting for standalone containers to leave {network.name}: {alone}" if alone else ""


def standing_on(context: Context, network: Network) -> tuple[Standalone, ...]:
    """The standalone containers that are on the network now."""
    rows = [row for row in context.engine.attachments() if row.may_be_on(network.id)]
    return standalone.on(network, attachments=rows, nodes=context.engine.nodes()) if rows else ()


def _remembered(context: Context) -> set[str]:
    """Ids of what the job made, also of what is gone again: a spec may name it still."""
    steps = context.job.steps.filter(name__startswith="create-")
    return {intent["made"] for intent in steps.values_list("intent", flat=True) if "made" in intent}


def _made(context: Context, number: int, settings: NetworkSettings) -> Network:
    """The network that this job made, found by its label, or made now. A create that timed out may have worked."""
    made: list[Network] = []

    def attempt() -> str:
        found = _ours(context, number)
        if found is not None:
            made.append(found)
            return ""
        context.ledger.intend(context.step, create=settings.name)
        try:
            context.engine.create_network(settings=settings, labels={JOB_LABEL: _mark(context, number)})
        except AlreadyExists as error:
            if _ours(context, number) is not None:
                return "It was made by a call whose answer was lost"
            if any(n.name == settings.name for n in context.engine.networks() if _registered(context, n)):
                raise StepFailedError(f"Somebody made another network named {settings.name} meanwhile.") from error
            return f"The manager's node still holds a network named {settings.name}"
        except Refused as error:
            raise StepFailedError(f"The engine refuses to make {settings.name}: {error}") from error
        return f"{settings.name} is not listed yet"

    if waiting := context.wait("made", attempt, seconds=NAME_FREE_WITHIN, every=0.1):
        raise StepFailedError(f"{settings.name} could not be made within {NAME_FREE_WITHIN:.0f} s: {waiting}.")
    return made[0]


def _ours(context: Context, number: int) -> Network | None:
    there = place(context)
    return there.first if number == 1 else there.second


def _unallocated(context: Context, number: int) -> str:
    found = _ours(context, number)
    name = plan_of(context).made[number - 1].name
    return "" if found and found.allocated else f"{name} is not allocated"


def _remove(context: Context, network: Network) -> None:
    try:
        context.engine.remove_network(network.id)
    except NotFound:
        return
    waiting = context.wait(f"gone {network.id}", lambda: _still(context, network), seconds=GONE_WITHIN, every=0.1)
    if waiting:
        raise OperatorNeededError([f"{waiting} after its removal. Look at the manager, then continue."])


def _still(context: Context, network: Network) -> str:
    listed = [n for n in context.engine.networks() if n.id == network.id and n.scope == "swarm"]
    return f"{network.name} is still there" if any(_registered(context, n) for n in listed) else ""


def _registered(context: Context, network: Network | None) -> Network | None:
    if network is None or not network.allocated:
        return network
    return network if context.engine.is_registered(network.id) else None


def _why(context: Context, settings: NetworkSettings) -> str:
    if not settings.subnets:
        return "none of its default pools has a free block"
    met = _overlapping(context, settings)
    return f"it overlaps {', '.join(met)}" if met else "something that a manager does not show uses these addresses"


def _overlapping(context: Context, settings: NetworkSettings) -> list[str]:
    wanted = [*_blocks(row.subnet for row in settings.subnets)]
    return [
        f"{network.name} ({row.subnet})"
        for network in context.engine.networks()
        for row in network.ipam
        for block in _blocks([row.subnet])
        if network.scope == "swarm" and any(subnets.overlaps(block, other) for other in wanted)
    ]


def _blocks(texts: Iterable[str]) -> Iterable[subnets.Subnet]:
    return (block for text in texts if (block := subnets.parse_or_none(text)) is not None)


def _mark(context: Context, number: int) -> str:
    return f"{context.job.pk}-{number}"
