"""What is left wrong at the end of a rebuild, as sentences that say what to do."""

from dataclasses import replace
from datetime import UTC, datetime

from overlayweb.domain import ingress_plans, specs
from overlayweb.models import JobService
from overlayweb.workflows import ingress_network, peers, release
from overlayweb.workflows.runner import Context

State = JobService.State


def of_ingress(context: Context) -> list[str]:
    """The one ingress that there must be, with the settings of the plan."""
    found = ingress_network.existing(context)
    if len(found) == 1:
        wanted, is_now = ingress_network.target_settings(context), ingress_plans.settings_of(found[0])
        same = replace(is_now, labels=wanted.labels) == wanted
        return [] if same else [f"The ingress is {is_now.subnet}, not {wanted.subnet} as planned."]
    count = "no ingress network" if not found else f"{len(found)} ingress networks"
    return [f"There is {count} where there must be one."]


def of_peers(context: Context, nets: tuple[str, ...]) -> list[str]:
    """Nodes that have not joined the ingress, and those that went away since the check, when all were ready."""
    away = [
        f"{node.hostname} ({node.address}) is {node.state}, so it still holds the old ingress: when it is back, run "
        "`systemctl restart docker` there, then continue."
        for node in context.engine.nodes()
        if not node.ready
    ]
    return away + [
        f"{node.hostname} ({node.address}) has not joined the new ingress: run `systemctl restart docker` there, "
        "then continue."
        for node in peers.missing(context, nets)
    ]


def of_services(context: Context, rows: list[JobService]) -> list[str]:
    """Services that do not equal their snapshot, or are weaker than before."""
    problems = []
    for row in rows:
        if row.state == State.GONE:
            continue
        service = context.engine.service(row.service_id)
        if service is not None and release.was_touched(row):
            release.keep_edits(context, row, service)  # somebody's change of the last moment is nothing to mend
            if service.spec != row.target_spec:
                paths = ", ".join(specs.differences(row.target_spec, service.spec))
                problems.append(
                    f"{row.name} does not equal its snapshot at {paths}. Continue, and it is written again."
                )
        if row.state == State.STARTING:
            problems.append(_weak(context, row))
    return problems


def _weak(context: Context, row: JobService) -> str:
    """With the last word of Swarm on it: each attempt is refused anew, in words that differ by an address."""
    refused = [
        t
        for t in context.engine.swarm_tasks()
        if t.service_id == row.service_id and t.state in {"rejected", "failed", "new", "pending"}
    ]
    words = [t.error or t.message for t in sorted(refused, key=lambda t: t.state_at or _LONG_AGO)]
    why = f" Swarm says: {words[-1]}." if words and words[-1] else ""
    return f"{row.name} runs {row.containers_now} of {row.containers_before} containers on the ingress.{why}"


_LONG_AGO = datetime.min.replace(tzinfo=UTC)
