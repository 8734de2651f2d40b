"""How long a plan takes, by the size of the cluster; and its address arithmetic beside the plain ``ipaddress`` way.

``python -m bench.plan [--rounds N] [--json FILE] [--markdown]`` needs no engine and takes some seconds.
"""

import argparse
import ipaddress
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench import machine
from bench.machine import Machine
from overlayweb.domain import ingress_plans, subnets
from overlayweb.domain.addresses import ReservedRange, holdings
from overlayweb.domain.plans import IngressRequest
from overlayweb.domain.swarm import Swarm
from tests.domain.builders import make_network, make_port, make_request, make_service, make_swarm

SIZES = (100, 1_000, 3_000)
TASKS_EACH = 3
FREE_PREFIX = 24
_FIRST_OVERLAY = 10 << 24
_FIRST_PORT, _PORTS, _TARGETS = 1_024, 60_000, 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Medians in milliseconds for ``size`` services and as many overlays: a plan, and the addresses both ways."""

    size: int
    plan: float
    addresses: float
    ipaddress: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run."""

    machine: Machine
    load: float
    rounds: int
    rows: tuple[Row, ...]


def main() -> None:
    """Measure every size; print the table."""
    options = _options()
    looked = machine.look(now=datetime.now(UTC))
    rows = tuple(_row(size, options.rounds) for size in SIZES)
    report = Report(machine=looked, load=machine.load(), rounds=options.rounds, rows=rows)
    if options.json:
        options.json.write_text(json.dumps(asdict(report), indent=2) + "\n")
    text = markdown(report)
    print(text if options.markdown else text.replace("*", "").replace("`", ""))


def make_cluster(size: int) -> Swarm:
    """``size`` published services of TASKS_EACH tasks on three nodes, and as many overlays, side by side from 10.0/24.

    Services beyond the ports that there are share them: the plan does not judge that, an engine would.
    """
    services = [
        make_service(
            f"stack{number % 50}_web{number}",
            replicas=TASKS_EACH,
            published=(make_port(_FIRST_PORT + number % _PORTS, target=_TARGETS),),
        )
        for number in range(size)
    ]
    overlays = [
        make_network(f"overlay{number}", f"{subnets.address_text(_FIRST_OVERLAY + ((number + 1) << 8))}/24")
        for number in range(size)
    ]
    return make_swarm(services=services, networks=overlays)


def free_by_ipaddress(swarm: Swarm, wanted: str) -> tuple[list[str], str]:
    """The overlays that ``wanted`` overlaps, and the next free subnet, as it is written without further thought."""
    taken = [(network.name, ipaddress.ip_network(ipam.subnet)) for network in swarm.networks for ipam in network.ipam]
    block = ipaddress.ip_network(wanted)
    met = [name for name, subnet in taken if subnet.overlaps(block)]
    candidates = ipaddress.ip_network("10.0.0.0/8").subnets(new_prefix=FREE_PREFIX)
    free = next(candidate for candidate in candidates if not any(candidate.overlaps(subnet) for _, subnet in taken))
    return met, str(free)


def free_by_us(swarm: Swarm, wanted: str) -> tuple[list[str], str]:
    """The same answers by the arithmetic that plans use."""
    held = holdings(swarm=replace(swarm, nodes=()), reserved=())
    block = subnets.parse(wanted)
    met = [holding.name for holding in held if subnets.overlaps(block, holding.subnet)]
    taken = [holding.subnet for holding in held]
    return met, str(subnets.next_free(prefix_length=FREE_PREFIX, taken=taken, pools=subnets.PRIVATE_BLOCKS))


def markdown(report: Report) -> str:
    """The section for docs/benchmarks.md."""
    lines = [
        "## Plan",
        "",
        f"{report.machine}; load average {report.load}; medians of {report.rounds}. `python -m bench.plan --markdown`",
        "",
        f"A plan for a cluster of so many services with {TASKS_EACH} tasks each and as many overlays, from observation",
        "to signed plan, for a subnet that overlaps others. Beside it the part that asks what overlaps and what is",
        "free, by the arithmetic of plans and by a plain loop over `ipaddress`.",
        "",
        "| Services | Plan, ms | Addresses, ms | Addresses by `ipaddress`, ms | `ipaddress` ÷ ours |",
        "| ---: | ---: | ---: | ---: | ---: |",
        *(_line(row) for row in report.rows),
    ]
    return "\n".join(lines)


def _line(row: Row) -> str:
    ratio = row.ipaddress / row.addresses
    return f"| {row.size:,} | {row.plan:.0f} | {row.addresses:.1f} | {row.ipaddress:.0f} | {ratio:.0f} |"


def _row(size: int, rounds: int) -> Row:
    swarm, request = make_cluster(size), make_request("10.0.0.0/20")
    subnet = request.settings.subnet
    assert free_by_us(swarm, subnet) == free_by_ipaddress(swarm, subnet), "the two ways disagree"
    return Row(
        size=size,
        plan=_median(lambda: _planned(swarm, request), rounds),
        addresses=_median(lambda: free_by_us(swarm, subnet), rounds),
        ipaddress=_median(lambda: free_by_ipaddress(swarm, subnet), min(rounds, 3)),
    )


def _planned(swarm: Swarm, request: IngressRequest) -> str:
    # A swarm groups its tasks once and remembers: each plan is of a fresh observation.
    fresh = replace(swarm)
    reserved: Sequence[ReservedRange] = (ReservedRange(name="office", cidr="192.168.0.0/16"),)
    return ingress_plans.build(swarm=fresh, request=request, reserved=reserved).sha256


def _median(act: Callable[[], object], rounds: int) -> float:
    """Milliseconds."""
    spent = []
    for _ in range(rounds):
        started = time.perf_counter()
        act()
        spent.append((time.perf_counter() - started) * 1000)
    return statistics.median(spent)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.plan", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="plans of each size (default 5)")
    parser.add_argument("--json", type=Path, help="write every number to this file")
    parser.add_argument("--markdown", action="store_true", help="print the section for docs/benchmarks.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
