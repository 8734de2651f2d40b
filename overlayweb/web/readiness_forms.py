"""Forms of readiness: how an engine makes or joins a Swarm, and settings for docker_gwbridge. They only read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from overlayweb.domain.gateway_bridge import BridgeRequest
from overlayweb.domain.membership import ROLES, InitRequest, JoinRequest
from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.readiness import find_nodes
from overlayweb.domain.swarm import Node
from overlayweb.models import Cluster
from overlayweb.web.drafts import Row

USE = "use"
"""The button that takes a suggestion over; its value is "field=value"."""
_WHOLE = "This is a whole number, such as {}."
NODES_OFFERED = 50
"""So many nodes are offered while a name is typed."""
_NODES_NAMED = 5


def _typed(label: str, placeholder: str = "", **options: Any) -> forms.CharField:
    plain = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false", "class": "mono"}
    widget = forms.TextInput(attrs={**plain, "placeholder": placeholder})
    return forms.CharField(required=False, max_length=120, label=label, widget=widget, **options)


def _number(label: str, example: str, **options: Any) -> forms.IntegerField:
    widget = forms.TextInput(attrs={"autocomplete": "off", "class": "mono", "inputmode": "numeric"})
    errors = {"invalid": _WHOLE.format(example)}
    return forms.IntegerField(required=False, label=label, widget=widget, error_messages=errors, **options)


class _Asked(forms.Form):
    """A form that judges only what its fields can not be read as."""

    def value(self, name: str, otherwise: Any) -> Any:
        """What was read, ``otherwise`` where it is empty or can not be read."""
        found = self.cleaned_data.get(name)
        return otherwise if found in (None, "") else found


class _Asking(_Asked):
    """One by which a change can be asked for."""

    use_required_attribute = False  # the button "Check" takes a form that is not complete
    reason = forms.CharField(
        label="Why",
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say why: whoever approves decides by it, and the history keeps it."},
    )

    def forget_missing_reason(self) -> None:
        """While the form is typed, a reason that is not there yet is no mistake."""
        self.errors.pop("reason", None)


class InitForm(_Asking):
    """How a Swarm is made."""

    advertise = _typed("Advertise address", "192.168.1.10")
    data_path = _typed("Data-path address", "10.8.0.10")
    data_path_port = _number("Data-path port", "4789")
    pools = forms.CharField(
        required=False,
        label="Default address pools",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "mono", "placeholder": "10.20.0.0/16"}),
    )
    size = _number("Size of each network", "24")

    def clean_pools(self) -> tuple[str, ...]:
        """One a line, or by commas and blanks."""
        return tuple(self.cleaned_data["pools"].replace(",", " ").split())

    def clean_size(self) -> int | None:
        """A prefix length."""
        size: int | None = self.cleaned_data["size"]
        if size is not None and size < 0:
            raise ValidationError(_WHOLE.format("24"))
        return size

    def request(self) -> InitRequest:
        """What is asked for. Call after ``is_valid``."""
        return InitRequest(
            advertise=self.value("advertise", ""),
            data_path=self.value("data_path", ""),
            data_path_port=self.value("data_path_port", None),
            pools=self.value("pools", ()),
            size=self.value("size", None),
        )


class JoinForm(_Asking):
    """How an engine joins. ``engines``: the registered ones that may; none is chosen for one by hand."""

    joins = forms.ChoiceField(required=False, label="Engine")
    role = forms.ChoiceField(required=False, label="As", choices=[(role, role.capitalize()) for role in ROLES])
    remote = _typed("Manager's address", "192.168.1.10:2377")
    advertise = _typed("Its own address", "192.168.1.14")
    data_path = _typed("Data-path address", "10.8.0.14")

    def __init__(self, *args: Any, engines: Sequence[Cluster], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = [(str(row.pk), f"{row.name} at {row.endpoint}") for row in engines]
        label = self.base_fields["joins"].label
        self.fields["joins"] = forms.ChoiceField(
            required=False,
            label=label,
            choices=[("", "Another one, by hand on its machine"), *rows],
            error_messages={"invalid_choice": "This engine can not join: it is not registered, or in a Swarm."},
        )

    @property
    def joining(self) -> int | None:
        """The number of the registered engine that is to join; None: one by hand."""
        found = self.value("joins", "")
        return int(found) if found else None

    def request(self) -> JoinRequest:
        """What is asked for. Call after ``is_valid``."""
        return JoinRequest(
            role=self.value("role", ROLES[0]),
            remote=self.value("remote", ""),
            advertise=self.value("advertise", ""),
            data_path=self.value("data_path", ""),
        )


class BridgeForm(_Asked):
    """Settings for docker_gwbridge, and the node that gets them, found by a part of its name or by its id."""

    node = _typed("Node")
    subnet = _typed("Subnet", "172.30.0.0/20")
    gateway = _typed("Gateway")
    mtu = _number("MTU", "1500")
    icc = forms.BooleanField(required=False, label="Containers of this node reach each other over it")
    masquerade = forms.BooleanField(required=False, label="What goes out bears the node's address (masquerading)")

    def __init__(self, *args: Any, nodes: Sequence[Node], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._nodes = nodes
        self.fields["node"].widget.attrs["list"] = "nodes"

    @property
    def offered(self) -> tuple[Node, ...]:
        """The first of the nodes that fit what is typed of the name."""
        return find_nodes(self._nodes, self.data.get("node", ""))[:NODES_OFFERED]

    def clean_node(self) -> Node:
        """The only node that can be meant."""
        text = self.cleaned_data["node"]
        found = find_nodes(self._nodes, text) if text else ()
        if len(found) == 1:
            return found[0]
        if not text:
            raise ValidationError("Type the host name of a node, or a part of it.")
        if not found:
            raise ValidationError(f"No node is called “{text}”, and no id begins so.")
        named = ", ".join(f"{node.hostname} ({node.id})" for node in found[:_NODES_NAMED])
        more = f" and {len(found) - _NODES_NAMED:,} more" if len(found) > _NODES_NAMED else ""
        raise ValidationError(f"{len(found):,} nodes fit: {named}{more}. Type more of the name, or the id.")

    def request(self) -> BridgeRequest:
        """What is asked for. Call after ``is_valid``."""
        return BridgeRequest(
            subnet=self.value("subnet", ""),
            gateway=self.value("gateway", ""),
            mtu=self.value("mtu", None),
            icc=bool(self.cleaned_data.get("icc")),
            masquerade=bool(self.cleaned_data.get("masquerade")),
        )


@dataclass(frozen=True)
class Sheet:
    """A form with what is said beside its fields, and beside none."""

    form: forms.Form
    findings: tuple[Finding, ...]

    @property
    def rows(self) -> dict[str, Row[forms.BoundField]]:
        """The fields by name."""
        return {name: Row(self.form[name], self._beside(name)) for name in self.form.fields}

    @property
    def elsewhere(self) -> tuple[Finding, ...]:
        """What stands beside no field."""
        return tuple(finding for finding in self.findings if finding.about != "field")

    @property
    def blocked(self) -> bool:
        """Whether something has to be mended first."""
        return bool(self.form.errors) or any(finding.level is Level.BLOCKER for finding in self.findings)

    @property
    def verdicts(self) -> str:
        """The places beside the fields, as htmx selects them from an answer."""
        return ",".join(f"#verdict-{name}" for name in self.form.fields)

    def _beside(self, name: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if (finding.about, finding.subject) == ("field", name))


def typed(data: Mapping[str, str], initial: Mapping[str, str]) -> dict[str, str]:
    """What was typed, or ``initial`` before that, with the suggestion whose button was pressed taken over."""
    given = {key: data[key] for key in data} or dict(initial)
    field, _, value = given.pop(USE, "").partition("=")
    return {**given, field: value} if field else given
