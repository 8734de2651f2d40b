"""Forms with fields of several lines, of which one that cannot be read keeps no other from being judged."""

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError

T = TypeVar("T")


class LinesForm(forms.Form):
    """``readable``: what the lines that can be read say, by field; complete after ``is_valid``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.readable: dict[str, tuple[Any, ...]] = {}
        self.use_required_attribute = False  # the button "Check" takes a form that is not complete

    def each_line(self, name: str, read: Callable[[str], T]) -> tuple[T, ...]:
        """What the lines of a field say. One that cannot be read is a mistake; the others are judged all the same."""
        found, wrong = [], []
        for line in filter(None, map(str.strip, self.cleaned_data[name].splitlines())):
            try:
                found.append(read(line))
            except ValidationError as error:
                wrong.append(error.message)
        self.readable[name] = tuple(found)
        if wrong:
            raise ValidationError(list(dict.fromkeys(wrong)))
        return tuple(found)


def pair(line: str) -> tuple[str, str]:
    """ "key=value" as (key, value). Raises ValidationError where there is no "="."""
    key, sign, value = line.partition("=")
    if not sign:
        raise ValidationError(f"Write it as key=value: {line}")
    return key.strip(), value.strip()
