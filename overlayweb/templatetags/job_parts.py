"""What only the pages of jobs show: icons of a mark, and clocks that run."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from overlayweb.templatetags.parts import STATUSES, duration, icon
from overlayweb.web.job_clocks import Clock, Mark

register = template.Library()

MINUTE, HOUR = 60, 3600


@register.filter
def tone(mark: Mark) -> str:
    """The colour of a mark: "good", "warning" …"""
    return STATUSES.get(mark.name, ("quiet", "circle", ""))[0]


@register.filter
def mark_icon(mark: Mark) -> SafeString:
    """The icon of a mark alone, where its word stands elsewhere."""
    return icon(STATUSES.get(mark.name, ("quiet", "circle", ""))[1])


@register.filter
def digits(seconds: float | None) -> str:
    """A clock's digits: "00:14", "1:02:03"; "" for None."""
    if seconds is None:
        return ""
    whole = max(int(seconds), 0)
    hours, minutes, rest = whole // HOUR, whole % HOUR // MINUTE, whole % MINUTE
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


@register.filter
def about_digits(seconds: float) -> str:
    """An expected time in a clock's digits: "~00:14"; of what is over in a moment "~00:01"."""
    return f"~{digits(max(seconds, 1.0) if seconds else 0.0)}"


@register.filter
def running_clock(clock: Clock) -> SafeString:
    """A duration in digits; while it runs, a script goes on counting from ``data-since``."""
    return _clock(clock, digits(clock.now), "digits")


@register.filter
def spoken_clock(clock: Clock) -> SafeString:
    """A duration in words, "13.9 s"; while it runs, a script goes on counting."""
    return _clock(clock, duration(clock.now), "words")


@register.filter
def stamp(at: datetime) -> SafeString:
    """The time of a log line to the millisecond, with day and zone in the title."""
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(timespec="milliseconds"),
        f"{local:%Y-%m-%d %H:%M:%S %Z}",
        f"{local:%H:%M:%S}.{local.microsecond // 1000:03}",
    )


def _clock(clock: Clock, text: str, form: str) -> SafeString:
    if clock.since is None:
        return format_html("<span>{}</span>", text)
    return format_html('<span data-since="{}" data-form="{}">{}</span>', clock.since.isoformat(), form, text)
