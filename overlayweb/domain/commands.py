"""The ``docker`` commands that would do an ingress rebuild by hand, in the safe order, waits as comments.

Lines for a POSIX shell: a comment starts with "# ". Every name and value is quoted.
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from overlayweb.domain.ingress_settings import MTU_OPTION
from overlayweb.domain.links import Publication
from overlayweb.domain.plans import Effect, IngressSettings, Strategy
from overlayweb.domain.ports import INGRESS_MODE, PublishedPort
from overlayweb.domain.specs import HOLD_NANO_CPUS, Document, Spec, pinned, ports_of
from overlayweb.domain.swarm import Network, Node, Service, Swarm

NUDGE_LABEL = "com.overlayweb.nudge"
"""A node label, put on and taken off again, makes Swarm give the node the new ingress."""

_NANO = Decimal(1_000_000_000)


@dataclass(frozen=True, kw_only=True)
class Release:
    """One service and how it is taken off. ``spec`` with its ports pinned; ``release_after_seconds`` as planned.

    Each of its lines is made once: a plan of thousands is worked out again and again while it is typed.
    """

    service: Service
    spec: Spec
    strategy: Strategy
    release_after_seconds: float

    @property
    def held(self) -> bool:
        """Whether it is stopped, instead of started again without ports."""
        return self.strategy is Strategy.STOP

    @cached_property
    def name(self) -> str:
        """What the service is called, for a shell."""
        return _q(self.service.name)

    @cached_property
    def kept(self) -> str:
        """Its whole spec into a file."""
        return f"docker service inspect {self.name} > {_q(f'{self.service.name}.json')}"

    @cached_property
    def off(self) -> str:
        """Take it off the ingress."""
        words = [f"--publish-rm {word}" for word in self._ports]
        words += [f"--reserve-cpu {_cpus(HOLD_NANO_CPUS)}"] if self.held else []
        return self._update(*words, _at_once("stop-first"))

    @cached_property
    def on(self) -> str:
        """Publish it again."""
        words = [f"--publish-add {word}" for word in self._ports]
        words += [f"--reserve-cpu {_cpus(_reserved_nano_cpus(self._document))}"] if self.held else []
        return self._update(*words, _at_once("start-first" if self.held else "stop-first"))

    @cached_property
    def restored(self) -> str:
        """Put back how it is updated."""
        config = self._document.get("UpdateConfig") or {}
        words = (
            ("--update-parallelism", str(config.get("Parallelism", 1))),
            ("--update-delay", f"{config.get('Delay', 0)}ns"),
            ("--update-failure-action", config.get("FailureAction", "pause")),
            ("--update-monitor", f"{config.get('Monitor', 5_000_000_000)}ns"),
            ("--update-max-failure-ratio", str(config.get("MaxFailureRatio", 0))),
            ("--update-order", config.get("Order", "stop-first")),
        )
        return self._update(*(f"{flag} {_q(value)}" for flag, value in words))

    def _update(self, *words: str) -> str:
        return " ".join(["docker service update --detach", *words, self.name])

    @cached_property
    def _document(self) -> Document:
        return self.spec.document()

    @cached_property
    def _ports(self) -> list[str]:
        """Its ingress ports."""
        return [_q(publish_word(port)) for port in ports_of(self.spec) if port.publish_mode == INGRESS_MODE]


def releases(swarm: Swarm, effects: Sequence[Effect]) -> tuple[Release, ...]:
    """The services of these effects, each with its lines."""
    return swarm.lately(_releases, tuple(effects))


def _releases(swarm: Swarm, effects: tuple[Effect, ...]) -> tuple[Release, ...]:
    services = {service.id: service for service in swarm.published_services}
    return tuple(
        Release(
            service=(service := services[effect.service_id]),
            spec=pinned(service.spec, service.ports),
            strategy=effect.strategy,
            release_after_seconds=effect.release_after_seconds,
        )
        for effect in effects
    )


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


def publish_words(publication: Publication, *, now: tuple[PublishedPort, ...]) -> Iterator[str]:
    """The words of ``docker service update`` that give a service with the ports ``now`` its other ports.

    ``--publish-rm`` knows ports by their target alone: what stays of the same target is added again.
    """
    gone = dict.fromkeys(f"{port.target_port}/{port.protocol}" for port in publication.unpublish)
    for target in gone:
        yield from ("--publish-rm", target)
    for port in publication.of(now):
        if port in publication.publish or f"{port.target_port}/{port.protocol}" in gone:
            yield from ("--publish-add", publish_word(port))


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
    yield from (release.kept for release in releases)
    yield "# Take the services off the ingress, slow stoppers first."
    waited = 0.0
    for release in sorted(releases, key=lambda r: (r.release_after_seconds, r.service.name)):
        if release.release_after_seconds > waited:
            yield f"sleep {release.release_after_seconds - waited:.1f}"
            waited = release.release_after_seconds
        yield release.off
    yield "# Wait until every container that was on the ingress has ended: removing it earlier wedges the cluster."
    yield "# docker service ps NAME: current state Shutdown, Failed or Complete for every task older than the update."


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
    yield from (release.on for release in releases)
    yield "# Wait until every service is at full strength: docker service ls."
    yield "# Put back how each service is updated; compare with the files kept at the start."
    yield from (release.restored for release in releases)


def _at_once(order: str) -> str:
    # A monitor of 0 would mean the default of 5 s.
    return f"--update-parallelism 0 --update-failure-action continue --update-monitor 1ns --update-order {order}"


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
