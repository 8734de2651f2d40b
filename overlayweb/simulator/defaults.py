"""The defaults that an engine fills into a service when it is asked for them. Source: swarmkit, api/defaults."""

from typing import Any

Document = dict[str, Any]

_SECOND = 1_000_000_000
_UPDATE = {
    "Parallelism": 1,
    "FailureAction": "pause",
    "Monitor": 5 * _SECOND,
    "MaxFailureRatio": 0,
    "Order": "stop-first",
}
_RESTART = {"Condition": "any", "Delay": 5 * _SECOND, "MaxAttempts": 0}


def with_defaults(service: Document) -> Document:
    """A service document with what its spec leaves open said. The one given stays as it is."""
    spec = service["Spec"]
    return {**service, "Spec": _spec(spec)}


def _spec(spec: Document) -> Document:
    return {
        **spec,
        "TaskTemplate": _template(spec["TaskTemplate"]),
        "Mode": _mode(spec["Mode"]),
        "UpdateConfig": {**_UPDATE, **(spec.get("UpdateConfig") or {})},
        "RollbackConfig": {**_UPDATE, **(spec.get("RollbackConfig") or {})},
    }


def _template(template: Document) -> Document:
    container = {"StopGracePeriod": 10 * _SECOND, "DNSConfig": {}, **template["ContainerSpec"]}
    return {
        "Resources": {},
        "Placement": {},
        **template,
        "ContainerSpec": container,
        "RestartPolicy": {**_RESTART, **(template.get("RestartPolicy") or {})},
    }


def _mode(mode: Document) -> Document:
    return {"Replicated": {"Replicas": 1, **mode["Replicated"]}} if "Replicated" in mode else mode
