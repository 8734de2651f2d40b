"""Service specs: kept whole, changed only where the plan says, merged when somebody else edits.

A spec is the JSON document that the Engine API calls ``ServiceSpec``. It is carried as canonical JSON text
(sorted keys, no spaces), so that two specs are equal exactly when their bytes are.

Source of the facts: lab measurements on engines 20.10, 26.1 and 28.5 (docs/architecture.md, "Holding").
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from overlayweb.domain.ports import INGRESS_MODE, PublishedPort

HOLD_NANO_CPUS = 100_000 * 1_000_000_000
"""A reservation no node can meet: 100,000 CPUs. New tasks wait as pending, without a container."""

_NO_CHECK = "NONE"
"""By which a spec switches off the health check of its image."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spec:
    """One service spec as canonical JSON text. Compare with ``==``; read with :meth:`document`."""

    text: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Spec":
        """The spec that the document holds."""
        return cls(canonical(document))

    def document(self) -> Document:
        """A fresh, private copy: changing it changes nothing else."""
        loaded: Document = json.loads(self.text)
        return loaded

    @property
    def digest(self) -> str:
        """sha256 of the text, as hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def canonical(value: object) -> str:
    """Canonical JSON text of any JSON value: sorted keys, no spaces, UTF-8 kept."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def ports_of(spec: Spec) -> tuple[PublishedPort, ...]:
    """The ports that the spec publishes, as the operator wrote them (``published_port`` 0: Swarm chooses)."""
    if '"Ports":' not in spec.text:  # of thousands most publish nothing, and reading all of each takes its time
        return ()
    return tuple(_port(raw) for raw in _raw_ports(spec.document()))


def publishes_through_ingress(spec: Spec) -> bool:
    """Whether the spec holds a port in ingress mode, which keeps the ingress from being removed."""
    return any(port.publish_mode == INGRESS_MODE for port in ports_of(spec))


def has_health_check(spec: Spec) -> bool:
    """Whether the spec has one. One of the image is not seen: no manager shows images."""
    if '"Healthcheck":' not in spec.text:
        return False
    container = (spec.document().get("TaskTemplate") or {}).get("ContainerSpec") or {}
    test: list[str] = (container.get("Healthcheck") or {}).get("Test") or [_NO_CHECK]
    return test[0] != _NO_CHECK


def pinned(spec: Spec, chosen: Iterable[PublishedPort]) -> Spec:
    """The spec with every ingress port that Swarm chose written out.

    ``chosen`` is ``Endpoint.Ports``: a port left to Swarm is freed when unpublished and may come back as another.
    """
    written = ports_of(spec)
    if all(port.published_port or port.publish_mode != INGRESS_MODE for port in written):
        return spec
    available = [port for port in chosen if port not in written]

    def pin(document: Document) -> None:
        for raw in _raw_ports(document):
            port = _port(raw)
            if port.published_port or port.publish_mode != INGRESS_MODE:
                continue
            match = next((c for c in available if _same_target(c, port)), None)
            if match is not None:
                available.remove(match)
                raw["PublishedPort"] = match.published_port

    return _changed(spec, pin)


def unpublished(spec: Spec) -> Spec:
    """Ingress ports off, host-mode ports kept; all tasks at once, stop-first, never rolling back."""

    def change(document: Document) -> None:
        _drop_ingress_ports(document)
        document["UpdateConfig"] = _at_once("stop-first")

    return _changed(spec, change)


def republished(spec: Spec, *, publish: Iterable[PublishedPort], unpublish: Iterable[PublishedPort]) -> Spec:
    """The spec without the ports ``unpublish`` and with those of ``publish``; all others stay as and where they are.

    One that Swarm chose stands as 0 in a spec, and is meant by the number that it got. Nothing to do: the same spec.
    """
    document = spec.document()
    before = _raw_ports(document)
    kept = [*before]
    for port in unpublish:
        meant = (port, replace(port, published_port=0))
        row = next((raw for wanted in meant for raw in kept if _port(raw) == wanted), None)
        if row is not None:
            kept.remove(row)
    there = [_port(raw) for raw in kept]
    new = [_raw(port) for port in publish if port not in there]
    if len(kept) == len(before) and not new:
        return spec
    endpoint = _ensure(document, "EndpointSpec")
    endpoint.setdefault("Mode", "vip")  # as the engine writes it
    endpoint["Ports"] = [*kept, *new]
    if not endpoint["Ports"]:
        del endpoint["Ports"]  # as the engine gives it back
    return Spec.of(document)


def held(spec: Spec) -> Spec:
    """Unpublished, and with a reservation that no node can meet: containers stop once, their rows stay as proof.

    Not by scaling to 0: that hides tasks whose containers are still attached, and removing the ingress then
    wedges the cluster.
    """

    def change(document: Document) -> None:
        _drop_ingress_ports(document)
        template = document.setdefault("TaskTemplate", {})
        resources = _ensure(template, "Resources")
        _ensure(resources, "Reservations")["NanoCPUs"] = HOLD_NANO_CPUS
        document["UpdateConfig"] = _at_once("stop-first")

    return _changed(spec, change)


def starting(spec: Spec, *, was_held: bool) -> Spec:
    """The spec to publish again with, all tasks at once.

    A held service starts with ``start-first``: its "old" tasks are only pending, and with stop-first the updater
    waits a full minute for them. Others use ``stop-first``, since start-first with ports can lose mesh rules.
    """

    def change(document: Document) -> None:
        document["UpdateConfig"] = _at_once("start-first" if was_held else "stop-first")

    return _changed(spec, change)


def merged(*, base: Spec, current: Spec, target: Spec) -> Spec:
    """Three-way merge: what still is as we wrote it (``base``) becomes ``target``; what somebody changed stays.

    Published ports are merged one by one, so that the ingress ports of ``target`` are put back beside a
    stranger's new ones.
    """
    if same(base, current):
        return target
    result = _merge(base.document(), current.document(), target.document())
    _merge_ports(result, base=base, current=current, target=target)
    return Spec.of(result)


def same(left: Spec, right: Spec) -> bool:
    """Whether two specs mean the same: an engine leaves out what is empty or zero when it gives a spec back."""
    return bool(_pruned(left.document()) == _pruned(right.document()))


def differences(left: Spec, right: Spec) -> tuple[str, ...]:
    """Paths, such as ``TaskTemplate.ContainerSpec.Image``, at which two specs differ in meaning."""
    return tuple(_different(left.document(), right.document(), ""))


def _at_once(order: str) -> Document:
    # Parallelism 0: all tasks at once. Monitor, in nanoseconds: nobody waits to judge (0 would mean the default
    # of 5 s). "continue": a failing task must not roll the service back inside the window.
    return {"Parallelism": 0, "FailureAction": "continue", "Monitor": 1, "MaxFailureRatio": 0, "Order": order}


def _changed(spec: Spec, change: Callable[[Document], None]) -> Spec:
    document = spec.document()
    change(document)
    return Spec.of(document)


def _ensure(parent: Document, key: str) -> Document:
    if not isinstance(parent.get(key), dict):
        parent[key] = {}
    child: Document = parent[key]
    return child


def _raw_ports(document: Document) -> list[Document]:
    endpoint = document.get("EndpointSpec") or {}
    return endpoint.get("Ports") or []


def _port(raw: Document) -> PublishedPort:
    return PublishedPort(
        target_port=raw.get("TargetPort", 0),
        published_port=raw.get("PublishedPort", 0),
        protocol=raw.get("Protocol", "tcp"),
        publish_mode=raw.get("PublishMode", INGRESS_MODE),
    )


def _raw(port: PublishedPort) -> Document:
    numbers = {"PublishedPort": port.published_port} if port.published_port else {}
    return {"Protocol": port.protocol, "TargetPort": port.target_port, **numbers, "PublishMode": port.publish_mode}


def _same_target(left: PublishedPort, right: PublishedPort) -> bool:
    return (left.target_port, left.protocol, left.publish_mode) == (
        right.target_port,
        right.protocol,
        right.publish_mode,
    )


def _drop_ingress_ports(document: Document) -> None:
    kept = [raw for raw in _raw_ports(document) if _port(raw).publish_mode != INGRESS_MODE]
    endpoint = document.get("EndpointSpec")
    if endpoint:
        endpoint["Ports"] = kept
        if not kept:
            del endpoint["Ports"]  # as the engine gives it back


_ABSENT = object()


def _merge(base: Document, current: Document, target: Document) -> Document:
    result: Document = {}
    for key in sorted({*base, *current, *target}):
        value = _merge_value(base.get(key, _ABSENT), current.get(key, _ABSENT), target.get(key, _ABSENT))
        if value is not _ABSENT:
            result[key] = value
    return result


def _merge_value(base: Any, current: Any, target: Any) -> Any:
    if _pruned(current) == _pruned(base):
        return target
    if isinstance(base, dict) and isinstance(current, dict) and isinstance(target, dict):
        return _merge(base, current, target)
    if isinstance(base, dict) and isinstance(current, dict) and target is _ABSENT:
        return _merge(base, current, {}) or _ABSENT
    return current


def _merge_ports(result: Document, *, base: Spec, current: Spec, target: Spec) -> None:
    if _pruned(_raw_ports(base.document())) == _pruned(_raw_ports(current.document())):
        return
    ports = list(_raw_ports(current.document()))
    taken = {(p.published_port, p.protocol) for p in map(_port, ports)}
    for raw in _raw_ports(target.document()):
        port = _port(raw)
        if port.publish_mode == INGRESS_MODE and (port.published_port, port.protocol) not in taken:
            ports.append(raw)
    _ensure(result, "EndpointSpec")["Ports"] = ports


def _pruned(value: Any) -> Any:
    """The value without what is empty or zero at any depth; None when nothing is left."""
    if isinstance(value, dict):
        kept = {key: pruned for key, item in value.items() if (pruned := _pruned(item)) is not None}
        return kept or None
    if isinstance(value, list):
        return [_pruned(item) for item in value] or None
    return None if value is _ABSENT or not value else value


def _different(left: Any, right: Any, path: str) -> Iterable[str]:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted({*left, *right}):
            yield from _different(left.get(key), right.get(key), f"{path}.{key}" if path else key)
    elif _pruned(left) != _pruned(right):
        yield path
