"""What only the pages of readiness show: an engine's part in a Swarm, a port's answer, the state of an action."""

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from overlayweb.domain.readiness import Answer, Membership, Port
from overlayweb.models import MembershipAction
from overlayweb.templatetags.parts import icon
from overlayweb.web.readiness import Reach

register = template.Library()

_MEMBERSHIPS: dict[Membership | None, tuple[str, str, str]] = {
    Membership.MANAGER: ("good", "check", "Manager of a Swarm"),
    Membership.WORKER: ("warning", "warning", "Worker, not a manager"),
    Membership.NONE: ("warning", "warning", "In no Swarm"),
    Membership.LOCKED: ("danger", "cross", "Locked"),
    Membership.BROKEN: ("danger", "cross", "Kept from its Swarm"),
    None: ("quiet", "circle", "Not known"),
}
_ANSWERS = {
    Answer.OPEN: ("good", "check", "Open"),
    Answer.REFUSED: ("danger", "cross", "Refused: nobody listens"),
    Answer.SILENT: ("danger", "cross", "No answer in 2 s"),
    Answer.NO_WAY: ("warning", "warning", "No way there from the worker"),
    Answer.UNCHECKED: ("quiet", "circle", "Not checked"),
}


@register.simple_tag
def membership(known: Membership | None) -> SafeString:
    """What the engine is to a Swarm."""
    return _status(*_MEMBERSHIPS[known])


@register.simple_tag
def port_answer(row: Reach, port: Port) -> SafeString | str:
    """What came of this port of this node; where the node does not need it, that."""
    found = next((answer for wanted, answer in row.ports if wanted == port), row)
    if found is row:
        return format_html('<span class="quiet">{}</span>', "not needed")
    answer = found.answer if found and not isinstance(found, Reach) else Answer.UNCHECKED
    return _status(*_ANSWERS[answer])


@register.simple_tag
def action_state(action: MembershipAction) -> SafeString:
    """How far an action has come."""
    if action.error:
        return _status("danger", "cross", "Failed")
    if action.ended_at:
        return _status("good", "check", "Done")
    if action.waits(timezone.now()):
        return _status("waiting", "clock", "Waits for a worker" if not action.started_at else "Under way")
    if action.started_at:
        return _status("warning", "warning", "End not known: look before asking again")
    return _status("warning", "warning", "Not done: no worker took it in time")


def _status(tone: str, icon_name: str, word: str) -> SafeString:
    return format_html('<span class="status is-{}">{}{}</span>', tone, icon(icon_name), word)
