"""Small words for building a Swarm in tests: every argument has a plain, valid default.

``make_swarm()`` alone is a healthy cluster of three Linux nodes with the default ingress and one published service.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from overlayweb.domain.plans import IngressRequest, IngressSettings, Strategy
from overlayweb.domain.ports import PublishedPort
from overlayweb.domain.specs import Spec, ports_of
from overlayweb.domain.swarm import STACK_LABEL, IpamConfig, Mode, Network, Node, Service, Swarm, SwarmTask

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
INGRESS_ID = "ingressoldaaaaaaaaaaaaaaa"
GWBRIDGE_ID = "gwbridge" + "0" * 56

Ports = Iterable[int | PublishedPort]


def make_node(hostname: str = "node1", **changes: Any) -> Node:
    """A ready, active Linux worker; its address ends in the number at the end of its name."""
    number = int("".join(c for c in hostname if c.isdigit()) or 1)
    node = Node(
        id=f"id-{hostname}",
        hostname=hostname,
        role="manager" if number == 1 else "worker",
        state="ready",
        availability="active",
        address=f"192.168.50.{10 + number}",
        engine_version="28.5.2",
        leader=number == 1,
    )
    return replace(node, **changes)


def make_network(name: str = "backend", subnet: str = "10.0.9.0/24", **changes: Any) -> Network:
    """An allocated overlay; ``subnet`` "" makes one that is not allocated."""
    ipam = (IpamConfig(subnet=subnet, gateway=_first_address(subnet)),) if subnet else ()
    network = Network(
        id=f"id-{name}", name=name, driver="overlay" if subnet else "", scope="swarm", attachable=True, ipam=ipam
    )
    return replace(network, **changes)


def make_ingress(subnet: str = "10.0.0.0/24", **changes: Any) -> Network:
    """The ingress network that Swarm makes by itself."""
    defaults = {"id": INGRESS_ID, "ingress": True, "attachable": False}
    return make_network(subnet=subnet, **{"name": "ingress", **defaults, **changes})


def make_bridge(name: str = "docker_gwbridge", subnet: str = "172.18.0.0/16", **changes: Any) -> Network:
    """A network of the manager alone."""
    return make_network(name, subnet, **{"driver": "bridge", "scope": "local", "attachable": False, **changes})


def make_port(published: int | PublishedPort, *, target: int = 80, mode: str = "ingress") -> PublishedPort:
    """A port, unless it is one already."""
    if isinstance(published, PublishedPort):
        return published
    return PublishedPort(target_port=target, published_port=published, publish_mode=mode)


def make_spec(
    name: str = "shop_web",
    *,
    published: Ports = (8080,),
    replicas: int | None = 2,
    networks: Sequence[str] = (),
    update_config: Mapping[str, Any] | None = None,
    **extra: Any,
) -> Spec:
    """A ServiceSpec as the engine gives it back. ``replicas`` None: global. ``extra``: more top-level keys."""
    document: dict[str, Any] = {
        "Name": name,
        "Labels": {},
        "TaskTemplate": {
            "ContainerSpec": {"Image": "shop/web:1", "StopGracePeriod": 10_000_000_000},
            "Networks": [{"Target": network} for network in networks],
            "ForceUpdate": 0,
            "Runtime": "container",
        },
        "Mode": {"Global": {}} if replicas is None else {"Replicated": {"Replicas": replicas}},
    }
    if update_config is not None:
        document["UpdateConfig"] = dict(update_config)
    ports = [_raw_port(make_port(port)) for port in published]
    if ports:
        document["EndpointSpec"] = {"Mode": "vip", "Ports": ports}
    return Spec.of({**document, **extra})


def make_service(name: str = "shop_web", **changes: Any) -> Service:
    """A replicated service of two that publishes 8080.

    ``published``, ``networks``, ``update_config`` go into its spec, unless ``spec`` is given; a name such as
    ``shop_web`` puts it into the stack ``shop``. Ports of 0 get 30000, 30001, … in ``ports``.
    """
    mode = changes.get("mode", Mode.REPLICATED)
    replicas = changes.get("replicas", 2)
    spec = changes.pop("spec", None) or make_spec(
        name,
        published=changes.pop("published", (8080,)),
        replicas=None if mode in (Mode.GLOBAL, Mode.GLOBAL_JOB) else replicas,
        networks=changes.get("network_ids", ()),
        update_config=changes.pop("update_config", None),
    )
    stack = name.partition("_")[0] if "_" in name else ""
    service = Service(
        id=f"id-{name}",
        version=11,
        name=name,
        spec=spec,
        replicas=2,
        stack=stack,
        ports=_chosen(ports_of(spec)),
        labels=((STACK_LABEL, stack),) if stack else (),
    )
    return replace(service, **changes)


def make_swarm_task(service: Service, number: int = 1, **changes: Any) -> SwarmTask:
    """A running Swarm task, started 1.5 s after it was made, on node1, node2 or node3 in turn."""
    on_ingress = (INGRESS_ID,) if service.ingress_ports else ()
    swarm_task = SwarmTask(
        id=f"task-{service.name}-{number}",
        service_id=service.id,
        node_id=f"id-node{(number - 1) % 3 + 1}",
        state="running",
        desired_state="running",
        network_ids=(*on_ingress, *service.network_ids),
        container_id=f"container-{service.name}-{number}",
        created_at=NOW - timedelta(hours=1),
        state_at=NOW - timedelta(hours=1) + timedelta(seconds=1.5),
    )
    return replace(swarm_task, **changes)


def make_attachment(network: Network, container_id: str, **changes: Any) -> SwarmTask:
    """The Swarm task that stands for a container outside services; on node1."""
    row = SwarmTask(
        id=f"attachment-{container_id[:6]}",
        service_id="",
        node_id="id-node1",
        state="running",
        desired_state="running",
        network_ids=(network.id,),
        container_id=container_id,
    )
    return replace(row, **changes)


def make_swarm_tasks(service: Service, running: int | None = None, nodes: int = 3) -> tuple[SwarmTask, ...]:
    """As many running tasks as the service wants, or ``running``."""
    wanted = nodes if service.mode is Mode.GLOBAL else service.replicas
    count = wanted if running is None else running
    return tuple(make_swarm_task(service, n, node_id=f"id-node{(n - 1) % nodes + 1}") for n in range(1, count + 1))


def make_swarm(
    *,
    services: Sequence[Service] | None = None,
    nodes: int | Sequence[Node] = 3,
    networks: Sequence[Network] | None = None,
    swarm_tasks: Sequence[SwarmTask] | None = None,
    **changes: Any,
) -> Swarm:
    """A healthy Swarm. ``networks`` come beside docker_gwbridge and ``ingress`` (None: there is none)."""
    all_nodes = tuple(make_node(f"node{n}") for n in range(1, nodes + 1)) if isinstance(nodes, int) else tuple(nodes)
    all_services = tuple(services) if services is not None else (make_service(),)
    ingress = changes.pop("ingress", make_ingress())
    given = tuple(networks or ())
    defaults = (() if ingress is None else (ingress,), (make_bridge(),))
    if swarm_tasks is None:
        made = [task for s in all_services for task in make_swarm_tasks(s, nodes=len(all_nodes))]
        swarm_tasks = made if ingress else [replace(task, network_ids=()) for task in made]
    swarm = Swarm(
        id="swarm1",
        observed_at=NOW,
        engine_version="28.5.2",
        api_version="1.51",
        default_addr_pools=("10.0.0.0/8",),
        nodes=all_nodes,
        networks=(*defaults[0], *defaults[1], *given),
        services=all_services,
        swarm_tasks=tuple(swarm_tasks),
        latency_seconds=0.02,
        underlay_mtu=1500,
    )
    return replace(swarm, **changes)


def make_request(
    subnet: str = "10.11.0.0/16", *, strategies: Mapping[str, Strategy] | None = None, **settings: Any
) -> IngressRequest:
    """A valid request: another subnet, Docker's gateway, MTU unset."""
    return IngressRequest(
        settings=IngressSettings(subnet=subnet, **settings), strategies=tuple((strategies or {}).items())
    )


def _first_address(subnet: str) -> str:
    head, _, rest = subnet.partition("/")
    return f"{head.rsplit('.', 1)[0]}.1" if rest and ":" not in head else ""


def _raw_port(port: PublishedPort) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "Protocol": port.protocol,
        "TargetPort": port.target_port,
        "PublishMode": port.publish_mode,
    }
    return {**raw, "PublishedPort": port.published_port} if port.published_port else raw


def _chosen(ports: Iterable[PublishedPort]) -> tuple[PublishedPort, ...]:
    return tuple(
        port if port.published_port else replace(port, published_port=30000 + n) for n, port in enumerate(ports)
    )
