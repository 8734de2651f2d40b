"""The fields of an overlay's settings, shared by the forms that make one and that replace one."""

from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from overlayweb.domain.checks.addressing import AUXILIARY_REASON
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.plans import Finding, Level, Plan
from overlayweb.domain.swarm import IpamConfig

_TYPED = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
USE = "use"
FIELDS = ("name", "subnets", "mtu", "labels", "options", "reason")
_ON_SUBNETS = ("subnet", "gateway", "ip_range")


def _area(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "spellcheck": "false", "class": "mono"})


class NetworkForm(forms.Form):
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.use_required_attribute = False  # the button "Check" takes a form that is not complete

    def clean_subnets(self) -> tuple[IpamConfig, ...]:
        """One a line: subnet, then gateway and IP range where wanted."""
        rows = [line.split() for line in self.cleaned_data["subnets"].splitlines() if line.strip()]
        if any("=" in word for words in rows for word in words):
            raise ValidationError(AUXILIARY_REASON)
        if any(len(words) > len(_ON_SUBNETS) for words in rows):
            raise ValidationError("Write one subnet a line: subnet, gateway, IP range, with blanks in between.")
        return tuple(IpamConfig(**dict(zip(_ON_SUBNETS, words, strict=False))) for words in rows)

    def clean_labels(self) -> tuple[tuple[str, str], ...]:
        """(key, value) pairs, one a line."""
        return _pairs(self.cleaned_data["labels"])

    def clean_options(self) -> tuple[tuple[str, str], ...]:
        """(key, value) pairs, one a line."""
        return _pairs(self.cleaned_data["options"])

    def settings(self) -> NetworkSettings:
        """What was typed; fields that cannot be read count as empty. Call after ``is_valid``."""
        read = self.cleaned_data
        return NetworkSettings(
            name=read.get("name", ""),
            subnets=read.get("subnets", ()),
            mtu=read.get("mtu"),
            attachable=read.get("attachable", False),
            internal=read.get("internal", False),
            encrypted=read.get("encrypted", False),
            labels=read.get("labels", ()),
            options=read.get("options", ()),
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
    """What was typed, with the suggestion whose button was pressed taken over."""
    field, _, value = data.get(USE, "").partition("=")
    if field not in FIELDS:
        return data
    typed = data.copy()
    typed[field] = value
    return typed


def initial_of(settings: NetworkSettings) -> dict[str, Any]:
    """The settings as they are typed."""
    return {
        "name": settings.name,
        "subnets": "\n".join(" ".join(filter(None, (r.subnet, r.gateway, r.ip_range))) for r in settings.subnets),
        "mtu": "" if settings.mtu is None else settings.mtu,
        "attachable": settings.attachable,
        "internal": settings.internal,
        "encrypted": settings.encrypted,
        "labels": "\n".join(f"{key}={value}" for key, value in settings.labels),
        "options": "\n".join(f"{key}={value}" for key, value in settings.options),
    }


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wrong = [line for line in lines if "=" not in line]
    if wrong:
        raise ValidationError(f"Write key=value on each line. Without “=”: {', '.join(wrong)}")
    return tuple((key.strip(), value.strip()) for key, _, value in (line.partition("=") for line in lines))
