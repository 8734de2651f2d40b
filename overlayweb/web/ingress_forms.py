"""The form in which an ingress is customised. It reads what was typed; whether it fits is the plan's to say."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BoundField

from overlayweb.domain.plans import IngressRequest, IngressSettings, Strategy
from overlayweb.domain.swarm import Service

STRATEGIES = (
    (Strategy.AUTOMATIC, "Automatic"),
    (Strategy.STOP, "Stop, start once"),
    (Strategy.UNPUBLISH, "Unpublish, restart twice"),
)
SETTINGS = ("name", "subnet", "gateway", "mtu", "ip_range", "labels")
USE = "use"
"""The button that takes a suggestion over; its value is "field=value"."""


class _TypedInput(forms.TextInput):
    def __init__(self, **attrs: str) -> None:
        plain = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        super().__init__(attrs={**plain, **attrs})


class IngressForm(forms.Form):
    """Settings of the ingress, a strategy for each published service, and why."""

    name = forms.CharField(required=False, widget=_TypedInput())
    subnet = forms.CharField(required=False, widget=_TypedInput(**{"class": "mono", "placeholder": "10.11.0.0/16"}))
    gateway = forms.CharField(required=False, widget=_TypedInput(**{"class": "mono"}))
    mtu = forms.IntegerField(
        required=False,
        label="MTU",
        widget=_TypedInput(**{"class": "mono", "inputmode": "numeric"}),
        error_messages={"invalid": "The MTU is a whole number of bytes, such as 1450."},
    )
    ip_range = forms.CharField(required=False, label="IP range", widget=_TypedInput(**{"class": "mono"}))
    labels = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"})
    )
    reason = forms.CharField(
        label="Why",
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say why: whoever approves decides by it, and the history keeps it."},
    )

    def __init__(self, *args: Any, services: Sequence[Service], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.use_required_attribute = False  # the button "Check" takes a form that is not complete
        for service in services:
            self.fields[_strategy_key(service.id)] = forms.TypedChoiceField(
                choices=STRATEGIES,
                coerce=Strategy,
                required=False,
                empty_value=Strategy.AUTOMATIC,
                label=service.name,
            )

    def clean_labels(self) -> tuple[tuple[str, str], ...]:
        """(key, value) pairs, one a line; blank lines are left out."""
        lines = [line.strip() for line in self.cleaned_data["labels"].splitlines() if line.strip()]
        wrong = [line for line in lines if "=" not in line]
        if wrong:
            raise ValidationError(f"Write key=value on each line. Without “=”: {', '.join(wrong)}")
        return tuple((key.strip(), value.strip()) for key, _, value in (line.partition("=") for line in lines))

    def request(self) -> IngressRequest:
        """What is asked for; fields that cannot be read count as empty. Call after ``is_valid``."""
        read = self.cleaned_data
        settings = IngressSettings(
            name=read.get("name", ""),
            subnet=read.get("subnet", ""),
            gateway=read.get("gateway", ""),
            mtu=read.get("mtu"),
            ip_range=read.get("ip_range", ""),
            labels=read.get("labels", ()),
        )
        chosen = ((key.removeprefix(_PREFIX), read.get(key)) for key in self.fields if key.startswith(_PREFIX))
        strategies = tuple((key, value) for key, value in chosen if value and value is not Strategy.AUTOMATIC)
        return IngressRequest(settings=settings, strategies=strategies)

    def strategy_field(self, service: Service) -> BoundField:
        """The field in which the service's strategy is chosen."""
        return self[_strategy_key(service.id)]


_PREFIX = "strategy-"


def _strategy_key(service_id: str) -> str:
    return f"{_PREFIX}{service_id}"


def initial_of(request: IngressRequest) -> dict[str, Any]:
    """What the form shows for a request."""
    settings = request.settings
    return {
        "name": settings.name,
        "subnet": settings.subnet,
        "gateway": settings.gateway,
        "mtu": settings.mtu,
        "ip_range": settings.ip_range,
        "labels": "\n".join(f"{key}={value}" for key, value in settings.labels),
        **{_strategy_key(service_id): strategy for service_id, strategy in request.strategies},
    }


def with_suggestion(data: Mapping[str, str]) -> dict[str, str]:
    """What was typed, with the suggestion whose button was pressed taken over."""
    field, _, value = data.get(USE, "").partition("=")
    typed = {key: data[key] for key in data if key != USE}
    return {**typed, field: value} if field in SETTINGS else typed
