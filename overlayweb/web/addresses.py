"""The address space of a cluster as a picture and as a table, and which of its overlays fill first."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from overlayweb.domain import capacity, space, subnets
from overlayweb.domain.space import Cell, Gap, Picture, Range, Row
from overlayweb.domain.subnets import ADDRESS_BITS, Subnet
from overlayweb.domain.swarm import Swarm
from overlayweb.models import Cluster, reserved_ranges
from overlayweb.services import clusters
from overlayweb.web.clusters import get_cluster

ROWS_PER_PAGE = 100
FILL_FIRST = 10
NAMED_IN_CELL = 4
KINDS = (
    ("ingress", "Ingress"),
    ("overlay", "Overlay"),
    ("local", "Local network of a node"),
    ("node", "Node address"),
    ("reserved", "Reserved"),
    ("pool", "Free, in Swarm's default pool"),
    ("free", "Free"),
)
KIND_WORDS = dict(KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the table: a range or a gap. ``view``: what is looked at."""

    view: Subnet
    row: Row | None = None
    gap: Gap | None = None

    @property
    def word(self) -> str:
        """The kind in words."""
        return KIND_WORDS[self.row.range.kind] if self.row and self.row.range.kind != space.POOL else ""

    @property
    def zoom(self) -> str:
        """What a click looks at, "" for nothing closer."""
        subnet = self.row.range.subnet if self.row else self.gap.largest if self.gap else self.view
        closer = subnet.prefix_length < ADDRESS_BITS and subnet != self.view and self.view.covers(subnet)
        return str(subnet) if closer else ""

    @property
    def first(self) -> int:
        """Where it begins, to sort by."""
        return self.row.range.subnet.first if self.row else self.gap.first if self.gap else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """One cell as it is drawn. ``fill``: quarters of it that are held, 1 for anything at all; ``words`` say it all."""

    cell: Cell
    fill: int
    words: str
    zoom: str


@require_safe
def addresses(request: HttpRequest, name: str) -> HttpResponse:
    """One view of the address space. ``at``: the subnet that is looked at; ``all``: every overlay's room."""
    found = get_cluster(request, name)
    sight = clusters.sight(cluster=found, now=timezone.now())
    page = {"cluster": found, "sight": sight, "swarm": sight.swarm}
    if sight.swarm:
        page |= _seen(request, found, sight.swarm)
    return render(request, "addresses.html", page)


def _seen(request: HttpRequest, cluster: Cluster, swarm: Swarm) -> dict[str, object]:
    ranges = space.ranges_of(swarm=swarm, reserved=reserved_ranges(cluster))
    tops = space.tops(ranges)
    asked, unreadable = _asked(request.GET.get("at", "").strip())
    view = asked or _first_view(ranges, tops)
    picture = space.picture(ranges=ranges, view=view)
    fillings = capacity.fillings(swarm=swarm)
    lines = Paginator(_lines(picture), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    top = next((top for top in tops if top.covers(view)), view)
    return {
        "view": view,
        "unreadable": unreadable,
        "picture": picture,
        "path": space.path_to(view=view, top=top),
        "tops": tops,
        "top": top,
        "legend": KINDS,
        "squares": [(row, [_square(cell) for cell in cells]) for row, cells in picture.lines],
        "lines": lines,
        "query": f"at={view}",
        "fillings": fillings if "all" in request.GET else fillings[:FILL_FIRST],
        "overlays": len(fillings),
        "estimated": any(row.measured is None for row in fillings),
    }


def _asked(text: str) -> tuple[Subnet | None, str]:
    """The subnet that is to be looked at, of an address its /24; or None, and what is wrong with the text."""
    try:
        return (subnets.parse(text), "") if text else (None, "")
    except subnets.NotASubnetError as error:
        meant = error.suggestion
        return (subnets.parse(meant), "") if meant else (None, f"{error}. Write it like 10.20.0.0/16, or 10.20.0.5.")


def _first_view(ranges: Sequence[Range], tops: Sequence[Subnet]) -> Subnet:
    """The block that has the ingress, or else the first."""
    ingress = next((row.subnet for row in ranges if row.kind == "ingress"), None)
    return next((top for top in tops if ingress and top.covers(ingress)), tops[0])


def _lines(picture: Picture) -> list[Line]:
    rows = [Line(view=picture.view, row=row) for row in picture.rows]
    gaps = [Line(view=picture.view, gap=gap) for gap in picture.gaps]
    return sorted([*rows, *gaps], key=lambda line: line.first)


def _square(cell: Cell) -> Square:
    names = [f"{KIND_WORDS[row.kind].lower()} {row.name} {row.subnet}" for row in cell.ranges]
    if len(names) > NAMED_IN_CELL:
        names = [*names[:NAMED_IN_CELL], f"{len(names) - NAMED_IN_CELL} more"]
    collides = ", collides" if cell.clashes else ""
    return Square(
        cell=cell,
        fill=max(1, round(4 * cell.share)) if cell.held else 0,
        words=f"{cell.subnet}: {', '.join(names) or KIND_WORDS[cell.kind].lower()}{collides}",
        zoom="" if cell.subnet.prefix_length == ADDRESS_BITS or not cell.held else str(cell.subnet),
    )
