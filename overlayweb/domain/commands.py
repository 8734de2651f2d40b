"""The ``docker`` commands that would do an ingress rebuild by hand, in the safe order, waits as comments.

Lines for a POSIX shell: a comment starts with "# ". Every name and value is quoted.
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from overlayweb.domain.ingress_settings import MTU_OPTION
from overlayweb.domain.plans import IngressSettings, Strategy
from overlayweb.domain.ports import INGRESS_MODE, PublishedPort
from overlayweb.domain.specs import HOLD_NANO_CPUS, Document, Spec, ports_of
from overlayweb.domain.swarm import Network, Node, Service

NUDGE_LABEL = "com.overlayweb.nudge"
"""A node label, put on and taken off again, makes Swarm give the node the new ingress."""

_NANO = Decimal(1_000_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One service and how it is taken off. ``spec`` with its ports pinned; ``release_after_seconds`` as planned."""

    service: Service
    spec: Spec
    strategy: Strategy
    release_after_seconds: float

    @property
    def held(self) -> bool:
        """Whether it is stopped, instead of started again without ports."""
        return self.strategy is Strategy.STOP

    @property
    def ports(self) -> tuple[PublishedPort, ...]:
        """Its ingress ports."""
        return tuple(port for port in ports_of(self.spec) if port.publish_mode == INGRESS_MODE)


def rebuild(
    *, removed: Sequence[Network], after: IngressSettings, releases: Sequence[Release], nodes: Sequence[Node]
) -> tuple[str, ...]:
    """The whole rebuild, one line each. ``removed``: the ingress networks that go, in this order."""
    return (
        *(_release_all(releases) if releases else ()),
        *(_remove(removed) if removed else ()),
        create_ingress(after),
        f"# Wait until it is allocated: docker network inspect {_q(after.name)} shows its subnet.",
        *_nudge(nodes),
        *(_publish_all(releases) if releases else ()),
    )


def ports_back(service_name: str, *, now: Iterable[PublishedPort], wanted: Iterable[PublishedPort]) -> str:
    """``docker service update`` that gives a service other published ports; its containers start anew."""
    have, want = set(now), set(wanted)
    gone = [f"--publish-rm {p.target_port}/{p.protocol}" for p in sorted(have - want, key=str)]
    come = [
        f"--publish-add published={p.published_port},target={p.target_port},protocol={p.protocol},mode={p.publish_mode}"
        for p in sorted(want - have, key=str)
    ]
    return " ".join(["docker service update", *gone, *come, _q(service_name)])


def create_ingress(settings: IngressSettings) -> str:
    """``docker network create`` for these settings."""
    options = [("--subnet", settings.subnet), ("--gateway", settings.gateway), ("--ip-range", settings.ip_range)]
    if settings.mtu is not None:
        options.append(("--opt", f"{MTU_OPTION}={settings.mtu}"))
    options += [("--label", f"{key}={value}") for key, value in settings.labels]
    words = [word for flag, value in options if value for word in (flag, value)]
    return _line("docker", "network", "create", "--driver", "overlay", "--ingress", *words, settings.name)


def publish_word(port: PublishedPort) -> str:
    """The long form of a published port: ``published=8080,target=80,protocol=tcp,mode=ingress``."""
    published = f"published={port.published_port}," if port.published_port else ""
    return f"{published}target={port.target_port},protocol={port.protocol},mode={port.publish_mode}"


def _release_all(releases: Sequence[Release]) -> Iterator[str]:
    yield "# Keep what you change: each service's whole spec."
    for release in releases:
        yield f"docker service inspect {_q(release.service.name)} > {_q(f'{release.service.name}.json')}"
    yield "# Take the services off the ingress, slow stoppers first."
    waited = 0.0
    for release in sorted(releases, key=lambda r: (r.release_after_seconds, r.service.name)):
        if release.release_after_seconds > waited:
            yield f"sleep {release.release_after_seconds - waited:.1f}"
            waited = release.release_after_seconds
        yield _release(release)
    yield "# Wait until every container that was on the ingress has ended: removing it earlier wedges the cluster."
    yield "# docker service ps NAME: current state Shutdown, Failed or Complete for every task older than the update."


def _release(release: Release) -> str:
    words = [word for port in release.ports for word in ("--publish-rm", publish_word(port))]
    if release.held:
        words += ["--reserve-cpu", _cpus(HOLD_NANO_CPUS)]
    return _line("docker", "service", "update", "--detach", *words, *_at_once("stop-first"), release.service.name)


def _remove(removed: Sequence[Network]) -> Iterator[str]:
    yield "# From here on there is no ingress until the new one is there. The command asks; y answers it."
    yield from (f"echo y | docker network rm {_q(network.id)}" for network in removed)
    words = dict.fromkeys([*(network.id for network in removed), *(network.name for network in removed)])
    yield f"# Wait until docker network inspect finds neither {' nor '.join(_quoted(words))}."


def _nudge(nodes: Sequence[Node]) -> Iterator[str]:
    yield "# Nudge every node, so that those without published containers get the new ingress too."
    for node in nodes:
        yield _line("docker", "node", "update", "--label-add", f"{NUDGE_LABEL}=1", node.id)
    for node in nodes:
        yield _line("docker", "node", "update", "--label-rm", NUDGE_LABEL, node.id)


def _publish_all(releases: Sequence[Release]) -> Iterator[str]:
    yield "# Publish again, all at once."
    yield from (_publish(release) for release in releases)
    yield "# Wait until every service is at full strength: docker service ls."
    yield "# Put back how each service is updated; compare with the files kept at the start."
    yield from (_restore(release) for release in releases)


def _publish(release: Release) -> str:
    words = [word for port in release.ports for word in ("--publish-add", publish_word(port))]
    if release.held:
        words += ["--reserve-cpu", _cpus(_reserved_nano_cpus(release.spec.document()))]
    order = "start-first" if release.held else "stop-first"
    return _line("docker", "service", "update", "--detach", *words, *_at_once(order), release.service.name)


def _restore(release: Release) -> str:
    config = release.spec.document().get("UpdateConfig") or {}
    words = [
        ("--update-parallelism", str(config.get("Parallelism", 1))),
        ("--update-delay", f"{config.get('Delay', 0)}ns"),
        ("--update-failure-action", config.get("FailureAction", "pause")),
        ("--update-monitor", f"{config.get('Monitor', 5_000_000_000)}ns"),
        ("--update-max-failure-ratio", str(config.get("MaxFailureRatio", 0))),
        ("--update-order", config.get("Order", "stop-first")),
    ]
    flags = [word for pair in words for word in pair]
    return _line("docker", "service", "update", "--detach", *flags, release.service.name)


def _at_once(order: str) -> tuple[str, ...]:
    # A monitor of 0 would mean the default of 5 s.
    return (
        "--update-parallelism", "0",
        "--update-failure-action", "continue",
        "--update-monitor", "1ns",
        "--update-order", order,
    )  # fmt: skip


def _reserved_nano_cpus(document: Document) -> int:
    resources = (document.get("TaskTemplate") or {}).get("Resources") or {}
    return int((resources.get("Reservations") or {}).get("NanoCPUs", 0))


def _cpus(nano_cpus: int) -> str:
    return f"{(Decimal(nano_cpus) / _NANO).normalize():f}"


def _line(*words: str) -> str:
    return " ".join(_quoted(words))


def _quoted(words: Iterable[str]) -> Iterator[str]:
    return (shlex.quote(word) for word in words)


def _q(word: str) -> str:
    return shlex.quote(word)
