"""The form in which an ingress is customised. It reads what was typed; whether it fits is the plan's to say."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms

from overlayweb.domain.plans import IngressRequest, IngressSettings, Strategy
from overlayweb.domain.swarm import Service
from overlayweb.web.line_forms import LinesForm, pair

STRATEGIES = (
    (Strategy.AUTOMATIC, "Automatic"),
    (Strategy.STOP, "Stop, start once"),
    (Strategy.UNPUBLISH, "Unpublish, restart twice"),
)
SETTINGS = ("name", "subnet", "gateway", "mtu", "ip_range", "labels")
USE = "use"
"""The button that takes a suggestion over; its value is "field=value"."""
CHOSEN = "chosen"
"""The field that carries the choices whose services the page does not show: "id=strategy", with blanks between."""
FIND, FOUND = "q", "found"
"""The fields of the text that services are found by, and of the text that those on the page were found by."""
_PREFIX = "strategy-"


class _TypedInput(forms.TextInput):
    def __init__(self, **attrs: str) -> None:
        plain = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        super().__init__(attrs={**plain, **attrs})


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyField:
    """Where it is chosen how one service is taken off. ``value``: as typed, "" for what nobody chose.

    No field of Django's: of thousands of services a page shows a hundred, and each field would be made all the same.
    """

    service: Service
    value: str

    @property
    def html_name(self) -> str:
        """Its name in what a browser sends."""
        return f"{_PREFIX}{self.service.id}"

    @property
    def errors(self) -> list[str]:
        """Why the value cannot be read, if it cannot."""
        if not self.value or self.value in dict(STRATEGIES):
            return []
        return [f"“{self.value}” is no way to take a service off. Choose one of the list."]

    @property
    def chosen(self) -> bool:
        """Whether somebody chose otherwise than automatic."""
        return self.value not in ("", Strategy.AUTOMATIC)


class IngressForm(LinesForm):
    """Settings of the ingress, a strategy for each published service, and why.

    ``strategies``: a field for each of the services, in their order.
    """

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

    def __init__(self, data: Mapping[str, Any], *, services: Sequence[Service]) -> None:
        super().__init__(data)
        chosen = _chosen(data)
        self.strategies = tuple(StrategyField(service=row, value=chosen.get(row.id, "")) for row in services)

    @property
    def text(self) -> str:
        """What services are looked for by."""
        return str(self.data.get(FIND, "")).strip()

    @property
    def text_is_new(self) -> bool:
        """Whether the services on the page were found by another text."""
        return self.text != str(self.data.get(FOUND, ""))

    def clean(self) -> None:
        """Strategies that there are not; each stands beside its service."""
        for field in self.strategies:
            for error in field.errors:
                self.add_error(None, error)

    def clean_labels(self) -> tuple[tuple[str, str], ...]:
        """(key, value) pairs, one a line."""
        return self.each_line("labels", pair)

    def request(self) -> IngressRequest:
        """What is asked for; what cannot be read is left out. Call after ``is_valid``."""
        read = self.cleaned_data
        settings = IngressSettings(
            name=read.get("name", ""),
            subnet=read.get("subnet", ""),
            gateway=read.get("gateway", ""),
            mtu=read.get("mtu"),
            ip_range=read.get("ip_range", ""),
            labels=self.readable.get("labels", ()),
        )
        chosen = (row for row in self.strategies if row.chosen and not row.errors)
        return IngressRequest(settings=settings, strategies=tuple((r.service.id, Strategy(r.value)) for r in chosen))


def carried(fields: Iterable[StrategyField]) -> str:
    """The choices of these fields as one field carries them."""
    return " ".join(f"{field.service.id}={field.value}" for field in fields if field.chosen)


def _chosen(data: Mapping[str, str]) -> dict[str, str]:
    """The value of each service by its id: what the page shows, and what it carries along of the others."""
    pairs = (pair.partition("=") for pair in data.get(CHOSEN, "").split())
    shown = {key.removeprefix(_PREFIX): data[key] for key in data if key.startswith(_PREFIX)}
    return {**{key: value for key, _, value in pairs}, **shown}


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
        CHOSEN: " ".join(f"{service_id}={strategy}" for service_id, strategy in request.strategies),
    }


def with_suggestion(data: Mapping[str, str]) -> dict[str, str]:
    """What was typed, with the suggestion whose button was pressed taken over."""
    field, _, value = data.get(USE, "").partition("=")
    typed = {key: data[key] for key in data if key != USE}
    return {**typed, field: value} if field in SETTINGS else typed
