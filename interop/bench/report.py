"""Tables from what `compare --json` wrote (`python -m interop.bench.report` puts them into README and docs).

How this works: everything here reads the JSON document, so that no number reaches a page by hand. In a page a table
stands between two comments, and is replaced whole.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from interop.bench.run import CLIENT_SHARE_MAX, Result

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results"  # SUITE.json, as committed
PAGES = (ROOT / "README.md", ROOT / "docs" / "performance.md")
MARKED = re.compile(r"(<!-- results: (\w+), (\w+) -->\n)(?:.*?\n)??(<!-- end of results -->\n)", re.DOTALL)
LEVERET, RABBITMQ = "leveret", "rabbitmq"
HEAD = (
    "mode", "broker", "best", "worst", "unit", "ratio", "CPU us", "p50 us", "p99 us", "MiB", "client CPU", "other CPU",
)  # fmt: skip

Document = dict[str, Any]


def line(name: str, unit: str, result: Result) -> str:
    """One run in one line, for whoever watches."""
    parts = [f"{name:18} {number(result.amount):>9} {unit}"]
    if result.cpu_us is not None:
        parts.append(f"broker {result.cpu_us:.2f} us CPU each, {result.peak_mib:.0f} MiB")
    if result.p50_us is not None:
        parts.append(f"p50 {number(result.p50_us)} us, p99 {number(result.p99_us)} us")
    parts += [f"{name} {number(value)}" for name, value in result.extra.items()]
    parts.append(f"CPU: client {result.client_share:.2f}, others {result.other_share:.2f}")
    return "; ".join(parts) + ("; CLIENT-BOUND" if result.is_client_bound else "")


def number(value: float | None) -> str:
    """At least three digits that count."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def ratio(mode: Document, broker: str) -> float | None:
    """How many times better than RabbitMQ a broker's best run is; None where one of them was not measured."""
    bests = [mode["brokers"].get(name, {}).get("best") for name in (broker, RABBITMQ)]
    if not all(bests) or not all(best["amount"] for best in bests):
        return None
    ours, theirs = (best["amount"] for best in bests)
    return float(theirs / ours if mode["is_less_better"] else ours / theirs)


def about(document: Document) -> str:
    """Where, when and with what it was measured, in one sentence."""
    machine = document["machine"]
    outcomes = [outcome for mode in document["modes"].values() for outcome in mode["brokers"].values()]
    others = [run["other_share"] for outcome in outcomes for run in outcome["runs"]]
    return "; ".join(
        (
            ", ".join(document["brokers"].values()),
            f"commit {document['commit']}, {document['date'][:10]}",
            f"{machine['cores']} cores of {machine['cpu']}, {machine['system']}, {machine['python']}",
            f"other programs used {statistics.median(others or [0.0]):.1f} cores meanwhile",
            f"best of {document['rounds']} alternating runs of {document['seconds']:g} s",
        )
    )


def text(document: Document) -> str:
    """Everything that is worth a look, for a terminal."""
    rows = [row for name, mode in document["modes"].items() for row in _rows(name, mode)]
    notes = [
        about(document),
        "ratio: how many times better than RabbitMQ; CPU us: of the broker, for each; client and other CPU in cores",
        "!: the client was the limit. Where others used much CPU trust CPU us more than messages/s.",
    ]
    return "\n".join([*notes, "", columns(HEAD, rows)])


def _rows(name: str, mode: Document) -> list[tuple[str, ...]]:
    rows = []
    for broker, outcome in mode["brokers"].items():
        best = outcome["best"]
        if not best:
            rows.append((name, broker, "failed", *[""] * (len(HEAD) - 3)))
            continue
        amounts = [run["amount"] for run in outcome["runs"]]
        bound = "!" if any(run["client_share"] > CLIENT_SHARE_MAX for run in outcome["runs"]) else ""
        rows.append(
            (
                name,
                broker,
                number(best["amount"]),
                number((max if mode["is_less_better"] else min)(amounts)),
                mode["unit"],
                number(ratio(mode, broker)),
                number(best["cpu_us"]),
                number(best["p50_us"]),
                number(best["p99_us"]),
                number(best["peak_mib"]),
                f"{best['client_share']:.2f}{bound}",
                f"{best['other_share']:.2f}",
            )
        )
    return rows


def columns(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be; the first two to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in (head, *body)) for column in range(len(head))]
    lines = []
    for row in (head, *body):
        cells = [
            cell.ljust(width) if n < 2 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


# -- pages


def summary(document: Document) -> str:
    """A table of all modes but those that differ from another one only in size: best runs, ratio, CPU time."""
    modes = {name: mode for name, mode in document["modes"].items() if not name.endswith("-1k")}
    brokers = list(document["brokers"])
    head = ["load", *brokers, "times better", "CPU us each"]
    rows = []
    for mode in modes.values():
        bests = _bests(mode, brokers)
        cells = [_amount(mode, best) for best in bests]
        rows.append([mode["title"], *cells, _times_better(mode), _both(bests, "cpu_us")])
    return f"{_markdown(head, rows)}\n\n{about(document)}.\n"


def details(document: Document) -> str:
    """A table of all modes: best and worst runs, ratio, CPU time, latency, memory."""
    brokers = list(document["brokers"])
    head = ["mode", "", *brokers, "times better", "CPU us each", "p50 us", "p99 us", "MiB at most", "MiB private"]
    rows = []
    for name, mode in document["modes"].items():
        bests = _bests(mode, brokers)
        cells = [_amount(mode, best) + _worst(mode, broker) for broker, best in zip(brokers, bests, strict=True)]
        numbers = [_both(bests, key) for key in ("cpu_us", "p50_us", "p99_us", "peak_mib", "private_mib")]
        rows.append([f"`{name}`", _title(mode, bests), *cells, _times_better(mode), *numbers])
    return f"{_markdown(head, rows)}\n\n{about(document)}.\n"


def _bests(mode: Document, brokers: Sequence[str]) -> list[Document | None]:
    return [mode["brokers"].get(broker, {}).get("best") for broker in brokers]


def _title(mode: Document, bests: Sequence[Document | None]) -> str:
    """With what must be known beside the numbers: unequal promises, what the disk itself took."""
    notes = [mode["promise"]] if mode["promise"] else []
    flushes = [best["extra"]["fdatasync_us"] for best in bests if best and "fdatasync_us" in best["extra"]]
    notes += [f"the disk's own fdatasync meanwhile: {' / '.join(map(number, flushes))} us"] if flushes else []
    title: str = mode["title"]
    return f"{title} ({'; '.join(notes)})" if notes else title


def _amount(mode: Document, best: Document | None) -> str:
    return f"{number(best['amount'])} {mode['unit']}" if best else "failed"


def _worst(mode: Document, broker: str) -> str:
    """The other end of a broker's runs."""
    amounts = [run["amount"] for run in mode["brokers"].get(broker, {}).get("runs", ())]
    return f" ({number((max if mode['is_less_better'] else min)(amounts))})" if len(amounts) > 1 else ""


def _times_better(mode: Document) -> str:
    return number(ratio(mode, LEVERET))


def _both(bests: Sequence[Document | None], key: str) -> str:
    """A number of each broker."""
    cells = [number(best[key]) if best else "-" for best in bests]
    return " / ".join(cells) if any(cell != "-" for cell in cells) else ""


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


TABLES: dict[str, Callable[[Document], str]] = {"summary": summary, "details": details}


def filled(page: str, results: Path = RESULTS) -> str:
    """A page with each marked table made anew: `<!-- results: SUITE, TABLE -->` up to `<!-- end of results -->`."""

    def table(found: re.Match[str]) -> str:
        start, suite, name, end = found.groups()
        document = json.loads((results / f"{suite}.json").read_text(encoding="utf-8"))
        return f"{start}\n{TABLES[name](document)}\n{end}"

    return MARKED.sub(table, page)


def main() -> int:
    """Command line: put the committed results into README and docs."""
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
