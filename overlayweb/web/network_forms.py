"""The fields of an overlay's settings, shared by the forms that make one and that replace one."""

from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from overlayweb.domain.checks.addressing import AUXILIARY_REASON
from overlayweb.domain.ingress_settings import default_gateway
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.plans import Finding, Level, Plan
from overlayweb.domain.swarm import IpamConfig
from overlayweb.web.line_forms import LinesForm, pair

_TYPED = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
USE = "use"
FIELDS = ("name", "subnets", "mtu", "encrypted", "labels", "options", "reason")
_ON_SUBNETS = ("subnet", "gateway", "ip_range")


def _area(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "spellcheck": "false", "class": "mono"})


class NetworkForm(LinesForm):
    """Settings of an overlay and why they are wanted. Whether they fit is the plan's to say."""

    name = forms.CharField(required=False, widget=forms.TextInput(attrs=_TYPED))
    subnets = forms.CharField(required=False, widget=_area(2))
    mtu = forms.IntegerField(
        required=False,
        label="MTU",
        widget=forms.TextInput(attrs={**_TYPED, "class": "mono", "inputmode": "numeric"}),
        error_messages={"invalid": "The MTU is a whole number of bytes, such as 1450."},
    )
    attachable = forms.BooleanField(required=False)
    internal = forms.BooleanField(required=False)
    encrypted = forms.BooleanField(required=False)
    labels = forms.CharField(required=False, widget=_area(3))
    options = forms.CharField(required=False, label="Driver options", widget=_area(2))
    reason = forms.CharField(
        label="Why",
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say why: whoever approves decides by it, and the history keeps it."},
    )

    def clean_subnets(self) -> tuple[IpamConfig, ...]:
        """One a line: subnet, then gateway and IP range where wanted, which a "/" tells apart."""
        return self.each_line("subnets", _of_line)

    def clean_labels(self) -> tuple[tuple[str, str], ...]:
        """(key, value) pairs, one a line."""
        return self.each_line("labels", pair)

    def clean_options(self) -> tuple[tuple[str, str], ...]:
        """(key, value) pairs, one a line."""
        return self.each_line("options", pair)

    def settings(self) -> NetworkSettings:
        """What was typed, without what cannot be read. Call after ``is_valid``."""
        read = self.cleaned_data
        return NetworkSettings(
            name=read.get("name", ""),
            subnets=self.readable.get("subnets", ()),
            mtu=read.get("mtu"),
            attachable=read.get("attachable", False),
            internal=read.get("internal", False),
            encrypted=read.get("encrypted", False),
            labels=self.readable.get("labels", ()),
            options=self.readable.get("options", ()),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A field with what the plan says beside it."""

    field: forms.BoundField
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        """Whether it has to be mended."""
        return bool(self.field.errors) or any(finding.level is Level.BLOCKER for finding in self.findings)


def beside(plan: Plan, name: str) -> tuple[Finding, ...]:
    """What the plan says of one field. A suggested subnet can be taken over; a part of a line cannot."""
    if name != "subnets":
        return tuple(f for f in plan.findings if f.about == "field" and f.subject == name)
    found = (f for f in plan.findings if f.about == "field" and f.subject in _ON_SUBNETS)
    return tuple(replace(f, subject=name, suggestion=f.suggestion if f.subject == "subnet" else "") for f in found)


def with_suggestion(data: Any) -> Any:
    """What was typed, with the suggestion whose button was pressed taken over.

    The button's value is "field=value", or "field:word=value" for the lines that begin with the word.
    """
    about, _, value = data.get(USE, "").partition("=")
    field, _, line = about.partition(":")
    if field not in FIELDS:
        return data
    typed = data.copy()
    typed[field] = _with_line(data.get(field, ""), line, value) if line else value
    return typed


def initial_of(settings: NetworkSettings) -> dict[str, Any]:
    """The settings as they are typed."""
    return {
        "name": settings.name,
        "subnets": "\n".join(map(_line_of, settings.subnets)),
        "mtu": "" if settings.mtu is None else settings.mtu,
        "attachable": settings.attachable,
        "internal": settings.internal,
        "encrypted": settings.encrypted,
        "labels": "\n".join(f"{key}={value}" for key, value in settings.labels),
        "options": "\n".join(f"{key}={value}" for key, value in settings.options),
    }


def _line_of(row: IpamConfig) -> str:
    # A gateway that nobody chose follows the subnet, instead of lying outside as soon as another one is typed.
    gateway = "" if row.gateway == default_gateway(row.subnet) else row.gateway
    return " ".join(filter(None, (row.subnet, gateway, row.ip_range)))


def _of_line(line: str) -> IpamConfig:
    if "=" in line:
        raise ValidationError(AUXILIARY_REASON)
    subnet, *others = line.split()
    ranges, gateways = ([word for word in others if ("/" in word) is is_range] for is_range in (True, False))
    if len(ranges) > 1 or len(gateways) > 1:
        raise ValidationError(
            "Write one subnet a line, then its gateway and its IP range if wanted, "
            f"as 10.20.0.0/22 10.20.0.1 10.20.1.0/24. Too much: {line}"
        )
    return IpamConfig(subnet=subnet, gateway="".join(gateways), ip_range="".join(ranges))


def _with_line(text: str, begins: str, value: str) -> str:
    return "\n".join(value if line.split()[:1] == [begins] else line for line in text.splitlines())
