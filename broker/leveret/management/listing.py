"""What a client may ask of any list: a page of it, another order, some columns only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from leveret.core.patterns import InvalidPattern, compile_pattern
from leveret.management.answers import Problem, bad_request

PAGE_SIZE = 100
PAGE_SIZE_MAX = 500

Item = Mapping[str, Any]


def listed(items: Sequence[Item], query: Mapping[str, str], *, is_paged: bool = False) -> object:
    """is_paged: is it one of the lists that have pages?

    Raises Problem (400): the page is not there, or cannot be.
    """
    if is_paged and "page" in query:
        return _page(items, query)
    return [chosen(item, query) for item in _in_order(items, query)]


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


def _page(items: Sequence[Item], query: Mapping[str, str]) -> dict[str, Any]:
    page = _number(query["page"])
    size = _number(query.get("page_size", str(PAGE_SIZE)))
    if page < 1 or not 1 <= size <= PAGE_SIZE_MAX:
        told = f"page number {page}, page size {size if 'page_size' in query else 'undefined'}"
        raise Problem(400, "invalid_pagination_parameters", f"Invalid pagination parameters: {told}")
    passes = _named(query)
    matching = [item for item in items if passes(str(item.get("name", "")))]
    page_count = -(-len(matching) // size)
    if page > max(page_count, 1):
        told = f"page: {page} page size: {size}, len: {len(matching)}"
        raise Problem(400, "page_out_of_range", f"Page out of range, {told}")
    on_page = _in_order(matching, query)[(page - 1) * size : page * size]
    return {
        "total_count": len(items),
        "filtered_count": len(matching),
        "item_count": len(on_page),
        "page": page,
        "page_size": size,
        "page_count": page_count,
        "items": [chosen(item, query) for item in on_page],
    }


def _named(query: Mapping[str, str]) -> Callable[[str], bool]:
    """Does a name pass the filter? RabbitMQ: whatever its case, anywhere in the name."""
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


def _in_order(items: Sequence[Item], query: Mapping[str, str]) -> list[Item]:
    path = query.get("sort", "")
    if not path:
        return list(items)
    parts = path.split(".")
    return sorted(items, key=lambda item: _rank(_at(item, parts)[1]), reverse=query.get("sort_reverse") == "true")


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
