"""What a command answers, and how it is printed by each formatter."""

from __future__ import annotations

from leveret.cli.ctl import erlang
from leveret.cli.ctl.errors import EXIT_SOFTWARE, Failed

TYPE_CHECKING = False  # typing takes its time
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

FORMATTERS = ("table", "pretty_table", "json", "csv", "erlang", "string")


class Rows:
    """A listing. is_stream: RabbitMQ prints it row by row, and so nothing at all where there is none."""

    def __init__(
        self, columns: Sequence[str], rows: Sequence[dict[str, Any]], *, is_stream: bool = False,
        has_header: bool = True,
    ) -> None:  # fmt: skip
        self.columns, self.rows, self.is_stream, self.has_header = list(columns), list(rows), is_stream, has_header

    def lines(self, options: Options) -> Iterator[str]:
        if not self.rows and not self.is_stream:
            yield ""
        if self.rows and self.has_header and options.has_headers:
            yield "\t".join(self.columns)
        for row in self.rows:
            yield "\t".join(erlang.shown(name, row[name]) for name in self.columns)

    def json(self, _node_name: str) -> str:
        if not self.rows and not self.is_stream:
            return "[]"
        texts = [_compact({name: row[name] for name in self.columns}) for row in self.rows]
        return "\n".join(["[", *(f",{text}" if number else text for number, text in enumerate(texts)), "]"])

    def erlang(self) -> str:
        return "[" + ",\n ".join(map(erlang.properties, self.rows)) + "]"

    def csv(self) -> Iterator[str]:
        if self.rows:
            yield _csv_line(self.columns)
        for row in self.rows:
            yield _csv_line([erlang.shown(name, row[name]) for name in self.columns])

    def cells(self) -> list[list[str]]:
        if not self.rows:
            return [["Output"], ["[]"]]
        return [self.columns, *([erlang.shown(name, row[name]) for name in self.columns] for row in self.rows)]

    def string(self) -> Iterator[str]:
        return (erlang.properties(row) for row in self.rows)


class Said:
    """A text of some lines. shown: for JSON, instead of `{"message": text}`. rows: what it tells, for CSV and terms."""

    def __init__(self, text: str, shown: object = None, rows: Rows | None = None) -> None:
        self.text, self.shown, self.rows = text, shown, rows

    def lines(self, _options: Options) -> Iterator[str]:
        yield from self.text.split("\n")

    def json(self, _node_name: str) -> str:
        return _compact({"message": self.text} if self.shown is None else self.shown)

    def erlang(self) -> str:
        return erlang.binary(self.text) if self.rows is None else self.rows.erlang()

    def csv(self) -> Iterator[str]:
        if self.rows is None:
            raise Failed("this command has no rows, which is what CSV is for", EXIT_SOFTWARE)
        return self.rows.csv()

    def cells(self) -> list[list[str]]:
        return [["Output"], *([line] for line in self.text.split("\n"))]

    def string(self) -> Iterator[str]:
        yield self.text


class Done(Said):
    """It went well: nothing but a text, if there is any, is said. JSON says so."""

    def __init__(self, text: str = "", *, told_as: str = "value") -> None:
        super().__init__(text)
        self._told_as = told_as

    def lines(self, options: Options) -> Iterator[str]:
        return super().lines(options) if self.text else iter(())

    def json(self, node_name: str) -> str:
        return _compact({"node": node_name, "result": "ok", **({self._told_as: self.text} if self.text else {})})


class Options:
    """What was asked for of the form."""

    def __init__(self, formatter: str, *, is_quiet: bool, is_silent: bool, has_headers: bool) -> None:
        self.formatter = formatter
        self.is_quiet = is_quiet or is_silent
        self.is_silent = is_silent
        self.has_banner = not (is_quiet or is_silent or formatter in ("json", "csv"))
        self.has_headers = has_headers and not is_silent


if TYPE_CHECKING:
    Answer = Rows | Said


def printed(answer: Answer, options: Options, node_name: str) -> str | None:
    """None: there is nothing to be printed, not even an empty line. Raises Failed: there is no such form of it."""
    formatter = options.formatter
    if formatter == "json":
        return answer.json(node_name)
    if formatter == "table" or (isinstance(answer, Done) and not answer.text):
        lines = list(answer.lines(options))
    elif formatter == "erlang":
        return answer.erlang()
    elif formatter == "csv":
        lines = list(answer.csv())
    elif formatter == "string":
        lines = list(answer.string())
    else:
        lines = list(_framed(answer.cells()))
    return "\n".join(lines) if lines else None


def _compact(value: object) -> str:
    import json  # a ping has no time for it

    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _csv_line(values: Sequence[str]) -> str:
    return ",".join('"' + value.replace('"', '""') + '"' for value in values)


def _framed(cells: list[list[str]]) -> Iterator[str]:
    """RabbitMQ draws the frame with the codes of a VT100 terminal; here it is characters that go anywhere."""
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]

    def rule(left: str, middle: str, right: str) -> str:
        return left + middle.join("─" * (width + 2) for width in widths) + right

    yield rule("┌", "┬", "┐")
    for number, row in enumerate(cells):
        if number:
            yield rule("├", "┼", "┤")
        yield "│" + "│".join(f" {value:<{width}} " for value, width in zip(row, widths, strict=True)) + "│"
    yield rule("└", "┴", "┘")
