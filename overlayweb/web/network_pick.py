"""The part of a network's form that picks a free block: how much is to fit in, and the block that has room for it."""

from dataclasses import dataclass
from typing import Any

from django import forms

from overlayweb.domain import blocks
from overlayweb.domain.swarm import Swarm
from overlayweb.models import Cluster, reserved_ranges
from overlayweb.web.network_forms import Row

PICK = "pick"
"""The button that asks for it."""

_WORDS = {"services": "services", "replicas": "replicas of each", "growth": "times as many later"}


class NeedForm(forms.Form):
    """How much is to fit into the block."""

    use_required_attribute = False

    services = forms.IntegerField(
        initial=5,
        widget=forms.NumberInput(attrs={"size": 4, "min": 1}),
        error_messages={"required": "Say how many services.", "invalid": "Services: a whole number."},
    )
    replicas = forms.IntegerField(
        initial=3,
        widget=forms.NumberInput(attrs={"size": 4, "min": 1}),
        error_messages={"required": "Say how many replicas.", "invalid": "Replicas: a whole number."},
    )
    growth = forms.FloatField(
        initial=2,
        widget=forms.NumberInput(attrs={"size": 4, "min": 1, "step": "0.5"}),
        error_messages={"required": "Say how many times.", "invalid": "Growth: a number, such as 1.5."},
    )


@dataclass(kw_only=True)
class Picking:
    """What was typed of the need, and the arithmetic of the block that was picked; ``words`` "": none was."""

    form: NeedForm
    words: str = ""

    @property
    def rows(self) -> list[tuple[Row, str]]:
        """Each field with the words behind it."""
        return [(Row(self.form[name], ()), words) for name, words in _WORDS.items()]


def need_of_today(cluster: Cluster, network_id: str) -> dict[str, int]:
    """What the fields begin with where a network is replaced; nothing where no service is on it."""
    swarm = cluster.swarm()
    services, replicas = blocks.users_of(swarm=swarm, network_id=network_id) if swarm else (0, 0)
    return {"services": services, "replicas": max(1, replicas)} if services else {}


def take(*, cluster: Cluster, typed: Any) -> tuple[Any, Picking]:
    """What was typed, with a free block in the place of the subnets where one was asked for and there is one.

    Numbers that cannot be used are said beside their fields, and nothing that was typed is changed. While no block is
    asked for they are nobody's mistake.
    """
    needs = {name: typed.get(name, field.initial) for name, field in NeedForm.base_fields.items()}
    swarm = cluster.swarm()
    if PICK not in typed or swarm is None:
        return typed, Picking(form=NeedForm(initial=needs))
    form = NeedForm(needs)
    picked = _pick(cluster, swarm, form) if form.is_valid() else None
    if picked is None:
        return typed, Picking(form=form)
    changed = typed.copy()
    if picked.subnet:
        changed["subnets"] = str(picked.subnet)
    return changed, Picking(form=form, words=f"{picked.need}. {picked.note}".strip())


def _pick(cluster: Cluster, swarm: Swarm, form: NeedForm) -> blocks.Pick | None:
    try:
        need = blocks.need_of(**form.cleaned_data, nodes=max(1, len(swarm.nodes)))
    except blocks.NeedError as error:
        form.add_error(error.field, str(error))
        return None
    return blocks.pick(need=need, swarm=swarm, reserved=reserved_ranges(cluster))
