"""Every problem of attaching and detaching at once: what Docker accepts and then hangs or fails on, and what is cut.

Source: swarmkit leaves tasks in NEW where a network is not allocated or has no address left; a host port is free for
the new container only when the old one has gone.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from overlayweb.domain import capacity, network_checks
from overlayweb.domain.addresses import starts_first, wanted_swarm_tasks
from overlayweb.domain.checks import publishing
from overlayweb.domain.checks.case import on_network, on_service
from overlayweb.domain.checks.start_first import start_first
from overlayweb.domain.inventory import JOBS
from overlayweb.domain.links import Link, Publication
from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.reach import aliases_of, on_networks
from overlayweb.domain.swarm import STACK_LABEL, Network, Service, Swarm
from overlayweb.domain.wording import several

_ALIAS = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?")
_BUSY = {"updating": "is being updated", "rollback_started": "is being rolled back"}
_PAUSED = {"paused": "an update of it has stopped", "rollback_paused": "its rollback has stopped"}
_WEIGHT = {Level.BLOCKER: 0, Level.WARNING: 1, Level.NOTICE: 2}


def find(
    *,
    swarm: Swarm,
    links: Sequence[Link],
    cuts: Mapping[str, Sequence[str]],
    publications: Sequence[Publication] = (),
) -> tuple[Finding, ...]:
    """All findings, blockers first. ``cuts``: names of the neighbours that each service loses, by its id."""
    services = {service.id: service for service in swarm.services}
    networks = {network.id: network for network in swarm.networks}
    found = [*_of_request(links, publications, services, networks)]
    ports = {row.service_id: row for row in publications}
    wanted = dict.fromkeys([*(link.service_id for link in links), *ports])
    for service in (services[key] for key in wanted if key in services):
        own = [link for link in links if link.service_id == service.id]
        publication = ports.get(service.id, Publication(service_id=service.id))
        found += [*_of_service(swarm, service), *_of_cuts(service, own, cuts)]
        found += start_first(swarm, replace(service, ports=publication.of(service.ports)))
        found += publishing.find(swarm=swarm, service=service, publication=publication)
    attached: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        if link.attach and link.service_id in services and link.network_id in networks:
            attached[link.network_id].append(link)
    for network_id, new in attached.items():
        found += _of_network(swarm, networks[network_id])
        found += _of_room(swarm, networks[network_id], [services[link.service_id] for link in new])
        found += _of_aliases(swarm, networks[network_id], new, services)
    return tuple(sorted(dict.fromkeys(found), key=lambda finding: _WEIGHT[finding.level]))


def _of_request(
    links: Sequence[Link],
    publications: Sequence[Publication],
    services: Mapping[str, Service],
    networks: Mapping[str, Network],
) -> Iterator[Finding]:
    if not links and not any(row.publish or row.unpublish for row in publications):
        yield _gone("no-change", "field", "networks", "Nothing is attached or detached.", "Tick a network.")
    yield from (_service_gone(row.service_id) for row in publications if row.service_id not in services)
    asked: set[tuple[str, str]] = set()
    for link in links:
        service, network = services.get(link.service_id), networks.get(link.network_id)
        if service is None:
            yield _service_gone(link.service_id)
        elif (link.service_id, link.network_id) in asked:
            message = f"{service.name} is asked for twice on the same network."
            yield on_service(level=Level.BLOCKER, code="link-twice", service=service, message=message,
                             remedy="Ask for it once.")  # fmt: skip
        elif network is None and link.attach:
            yield _gone("network-gone", "network", link.network_id, "The network is not there.", "Choose another.")
        elif (link.network_id in service.network_ids) == link.attach:
            name = network.name if network else link.network_id
            state = f"is on {name} already" if link.attach else f"is not on {name}"
            yield on_service(level=Level.BLOCKER, code="no-change", service=service, message=f"{service.name} {state}.",
                             remedy="Leave this pair out.")  # fmt: skip
        asked.add((link.service_id, link.network_id))


def _service_gone(service_id: str) -> Finding:
    return _gone("service-gone", "service", service_id, "The service is not there any more.", "Choose again.")


def _gone(code: str, about: str, subject: str, message: str, remedy: str) -> Finding:
    return Finding(level=Level.BLOCKER, code=code, about=about, subject=subject, message=message, remedy=remedy)


def _of_service(swarm: Swarm, service: Service) -> Iterator[Finding]:
    name, state = service.name, service.update_state
    if state in _BUSY:
        yield on_service(level=Level.BLOCKER, code="service-updating", service=service,
                         message=f"{name} {_BUSY[state]} now.", remedy="Wait until that is over.")  # fmt: skip
    if state in _PAUSED:
        words = f" {service.update_message}." if service.update_message else ""
        yield on_service(level=Level.BLOCKER, code="service-paused", service=service,
                         message=f"{name}: {_PAUSED[state]}.{words}",
                         remedy=f"Mend it, or run `docker service rollback {name}`.")  # fmt: skip
    if service.mode in JOBS or service.runtime != "container":
        yield on_service(level=Level.BLOCKER, code="service-job", service=service,
                         message=f"{name} is a job or a plugin: a change of its spec would run it anew.",
                         remedy="Make it anew as it shall be.")  # fmt: skip
    if service.id in swarm.own_service_ids:
        yield on_service(level=Level.BLOCKER, code="own-service", service=service,
                         message=f"{name} is Overlayweb itself and would stop in the middle of its own job.",
                         remedy="Use the commands by hand.")  # fmt: skip
    running, wanted = len(swarm.running_on(service.id)), wanted_swarm_tasks(swarm=swarm, service=service)
    if running < wanted and state not in _BUSY and service.mode not in JOBS:
        yield on_service(level=Level.WARNING, code="service-short", service=service,
                         message=f"{name} runs {running} of {wanted} containers now.",
                         remedy="Find out why first: the update may fail for the same reason.")  # fmt: skip
    if stack := dict(service.labels).get(STACK_LABEL):
        yield on_service(level=Level.WARNING, code="stack-service", service=service,
                         message=f"Stack {stack} deploys {name} by its own file, which the job does not change.",
                         remedy="Change the file too: its next deployment undoes this.")  # fmt: skip


def _of_cuts(service: Service, own: Sequence[Link], cuts: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    if lost := cuts.get(service.id, ()):
        named = several(lost, most=8)
        yield on_service(level=Level.WARNING, code="cuts-neighbours", service=service,
                         message=f"{service.name} and these no longer reach each other: {named}.",
                         remedy="Keep a network that they have in common, or see that they need not talk.")  # fmt: skip
    gone = {link.network_id for link in own if not link.attach}
    if gone and not {*service.network_ids} - gone and not any(link.attach for link in own):
        yield on_service(level=Level.WARNING, code="alone-after", service=service,
                         message=f"{service.name} is on no overlay afterwards: no other service finds it by name.",
                         remedy="Attach it to another network in the same change.")  # fmt: skip


def _of_network(swarm: Swarm, network: Network) -> Iterator[Finding]:
    if network.ingress:
        yield on_network(level=Level.BLOCKER, code="ingress", network=network,
                         message=f"{network.name} is the ingress: services come onto it by publishing a port.",
                         remedy="Choose another overlay.")  # fmt: skip
    elif network.scope != "swarm":
        yield on_network(level=Level.BLOCKER, code="local-scope", network=network,
                         message=f"{network.name} is a network of one node alone.",
                         remedy="Choose an overlay.")  # fmt: skip
    elif not network.registered:
        yield on_network(level=Level.BLOCKER, code="network-removed", network=network,
                         message=f"The Swarm has removed {network.name}; only a node still holds it.",
                         remedy="Choose another overlay.")  # fmt: skip
    elif not network.allocated:
        yield on_network(level=Level.BLOCKER, code="network-unallocated", network=network,
                         message=f"Swarm has given {network.name} no addresses: containers on it never start.",
                         remedy="Remove it and make it again with a free subnet.")  # fmt: skip
    windows = network_checks.run_windows(swarm)
    if network.encrypted and windows:
        yield on_network(level=Level.BLOCKER, code="encrypted-windows", network=network,
                         message=f"{network.name} is encrypted, and {windows}, which cannot.",
                         remedy="Choose an overlay without encryption.")  # fmt: skip


def _of_room(swarm: Swarm, network: Network, new: Sequence[Service]) -> Iterator[Finding]:
    filling = capacity.filling_of(swarm=swarm, network_id=network.id)
    if filling is None or network.ingress:
        return
    containers = sum(_containers_at_once(swarm, service) for service in new)
    vips = sum(map(_has_vip, new))
    need = filling.taken_by(containers=containers, vips=vips)
    if need > filling.free:
        nodes = need - containers - vips
        yield on_network(level=Level.BLOCKER, code="no-addresses", network=network,
                         message=f"{network.name} has {max(filling.free, 0)} addresses free, {need} are needed: "
                                 f"{containers} for containers (two each where they start first), {vips} for VIPs, "
                                 f"{nodes} for nodes that have no container on it yet.",
                         remedy="Choose a larger overlay, or replace this one by a larger one.")  # fmt: skip


def _containers_at_once(swarm: Swarm, service: Service) -> int:
    """At the worst moment of an update."""
    return wanted_swarm_tasks(swarm=swarm, service=service) * (2 if starts_first(service) else 1)


def _has_vip(service: Service) -> bool:
    mode: object = (service.spec.document().get("EndpointSpec") or {}).get("Mode", "vip")
    return mode != "dnsrr"


def _of_aliases(
    swarm: Swarm, network: Network, new: Sequence[Link], services: Mapping[str, Service]
) -> Iterator[Finding]:
    taken: dict[str, str] = {}
    for other in on_networks(swarm).get(network.id, ()):
        for name in (other.name, *aliases_of(other.spec).get(network.id, ())):
            taken.setdefault(name.lower(), other.name)
    for link in new:
        taken.setdefault(services[link.service_id].name.lower(), services[link.service_id].name)
    for link in new:
        service, own = services[link.service_id], [alias.lower() for alias in link.aliases]
        for alias in link.aliases:
            if not _ALIAS.fullmatch(alias):
                yield on_service(level=Level.BLOCKER, code="alias-invalid", service=service,
                                 message=f"“{alias}” is no name: letters, digits, “-”, “_” and “.”, 63 at most.",
                                 remedy="Type another alias.")  # fmt: skip
            holder = taken.get(alias.lower())
            if own.count(alias.lower()) > 1 or holder is not None:
                who = f"{holder} has it" if holder and own.count(alias.lower()) == 1 else "it is given twice"
                yield on_service(level=Level.BLOCKER, code="alias-taken", service=service,
                                 message=f"Alias {alias} on {network.name}: {who}, and callers would get either.",
                                 remedy="Type another alias.")  # fmt: skip
        taken.update(dict.fromkeys(own, service.name))
