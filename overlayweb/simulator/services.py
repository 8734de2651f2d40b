"""What is asked of services and their Swarm tasks. Source: moby, daemon/cluster; swarmkit, controlapi/service.go."""

from collections.abc import Mapping
from typing import Any

from overlayweb.simulator import published, service_specs
from overlayweb.simulator.documents import Documents
from overlayweb.simulator.errors import ApiError, not_found, out_of_sequence, rpc
from overlayweb.simulator.events import Events
from overlayweb.simulator.filters import Filters, Query
from overlayweb.simulator.networks import Networks
from overlayweb.simulator.nodes import Nodes
from overlayweb.simulator.records import Document, Service, State, SwarmTask
from overlayweb.simulator.store import Store

_KNOWN = frozenset({"id", "label", "mode", "name", "runtime"})
_DESIRED = frozenset({"accepted", "running", "shutdown"})
_KNOWN_OF_TASKS = frozenset({"_up-to-date", "desired-state", "id", "label", "name", "node", "runtime", "service"})


class Services:
    """Lists, inspects, creates, updates and removes services; lists and inspects Swarm tasks."""

    def __init__(self, store: Store, documents: Documents, nodes: Nodes, networks: Networks, events: Events) -> None:
        self._store = store
        self._documents = documents
        self._nodes = nodes
        self._networks = networks
        self._events = events

    def find(self, ref: str) -> Service:
        """By id, name or a beginning of the id that only it has. Raises ApiError 404."""
        services = self._store.services
        if ref in services:
            return services[ref]
        found = [row for row in services.values() if row.name == ref]
        found = found or [row for key, row in services.items() if ref and key.startswith(ref)]
        if len(found) != 1:
            raise not_found("service", ref)
        return found[0]

    def listed(self, filters: Filters | None, *, status: bool) -> list[Document]:
        """GET /services, with how many Swarm tasks run and how many are wanted when ``status`` is asked for."""
        query = Query(filters, known=_KNOWN, old=self._nodes.old)
        rows = [row for row in self._store.services.values() if not query or _matches(row, query)]
        if not status:
            return [self._documents.service(row) for row in rows]
        return [{**self._documents.service(row), "ServiceStatus": self._status(row)} for row in rows]

    def create(self, body: Mapping[str, Any]) -> Service:
        """POST /services/create. What it needs to run is found out later, by others."""
        service_specs.refuse(body)
        spec = self._with_network_ids(service_specs.normal(body))
        published.refuse_conflicts(spec, self._store.services.values())
        self._require_ingress(spec)
        if any(row.name == spec["Name"] for row in self._store.services.values()):
            words = f"name conflicts with an existing object: service {spec['Name']} already exists"
            raise rpc("AlreadyExists", words)
        service = Service(id=self._store.names.swarm_id(), spec=spec)
        self._store.add(service)
        service.spec_version = service.version
        self._events.say("service", "create", service)
        return service

    def update(self, ref: str, version: int, body: Mapping[str, Any], *, rollback: str = "") -> Service:
        """POST /services/{id}/update: replaces the spec, or puts the previous one back. Any update unpauses."""
        service = self.find(ref)
        if rollback not in {"", "previous"}:
            raise ApiError(500, f"unrecognized rollback option {rollback}")
        service_specs.refuse(body)
        spec = self._with_network_ids(service_specs.normal(body))
        if spec.get("EndpointSpec") != service.spec.get("EndpointSpec"):
            published.refuse_conflicts(spec, self._store.services.values(), but=service.id)
        _refuse_change(service, spec)
        if version != service.version:
            raise out_of_sequence()
        if rollback:
            self._put_back(service)
        else:
            self._require_ingress(spec)
            service.previous_spec, service.previous_spec_version = service.spec, service.spec_version
            service.spec, service.spec_version, service.update_status = spec, self._store.index + 1, None
        self._store.write(service)
        self._events.say("service", "update", service)
        return service

    def _put_back(self, service: Service) -> None:
        if service.previous_spec is None:
            raise rpc("FailedPrecondition", f"service {service.id} does not have a previous spec")
        self._require_ingress(service.previous_spec)
        before = service.spec, service.spec_version
        service.spec, service.spec_version = service.previous_spec, service.previous_spec_version
        service.previous_spec, service.previous_spec_version = before
        since = self._store.moment(self._store.now)
        service.update_status = {
            "State": "rollback_started",
            "StartedAt": since,
            "Message": "manually requested rollback",
        }

    def remove(self, ref: str) -> None:
        """DELETE /services/{id}. Its containers stop by and by."""
        service = self.find(ref)
        self._store.remove(service)
        self._events.say("service", "remove", service)

    # -- Swarm tasks

    def task(self, ref: str) -> SwarmTask:
        """A Swarm task by id or a beginning of it. Raises ApiError 404."""
        tasks = self._store.tasks
        found = [tasks[ref]] if ref in tasks else [row for key, row in tasks.items() if ref and key.startswith(ref)]
        if len(found) != 1:
            raise not_found("task", ref)
        return found[0]

    def tasks(self, filters: Filters | None) -> list[Document]:
        """GET /tasks. Raises ApiError 404 for a service or node that is not there: its rows can not be asked for."""
        query = Query(filters, known=_KNOWN_OF_TASKS, old=self._nodes.old)
        if not query:
            return [self._documents.task(row) for row in self._store.tasks.values() if row.service_id]
        for state in query.values("desired-state"):
            if state not in _DESIRED:
                raise ApiError(500, f"Invalid desired-state filter: '{state}'")
        of = {self.find(ref).id for ref in query.values("service")}
        on = {self._nodes.find(ref).id for ref in query.values("node")}
        rows: list[SwarmTask] = []
        pools = [self._store.tasks_by_service.get(key, {}) for key in of] if of else [self._store.tasks]
        for pool in pools:
            rows += [row for row in pool.values() if (not on or row.node_id in on) and _task_matches(row, query)]
        names = query.values("name")
        if names:
            rows = [row for row in rows if any(self._task_name(row).startswith(name) for name in names)]
        return [self._documents.task(row) for row in rows]

    def _task_name(self, swarm_task: SwarmTask) -> str:
        service = self._store.services.get(swarm_task.service_id)
        return f"{service.name if service else ''}.{swarm_task.slot or swarm_task.node_id}.{swarm_task.id}"

    def _status(self, service: Service) -> Document:
        rows = self._store.tasks_by_service.get(service.id, {}).values()
        running = sum(row.state is State.RUNNING and row.wanted for row in rows)
        replicated = service.spec["Mode"].get("Replicated")
        wanted = replicated["Replicas"] if replicated else sum(row.wanted for row in rows)
        return {"RunningTasks": running, "DesiredTasks": wanted, "CompletedTasks": 0}

    # -- what is refused, and made fit

    def _require_ingress(self, spec: Document) -> None:
        if published.through_ingress(spec) and self._store.ingress() is None:
            words = "service needs ingress network, but no ingress network is present"
            raise rpc("FailedPrecondition", words)

    def _with_network_ids(self, spec: Document) -> Document:
        """The spec with networks named by id, as the engine stores them."""
        template = spec["TaskTemplate"]
        if template.get("Networks"):
            spec = {
                **spec,
                "TaskTemplate": {**template, "Networks": [self._by_id(row) for row in template["Networks"]]},
            }
        if spec.get("Networks"):
            spec = {**spec, "Networks": [self._by_id(row) for row in spec["Networks"]]}
        return spec

    def _by_id(self, row: Document) -> Document:
        try:
            network = self._networks.find(str(row.get("Target", "")))
        except ApiError as error:
            raise ApiError(500, error.message) from error  # an engine does not say here that it is a 404
        if network.ingress:
            words = f'Service cannot be explicitly attached to the ingress network "{network.name}"'
            raise rpc("InvalidArgument", words)
        return {**row, "Target": network.id}


def _refuse_change(service: Service, spec: Document) -> None:
    old, new = service.spec, spec
    moved = (old.get("Networks") or []) != (new.get("Networks") or [])
    if moved and old["TaskTemplate"].get("Networks") == new["TaskTemplate"].get("Networks"):
        raise rpc("Unimplemented", "updating networks of a service is not supported")
    if set(old["Mode"]) != set(new["Mode"]):
        raise rpc("Unimplemented", "service mode change is not allowed")
    if old["Name"] != new["Name"]:
        raise rpc("Unimplemented", "renaming services is not supported")


def _matches(service: Service, query: Query) -> bool:
    mode = {
        "Replicated": "replicated",
        "Global": "global",
        "ReplicatedJob": "replicated-job",
        "GlobalJob": "global-job",
    }
    return (
        query.begins("id", service.id)
        and query.begins("name", service.name)
        and query.labels("label", service.spec.get("Labels") or {})
        and query.exact("mode", *(mode[key] for key in service.spec["Mode"] if key in mode))
        and query.exact("runtime", str(service.template.get("Runtime", "container")))
    )


def _task_matches(swarm_task: SwarmTask, query: Query) -> bool:
    wanted = {"running", "accepted"} if swarm_task.wanted else {"shutdown"}
    runtime = str(swarm_task.spec.get("Runtime", "container"))
    return (
        query.begins("id", swarm_task.id)
        and (not query.values("desired-state") or bool(wanted & set(query.values("desired-state"))))
        and query.labels("label", (swarm_task.spec.get("ContainerSpec") or {}).get("Labels") or {})
        and query.exact("runtime", runtime)
        and (bool(swarm_task.service_id) or bool(query.values("runtime")))
    )
