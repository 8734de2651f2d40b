"""Reading pages as a person would: by their text and by what stands beside a field."""

import re
from html import unescape
from html.parser import HTMLParser

from django.http import HttpResponse


class _Text(HTMLParser):
    """Collects the text inside elements with an id, and the text of everything."""

    VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.by_id: dict[str, list[str]] = {}
        self.all: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        identity = dict(attrs).get("id") or ""
        if identity:
            self.by_id.setdefault(identity, [])
        if tag not in self.VOID:
            self.open.append(identity)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID and self.open:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.all.append(data)
        for identity in filter(None, self.open):
            self.by_id[identity].append(data)


def text(answer: object) -> str:
    """All visible words of the answer, blanks folded."""
    return _folded(_read(answer).all)


def beside(answer: object, identity: str) -> str:
    """The words inside the element with this id. Raises KeyError when there is none."""
    return _folded(_read(answer).by_id[identity])


def value(answer: object, name: str) -> str:
    """What stands in the input of this name."""
    html = _html(answer)
    found = re.search(rf'<input[^>]*name="{name}"[^>]*>', html)
    assert found is not None, f"no input {name}"
    given = re.search(r'value="([^"]*)"', found[0])
    return unescape(given[1]) if given else ""


def _html(answer: object) -> str:
    assert isinstance(answer, HttpResponse)
    return answer.content.decode()


def _read(answer: object) -> _Text:
    parser = _Text()
    parser.feed(_html(answer))
    return parser


def _folded(parts: list[str]) -> str:
    return " ".join(" ".join(parts).split())
