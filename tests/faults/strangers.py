"""What strangers do to the Swarm of a run, beside the job."""

from typing import TYPE_CHECKING

from overlayweb.engine import connection
from overlayweb.engine.errors import EngineError

if TYPE_CHECKING:
    from tests.faults.director import Run


def edit(run: "Run", service: str) -> None:
    """Give a service another environment."""
    value = [f"EDITED={len(run.story.edited)}"]
    run.engine.control("edit_service", ref=service, path="TaskTemplate.ContainerSpec.Env", value=value)
    run.story.edited.append(service)


def deploy(run: "Run", service: str) -> None:
    """Deploy a service once more as it was, ports and all; or in vain: there is no ingress, or nobody answers.

    Twice at most: what was to befall the job's next call may befall the first.
    """
    before = run.job().cluster.swarm()
    assert before is not None
    spec = next(row.spec for row in before.services if row.name == service)
    for _ in range(2):
        try:
            with connection.connect(connection.Endpoint(url=run.engine.socket)) as engine:
                now = next(row for row in engine.services() if row.name == service)
                engine.update_service(service_id=now.id, version=now.version, spec=spec)
        except EngineError as error:
            run.story.done.append(str(error))
        else:
            run.story.edited = [name for name in run.story.edited if name != service]
            return


def add_ingress(run: "Run", name: str) -> None:
    """Put another ingress there, behind the API."""
    run.engine.control("add_ingress", name=name, subnet="10.71.0.0/24")
