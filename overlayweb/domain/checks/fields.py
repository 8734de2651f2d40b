"""Checks of the name, the MTU and the labels."""

import re
from collections import Counter
from collections.abc import Iterator

from overlayweb.domain.checks.case import Case, on_field
from overlayweb.domain.ingress_settings import JOB_LABEL_PREFIX
from overlayweb.domain.overlay_mtu import DOCKER_MTU, VXLAN_BYTES, inner
from overlayweb.domain.plans import Finding, Level

NAME = re.compile(r"[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*")
"""Source: swarmkit's validation of names."""

NAME_LIMIT = 63

MTU_MIN = 576
MTU_MAX = 9000

RESERVED_LABELS = ("com.docker.", "io.docker.", "org.dockerproject.")


def name(case: Case) -> Iterator[Finding]:
    """The name's form, and whether another network bears it."""
    wanted = case.after.name
    if len(wanted) > NAME_LIMIT or not NAME.fullmatch(wanted):
        yield on_field(
            level=Level.BLOCKER,
            code="name-invalid",
            field="name",
            message=f"Swarm does not take “{wanted}” as a network name." if wanted else "The network has no name.",
            remedy=f"Use 1 to {NAME_LIMIT} letters, digits, - and _, beginning and ending with a letter or digit.",
            suggestion=_usable_name(wanted, case),
        )
        return
    other = next((n for n in case.swarm.networks if n.has_name(wanted) and not n.ingress), None)
    if other is not None:
        where = "of the Swarm" if other.scope == "swarm" else "on the manager"
        yield on_field(
            level=Level.BLOCKER,
            code="name-taken",
            field="name",
            message=f"Another network {where} is called {other.name} ({other.driver or 'not allocated'}).",
            remedy="Choose another name.",
            suggestion=_free_name(wanted, case),
        )


def mtu(case: Case) -> Iterator[Finding]:
    """The MTU's bounds, and how it stands to what the manager's engine is set to. No engine knows the wire."""
    wanted = case.after.mtu
    if wanted is not None and not MTU_MIN <= wanted <= MTU_MAX:
        yield on_field(
            level=Level.BLOCKER,
            code="mtu-bounds",
            field="mtu",
            message=f"An MTU of {wanted} is outside {MTU_MIN} to {MTU_MAX} bytes. Swarm takes it, and nodes then fail.",
            remedy="Choose one that the wire between the nodes carries, or leave it empty.",
            suggestion=str(_fitting_mtu(case)),
        )
    elif case.swarm.underlay_mtu is None:
        yield on_field(
            level=Level.NOTICE,
            code="mtu-not-checked",
            field="mtu",
            message="Not checked: the manager's engine does not say which MTU it is set to.",
            remedy=f"Make sure that every path between the nodes carries {wanted or DOCKER_MTU} bytes.",
        )
    else:
        yield from _against_engine(wanted, case.swarm.underlay_mtu, case)


def labels(case: Case) -> Iterator[Finding]:
    """Label keys: present, unique, free of blanks and “=”, and not reserved."""
    counts = Counter(key for key, _ in case.after.labels)
    for key, times in sorted(counts.items()):
        problem = _key_problem(key) or (f"The label {key} is there {times} times." if times > 1 else "")
        if problem:
            yield on_field(
                level=Level.BLOCKER,
                code="label-invalid",
                field="labels",
                message=problem,
                remedy="Give each label a key of its own, without blanks and “=”, outside reserved names.",
            )
    for key, value in case.after.labels:
        if not value.isprintable():
            yield on_field(
                level=Level.BLOCKER,
                code="label-value",
                field="labels",
                message=f"The value of the label {key} holds a line break or another control character.",
                remedy="Write the value on one line.",
            )


def _against_engine(wanted: int | None, engine: int, case: Case) -> Iterator[Finding]:
    value = wanted if wanted is not None else DOCKER_MTU
    said = f"An MTU of {value}" if wanted is not None else f"Without an MTU Docker assumes {value}, which"
    left = inner(assumed=value, encrypted=case.encrypted)
    taken = f"{VXLAN_BYTES} of VXLAN" + (" and those of ESP" if case.encrypted else "")
    if value > engine:
        message = (
            f"{said} is above the {engine} that the manager's engine is set to: containers get {left}, and with the "
            f"{taken} their full packets are {_full(value, case)} on the wire. One that carries {engine} cuts them up "
            "or loses them."
        )
        yield _mtu_warning("mtu-above-engine", message, case)
    elif wanted is not None and value > engine - VXLAN_BYTES:
        message = (
            f"{said} is above {engine - VXLAN_BYTES}: what the manager's engine is set to, {engine}, less the "
            f"{VXLAN_BYTES} bytes of VXLAN. Docker takes the {taken} off once more, so containers get {left} and full "
            f"packets are {_full(value, case)} on the wire: of {engine}, {engine - value} bytes are left for a VPN or "
            "another tunnel between the nodes."
        )
        yield _mtu_warning("mtu-no-margin", message, case)


def _full(value: int, case: Case) -> str:
    return f"up to {value} bytes" if case.encrypted else f"{value} bytes"  # ESP pads to a multiple of 4


def _mtu_warning(code: str, message: str, case: Case) -> Finding:
    fitting = _fitting_mtu(case)
    return on_field(
        level=Level.WARNING,
        code=code,
        field="mtu",
        message=message,
        remedy=f"Use {fitting}, unless every path between the nodes is known to carry more.",
        suggestion=str(fitting),
    )


def _fitting_mtu(case: Case) -> int:
    engine = case.swarm.underlay_mtu or DOCKER_MTU
    return min(max(engine - VXLAN_BYTES, MTU_MIN), MTU_MAX)


def _key_problem(key: str) -> str:
    if not key:
        return "A label has no key."
    if "=" in key or not key.isprintable() or any(c.isspace() for c in key):
        return f"The label key “{key}” holds a blank, “=” or a control character."
    if key.startswith((JOB_LABEL_PREFIX, *RESERVED_LABELS)):
        return f"The label {key} is in a name space that Docker or Overlayweb keeps for itself."
    return ""


def _usable_name(wanted: str, case: Case) -> str:
    kept = re.sub(r"[^A-Za-z0-9_-]+", "-", wanted)[:NAME_LIMIT].strip("-_")
    return _free_name(kept or "ingress", case)


def _free_name(wanted: str, case: Case) -> str:
    others = [network for network in case.swarm.networks if not network.ingress]
    numbered = (f"{wanted[: NAME_LIMIT - 6]}-{number}" for number in range(2, len(others) + 3))
    return next(name for name in (wanted, *numbered) if not any(other.has_name(name) for other in others))
