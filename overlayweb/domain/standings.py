"""How the networks of a Swarm and the ports of its services are, and how approved plans say that they shall be.

Both sides are the same small record, so that they can be held against each other, kept, and shown value by value.
"""

import hashlib
from collections.abc import Container, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

from overlayweb.domain import ingress_plans
from overlayweb.domain.connect_plans import ConnectPlan
from overlayweb.domain.ingress_settings import JOB_LABEL_PREFIX, MTU_OPTION, VXLAN_IDS_OPTION, settings_of
from overlayweb.domain.links import Publication
from overlayweb.domain.network_settings import ENCRYPTED_OPTION, NetworkSettings
from overlayweb.domain.plans import IngressPlan, IngressSettings, Plan
from overlayweb.domain.ports import INGRESS_MODE, PublishedPort
from overlayweb.domain.specs import canonical
from overlayweb.domain.swarm import IpamConfig, Network, Service, Swarm

NONE = "none"
UNSET = "unset"
YES = "yes"


class Subject(StrEnum):
    """What can stand as approved or otherwise."""

    INGRESS = "ingress"
    """The one ingress of the Swarm, whatever it is called."""
    NETWORK = "network"
    """An overlay, by name: a Swarm has one of each name."""
    PORTS = "ports"
    """The published ports of a service, by its name: a stack that is deployed anew gives it another id."""


Values = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one thing is, or shall be. ``values``: (setting, value in words) pairs; what is not named may be anything.

    ``there`` False: it shall not exist. ``name`` is "" for the ingress.
    """

    subject: Subject
    name: str = ""
    values: Values = ()
    there: bool = True

    def __str__(self) -> str:
        told = "; ".join(f"{setting}: {value}" for setting, value in self.values)
        return told.replace("\n", " ") if self.there else "not there"

    @property
    def key(self) -> tuple[Subject, str]:
        """What it is about."""
        return self.subject, self.name

    @property
    def digest(self) -> str:
        """sha256 of everything that it says, as hexadecimal digits: by it a person adopts what they have read."""
        return hashlib.sha256(canonical(asdict(self)).encode()).hexdigest()


def of_ingress(settings: IngressSettings) -> Standing:
    """An ingress with these settings."""
    return Standing(
        subject=Subject.INGRESS,
        values=(
            ("Name", settings.name),
            ("Subnet", settings.subnet),
            ("Gateway", settings.gateway),
            ("MTU", str(settings.mtu or UNSET)),
            ("IP range", settings.ip_range or UNSET),
            ("Labels", _pairs(settings.labels)),
        ),
    )


def ingress_settings(standing: Standing) -> IngressSettings:
    """The settings that an ingress standing tells of, so that they can be asked for again."""
    told = dict(standing.values)
    return IngressSettings(
        name=told["Name"],
        subnet=told["Subnet"],
        gateway=told["Gateway"],
        mtu=int(told["MTU"]) if told["MTU"] != UNSET else None,
        ip_range="" if told["IP range"] == UNSET else told["IP range"],
        labels=pairs_of(told["Labels"]),
    )


def pairs_of(text: str) -> tuple[tuple[str, str], ...]:
    """Labels or options from their words, one "key=value" a line."""
    rows = (line.partition("=") for line in text.splitlines()) if text != NONE else ()
    return tuple((key, value) for key, _, value in rows)


def of_network(network: Network) -> Standing:
    """An overlay as it is seen. What a job wrote on it to find it again, and what Swarm chose, are no settings."""
    return Standing(
        subject=Subject.NETWORK,
        name=network.name,
        values=(
            ("Subnets", subnets_text(network.ipam)),
            ("MTU", network.mtu or UNSET),
            ("Attachable", _yes(network.attachable)),
            ("Internal", _yes(network.internal)),
            ("Encrypted", _yes(network.encrypted)),
            ("Labels", _pairs(network.labels)),
            ("Options", _pairs(row for row in network.options if row[0] not in _OWN_OPTIONS)),
        ),
    )


_OWN_OPTIONS = frozenset({MTU_OPTION, ENCRYPTED_OPTION, VXLAN_IDS_OPTION})


def of_settings(settings: NetworkSettings) -> Standing:
    """An overlay with these settings. Where no subnet was named, Swarm may have chosen any."""
    named = tuple(row for row in settings.subnets if row.subnet)
    return Standing(
        subject=Subject.NETWORK,
        name=settings.name,
        values=(
            *((("Subnets", subnets_text(named)),) if named else ()),
            ("MTU", str(settings.mtu or UNSET)),
            ("Attachable", _yes(settings.attachable)),
            ("Internal", _yes(settings.internal)),
            ("Encrypted", _yes(settings.encrypted)),
            ("Labels", _pairs(settings.labels)),
            ("Options", _pairs(settings.options)),
        ),
    )


def network_settings(standing: Standing) -> NetworkSettings:
    """The settings that an overlay's standing tells of, so that they can be asked for again."""
    told = dict(standing.values)
    subnets = told.get("Subnets", NONE)
    return NetworkSettings(
        name=standing.name,
        subnets=tuple(map(_ipam, subnets.split(", "))) if subnets != NONE else (),
        mtu=int(told["MTU"]) if told["MTU"].isdecimal() else None,
        attachable=told["Attachable"] == YES,
        internal=told["Internal"] == YES,
        encrypted=told["Encrypted"] == YES,
        labels=pairs_of(told["Labels"]),
        options=pairs_of(told["Options"]),
    )


def of_ports(service_name: str, ports: Iterable[PublishedPort]) -> Standing:
    """The published ports of a service."""
    return Standing(subject=Subject.PORTS, name=service_name, values=(("Ports", ports_text(ports)),))


def subnets_text(ipam: Iterable[IpamConfig]) -> str:
    """Subnets in words: "10.0.9.0/24 gateway 10.0.9.1"; "none" for a network that is not allocated."""
    return ", ".join(map(_subnet, ipam)) or NONE


def ports_text(ports: Iterable[PublishedPort]) -> str:
    """Ports in words, in order: "8080→80/tcp, 9000→9000/tcp host"."""
    ordered = sorted(ports, key=lambda p: (p.publish_mode, p.published_port, p.target_port, p.protocol))
    return ", ".join(f"{p}{'' if p.publish_mode == INGRESS_MODE else ' host'}" for p in ordered) or NONE


def ports_of(text: str) -> tuple[PublishedPort, ...]:
    """Ports from their words, as :func:`ports_text` writes them."""
    return tuple(_port(word) for word in text.split(", ")) if text != NONE else ()


def of_plan(plan: Plan) -> tuple[Standing, ...]:
    """What the plan says shall be, once it is carried out."""
    made = _ingress_plan(plan) if isinstance(plan, IngressPlan) else _overlay_plan(plan)
    return (*made, *_ports(plan))


def seen(swarm: Swarm, about: Container[tuple[Subject, str]] | None = None) -> tuple[Standing, ...]:
    """How everything is: the ingress where there is one, each overlay, the ports of each service.

    ``about``: keys of standings, to learn of those overlays and ports alone; of thousands few were ever approved.
    """
    found = swarm.ingress_networks
    ingress = (of_ingress(settings_of(found[0])),) if len(found) == 1 else ()
    overlays = (n for n in overlays_of(swarm) if about is None or (Subject.NETWORK, n.name) in about)
    services = (s for s in swarm.services if about is None or (Subject.PORTS, s.name) in about)
    return (*ingress, *map(of_network, overlays), *(of_ports(s.name, s.ports) for s in services))


def overlays_of(swarm: Swarm) -> tuple[Network, ...]:
    """The networks that people make: of the Swarm, and not the ingress."""
    return tuple(n for n in swarm.networks if n.scope == "swarm" and n.registered and not n.ingress)


def publication(service: Service, wanted: Standing) -> Publication:
    """What brings the published ports of the service to how they shall be."""
    shall = ports_of(dict(wanted.values)["Ports"])
    return Publication(
        service_id=service.id,
        publish=tuple(port for port in shall if port not in service.ports),
        unpublish=tuple(port for port in service.ports if port not in shall),
    )


def _ingress_plan(made: IngressPlan) -> Iterator[Standing]:
    # A repair that leaves the ingress in place approves nothing about its settings.
    if made.kind == ingress_plans.KIND or any(step.name == "create" for step in made.steps):
        yield of_ingress(made.after)


def _overlay_plan(plan: Plan) -> Iterator[Standing]:
    """By what plans of overlays hold: ``before`` is what leaves, ``after``, or what was asked for, what comes."""
    before, after = getattr(plan, "before", None), getattr(plan, "after", getattr(plan.request, "settings", None))
    stays = isinstance(before, NetworkSettings) and isinstance(after, NetworkSettings) and after.name == before.name
    if isinstance(before, NetworkSettings) and not stays:
        yield Standing(subject=Subject.NETWORK, name=before.name, there=False)
    if isinstance(after, NetworkSettings):
        yield of_settings(after)


def _ports(plan: Plan) -> Iterator[Standing]:
    changed = {row.service_id: row for row in plan.request.publications} if isinstance(plan, ConnectPlan) else {}
    for effect in plan.effects:
        ports, publication = (*effect.ports, *effect.host_ports), changed.get(effect.service_id)
        if publication is not None:
            yield of_ports(effect.service_name, publication.of(ports))
        elif ports:
            yield of_ports(effect.service_name, ports)


def _port(word: str) -> PublishedPort:
    numbers, _, mode = word.partition(" ")
    published, _, rest = numbers.partition("→")
    target, _, protocol = rest.partition("/")
    return PublishedPort(
        target_port=int(target),
        published_port=0 if published == "auto" else int(published),
        protocol=protocol,
        publish_mode=mode or INGRESS_MODE,
    )


def _subnet(ipam: IpamConfig) -> str:
    gateway = f" gateway {ipam.gateway.partition('/')[0]}" if ipam.gateway else ""
    return f"{ipam.subnet}{gateway}{f' range {ipam.ip_range}' if ipam.ip_range else ''}"


def _ipam(words: str) -> IpamConfig:
    subnet, *rest = words.split(" ")
    told = dict(zip(rest[::2], rest[1::2], strict=True))
    return IpamConfig(subnet=subnet, gateway=told.get("gateway", ""), ip_range=told.get("range", ""))


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    kept = (f"{key}={value}" for key, value in sorted(pairs) if not key.startswith(JOB_LABEL_PREFIX))
    return "\n".join(kept) or NONE


def _yes(flag: object) -> str:
    return YES if flag else "no"
