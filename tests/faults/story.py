"""What is written down of a run while it is played."""

from dataclasses import dataclass, field

from overlayweb.models import Job


@dataclass(kw_only=True)
class Story:
    """What happened in a run, for whoever judges it."""

    status: str = ""
    resumed_after: list[float] = field(default_factory=list)
    taken_over: list[tuple[str, float]] = field(default_factory=list)
    """(worker, second) from when on nothing of that worker may reach anything but the call in flight."""
    visits: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def rows_of(job: Job) -> list[object]:
    """Every row of the job, as values."""
    rows: list[object] = [*Job.objects.filter(pk=job.pk).values()]
    return [*rows, *job.steps.values(), *job.services.values(), *job.events.values()]
