"""Tables in the styles that rabbitmqadmin has, `--table-style`.

A cell may have several lines. A title is a row of its own, across all columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

DEFAULT_STYLE: Final = "modern"


@dataclass(frozen=True)
class Rule:
    """A horizontal line: its corners, its filling and what stands where columns meet."""

    left: str
    fill: str
    crossing: str
    right: str


@dataclass(frozen=True)
class Style:
    """below_first: the rule below the first row; between: those below the next ones. padding: in spaces."""

    left: str = ""
    separator: str = ""
    right: str = ""
    top: Rule | None = None
    below_first: Rule | None = None
    between: Rule | None = None
    bottom: Rule | None = None
    padding: tuple[int, int] = (1, 1)


_SHARP: Final = Style(
    "│", "│", "│", top=Rule("┌", "─", "┬", "┐"), below_first=Rule("├", "─", "┼", "┤"), bottom=Rule("└", "─", "┴", "┘")
)
_DASHES: Final = Rule("+", "-", "+", "+")
_DOTS: Final = Rule(":", ".", ":", ":")

STYLES: Final = {
    "modern": replace(_SHARP, top=Rule("╭", "─", "┬", "╮"), bottom=Rule("╰", "─", "┴", "╯")),
    "borderless": Style(separator=" "),
    "markdown": Style("|", "|", "|", below_first=Rule("|", "-", "|", "|")),
    "sharp": _SHARP,
    "ascii": Style("|", "|", "|", top=_DASHES, below_first=_DASHES, between=_DASHES, bottom=_DASHES),
    "psql": Style(separator="|", below_first=Rule("", "-", "+", "")),
    "dots": Style(":", ":", ":", top=Rule(".", ".", ".", "."), below_first=_DOTS, between=_DOTS, bottom=_DOTS),
}

# For scripts: no borders, no first row, each row a line.
_PLAIN: Final = Style(separator=" ", padding=(0, 1))


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], style: str, title: str | None = None) -> str:
    """The table as text, without a newline at its end."""
    return _drawn([list(headers), *map(list, rows)], STYLES[style], title)


def plain_table(headers: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> str:
    """The same for scripts. Of a table with a title it is the title that goes, and a part of the headers stays."""
    kept = [list(row) for row in rows]
    kept = [[cell.replace("\n", ",") for cell in row] for row in kept]
    if title is not None:
        return _drawn(kept, _PLAIN, headers[0])
    return _drawn(kept, _PLAIN, None)


def _drawn(rows: list[list[str]], style: Style, title: str | None) -> str:
    if not rows:
        return title or ""
    cells = [[cell.split("\n") for cell in row] for row in rows]
    padding = sum(style.padding)
    widths = [max(len(line) for cell in column for line in cell) + padding for column in zip(*cells, strict=True)]
    lines = []
    if title is not None:
        _widen(widths, len(title) + padding - _width(widths, style))
        lines.append([_row([title], [_width(widths, style)], style)])
    lines += [_lines_of_row(row, widths, style) for row in cells]
    drawn = _rule(style.top, widths)
    for index, row in enumerate(lines):
        if index:
            drawn += _rule(style.below_first if index == 1 else style.between, widths)
        drawn += row
    return "\n".join(drawn + _rule(style.bottom, widths))


def _width(widths: list[int], style: Style) -> int:
    """Between the outer borders."""
    return sum(widths) + len(style.separator) * (len(widths) - 1)


def _widen(widths: list[int], missing: int) -> None:
    """For a title that is wider than all columns: each gets its part, the first the rest, too."""
    if missing > 0:
        each, rest = divmod(missing, len(widths))
        for index in range(len(widths)):
            widths[index] += each + (rest if index == 0 else 0)


def _lines_of_row(row: list[list[str]], widths: list[int], style: Style) -> list[str]:
    height = max(map(len, row))
    filled = [cell + [""] * (height - len(cell)) for cell in row]
    return [_row([cell[number] for cell in filled], widths, style) for number in range(height)]


def _row(texts: Sequence[str], widths: Sequence[int], style: Style) -> str:
    before, after = style.padding
    cells = [
        " " * before + text.ljust(width - before - after) + " " * after
        for text, width in zip(texts, widths, strict=True)
    ]
    return style.left + style.separator.join(cells) + style.right


def _rule(rule: Rule | None, widths: list[int]) -> list[str]:
    if rule is None:
        return []
    return [rule.left + rule.crossing.join(rule.fill * width for width in widths) + rule.right]
