"""A long list on a page: what the address asks for, the columns that sort it, and one page of its rows."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

ROWS_PER_PAGE = 50
LONGEST_TEXT = 200
USUAL_ORDER = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the address asks for. ``order`` with "-" in front for the other way round; ``usual``: if none is named."""

    text: str
    kind: str
    order: str
    usual: str = USUAL_ORDER

    def query(self, **changes: str) -> str:
        """The part of an address that asks for this; what is usual is left out."""
        asked = {"q": self.text, "show": self.kind, "sort": self.order, **changes}
        usual = {"q": "", "show": "", "sort": self.usual}
        return urlencode({name: value for name, value in asked.items() if value != usual.get(name)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column's head. ``query``: the address that sorts by it; ``sorted``: "ascending", "descending", or ""."""

    name: str
    title: str
    query: str
    sorted: str
    number: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a template needs of a list. ``kinds``: (value, word) pairs; ``query``: of this address, without the page."""

    wanted: Wanted
    columns: tuple[Column, ...]
    kinds: Sequence[tuple[str, str]]
    page: Page[Any]

    @property
    def query(self) -> str:
        """The address of this list, without the page."""
        return self.wanted.query()

    @property
    def narrowed(self) -> bool:
        """Whether not everything is asked for."""
        return bool(self.wanted.text or self.wanted.kind)


def wanted(
    request: HttpRequest, *, kinds: Sequence[tuple[str, str]], orders: Container[str], usual: str = USUAL_ORDER
) -> Wanted:
    """What the address asks for; what there is not is left out."""
    text = " ".join(request.GET.get("q", "")[:LONGEST_TEXT].replace("\0", "").split())
    kind, order = request.GET.get("show", ""), request.GET.get("sort", usual)
    return Wanted(
        text=text,
        kind=kind if kind in dict(kinds) else "",
        order=order if order.removeprefix("-") in orders else usual,
        usual=usual,
    )


def listing(
    request: HttpRequest,
    asked: Wanted,
    rows: QuerySet[Any] | Sequence[Any],
    *,
    kinds: Sequence[tuple[str, str]],
    columns: Sequence[tuple[str, str, bool]] = (),
) -> Listing:
    """One page of ``rows``. ``columns``: name, title, and whether it holds numbers, which begin with the largest."""
    page = Paginator(rows, ROWS_PER_PAGE).get_page(request.GET.get("page"))
    return Listing(wanted=asked, kinds=kinds, page=page, columns=tuple(_column(asked, *column) for column in columns))


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page alone, as the list is.

    What goes into the whole page, or into its banners, is taken out of the whole; so is what the browser goes back to.
    """
    whole = "HX-History-Restore-Request" in request.headers or request.headers.get("HX-Target") in ("main", "banners")
    return "HX-Request" in request.headers and not whole


def _column(asked: Wanted, name: str, title: str, number: bool) -> Column:  # noqa: FBT001  # a row of a table
    usual, other = (f"-{name}", name) if number else (name, f"-{name}")
    way = {name: "ascending", f"-{name}": "descending"}.get(asked.order, "")
    return Column(
        name=name,
        title=title,
        query=asked.query(sort=other if asked.order == usual else usual),
        sorted=way,
        number=number,
    )
