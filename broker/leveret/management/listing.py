"""What a client may ask of any list: a page of it, another order, some columns only; and the making of it in steps.

A list may be of thousands of objects, and all messages wait while one is looked at: so whoever makes it does some steps
at a time. Each object is as it was when its step came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Generic, TypeVar

from leveret.core.patterns import InvalidPattern, compile_pattern
from leveret.management.answers import Problem, bad_request, encoded
from leveret.shell.turns import Steps

PAGE_SIZE = 100
PAGE_SIZE_MAX = 500

Item = Mapping[str, Any]
Listed = TypeVar("Listed")


@dataclass(frozen=True)
class Page:
    """Which of the objects whose names pass, from 1."""

    number: int
    size: int
    passes: Callable[[str], bool]

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Page:
        """Raises Problem (400): there cannot be such a page."""
        number = _number(query["page"])
        size = _number(query.get("page_size", str(PAGE_SIZE)))
        if number < 1 or not 1 <= size <= PAGE_SIZE_MAX:
            told = f"page number {number}, page size {size if 'page_size' in query else 'undefined'}"
            raise Problem(400, "invalid_pagination_parameters", f"Invalid pagination parameters: {told}")
        return cls(number, size, _filter(query))


class Listing(Generic[Listed]):
    """objects: answers those there are, in order. shape: what is told of one; None: it is gone meanwhile.

    name: what a filter looks at; None: it is none of the lists that have pages.
    octets: the JSON of the shape of one, where that is to be had at less cost.

    Raises Problem (400): there cannot be such a page.
    """

    def __init__(
        self, objects: Callable[[], Sequence[Listed]], shape: Callable[[Listed], Item | None],
        query: Mapping[str, str], *, name: Callable[[Listed], str] | None = None,
        octets: Callable[[Listed], bytes | None] | None = None,
    ) -> None:  # fmt: skip
        self._objects = objects
        self._shape = shape
        self._name = name
        self._octets = None if query.get("columns") else octets
        self._query = query
        self._page = Page.of(query) if name is not None and "page" in query else None

    def steps(self) -> Steps[bytes]:
        """Makes the JSON; a step is about as much as one object. Raises Problem (400): the page is not there."""
        objects = self._objects()
        total_count = len(objects)
        page = self._page
        if page is not None:
            assert self._name is not None
            passing = []
            for one in objects:
                if page.passes(self._name(one)):
                    passing.append(one)
                yield
            objects = passing
        page_count = 1 if page is None else -(-len(objects) // page.size)
        if page is not None and page.number > max(page_count, 1):
            told = f"page: {page.number} page size: {page.size}, len: {len(objects)}"
            raise Problem(400, "page_out_of_range", f"Page out of range, {told}")
        filtered_count = len(objects)
        on_page = slice(None) if page is None else slice((page.number - 1) * page.size, page.number * page.size)
        pieces: list[bytes] = []
        if self._query.get("sort"):
            ranked = []
            for one in objects:
                item = self._shape(one)
                if item is not None:
                    ranked.append((self._rank(item), item))
                yield
            ranked.sort(key=itemgetter(0), reverse=self._query.get("sort_reverse") == "true")
            for _, item in ranked[on_page]:
                pieces.append(encoded(chosen(item, self._query)))
                yield
        else:
            for one in objects[on_page]:
                piece = self._piece(one)
                if piece is not None:
                    pieces.append(piece)
                yield
        items_octets = b"[" + b",".join(pieces) + b"]"
        if page is None:
            return items_octets
        head = encoded(
            {
                "total_count": total_count, "filtered_count": filtered_count, "item_count": len(pieces),
                "page": page.number, "page_size": page.size, "page_count": page_count,
            }
        )  # fmt: skip
        return head[:-1] + b',"items":' + items_octets + b"}"

    def _rank(self, item: Item) -> tuple[int, Any]:
        """Its place in the order that was asked for."""
        return _rank(_at(item, self._query["sort"].split("."))[1])

    def _piece(self, one: Listed) -> bytes | None:
        if self._octets is not None:
            return self._octets(one)
        item = self._shape(one)
        return None if item is None else encoded(chosen(item, self._query))


def chosen(item: Item, query: Mapping[str, str]) -> Item:
    """The columns that were asked for. RabbitMQ answers an array where none of them is there; here it is an object."""
    if not query.get("columns"):
        return item
    columns: dict[str, Any] = {}
    for path in query["columns"].split(","):
        parts = path.split(".")
        found, value = _at(item, parts)
        if found:
            place = columns
            for part in parts[:-1]:
                place = place.setdefault(part, {})
            place[parts[-1]] = value
    return columns


def _filter(query: Mapping[str, str]) -> Callable[[str], bool]:
    """Does a name pass? RabbitMQ: whatever its case, anywhere in the name."""
    text = query.get("name", "")
    if query.get("use_regex") != "true":
        lowered = text.lower()
        return lambda name: lowered in name.lower()
    try:
        return compile_pattern(f"(?i){text}")
    except InvalidPattern:
        raise bad_request("Pagination parameters are invalid") from None


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise bad_request("Pagination parameters are invalid") from None


def _rank(value: object) -> tuple[int, Any]:
    """What is missing comes first, then numbers, then text."""
    if value is None:
        return 0, 0
    if isinstance(value, int | float):
        return 1, value
    return 2, str(value)


def _at(item: Any, parts: Sequence[str]) -> tuple[bool, Any]:
    """Is there anything at this path, and what?"""
    for part in parts:
        if not isinstance(item, Mapping) or part not in item:
            return False, None
        item = item[part]
    return True, item
