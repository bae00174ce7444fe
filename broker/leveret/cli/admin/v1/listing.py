"""How lists are printed: the formats of rabbitmqadmin."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from leveret.cli.admin.v1.objects import Listing

# None: the API has null there.
Row = list[str | None]
Print = Callable[[Sequence[str], list[Row], bool], None]

_FIRST_COLUMNS: Final = ("vhost", "name", "type", "source", "destination", "destination_type", "routing_key")
_RULE: Final = "\n" + "-" * 80 + "\n"


def print_list(
    items: list[dict[str, Any]], listing: Listing, columns: Sequence[str], form: str, depth: int, *, is_verbose: bool
) -> None:
    """Print the list in one of the formats but raw_json, which prints what came as it is.

    columns: those asked for; none: all that there are down to this depth.
    """
    if form == "pretty_json":
        print(json.dumps(items, ensure_ascii=False, sort_keys=True, indent=2))
        return
    printer = PRINTERS[form]
    if columns:
        rows = [dict(_flat(item, listing, sys.maxsize)) for item in items]
        columns = list(columns)
    else:
        rows = [dict(_flat(item, listing, depth)) for item in items]
        columns = sorted(dict.fromkeys(column for row in rows for column in row), key=_order)
    if not rows:
        if is_verbose:
            print("No items")
        return
    printer(columns, [[row.get(column, "") for column in columns] for row in rows], is_verbose)


def _flat(item: dict[str, Any], listing: Listing, depth: int, prefix: str = "") -> list[tuple[str, str | None]]:
    """Columns and values: an object in it becomes columns `outer.inner`, until it is too deep."""
    flat: list[tuple[str, str | None]] = []
    for key, value in item.items():
        column = prefix + key
        if isinstance(value, dict):
            if key in listing.json_fields:
                flat.append((column, json.dumps(value)))
            elif depth > 1:
                flat += _flat(value, listing, depth - 1, f"{column}.")
        elif isinstance(value, list):
            is_text = all(isinstance(element, str) for element in value)
            flat.append((column, " ".join(value) if is_text else json.dumps(value)))
        else:
            flat.append((column, None if value is None else str(value)))
    return flat


def _order(column: str) -> tuple[int, int, str]:
    if column in _FIRST_COLUMNS:
        return 0, _FIRST_COLUMNS.index(column), ""
    return 1, 0, column


def _print_tsv(columns: Sequence[str], rows: list[Row], is_verbose: bool) -> None:
    if is_verbose:
        print("\t".join(columns))
    for row in rows:
        print("\t".join(value or "" for value in row))


def _print_long(columns: Sequence[str], rows: list[Row], is_verbose: bool) -> None:
    width = max(map(len, columns), default=0)
    print(_RULE)
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            print(f"{column:>{width}}: {value}")
        print(_RULE)


def _print_table(columns: Sequence[str], rows: list[Row], is_verbose: bool) -> None:
    cells = [[value or "" for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    bar = "+".join(["", *("-" * (width + 2) for width in widths), ""])
    print(bar)
    _print_line(columns, widths, "^")
    print(bar)
    for row in cells:
        _print_line(row, widths, "<")
    print(bar)


def _print_line(cells: Sequence[str], widths: list[int], align: str) -> None:
    print("|".join(["", *(f" {cell:{align}{width}} " for cell, width in zip(cells, widths, strict=True)), ""]))


def _print_key_values(columns: Sequence[str], rows: list[Row], is_verbose: bool) -> None:
    for row in rows:
        print(" ".join(f'{column}="{value}"' for column, value in zip(columns, row, strict=True)))


def _print_names(columns: Sequence[str], rows: list[Row], is_verbose: bool) -> None:
    """What a shell completes."""
    if "name" in columns:
        index = columns.index("name")
        print(" ".join(row[index] or "" for row in rows))


PRINTERS: Final[dict[str, Print]] = {
    "tsv": _print_tsv,
    "long": _print_long,
    "table": _print_table,
    "kvp": _print_key_values,
    "bash": _print_names,
}

RAW: Final = "raw_json"
FORMATS: Final = (RAW, "pretty_json", *PRINTERS)
