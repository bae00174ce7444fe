"""How soon Leveret serves, and what it weighs when idle (`python -m interop.bench.startup`).

All times count from just before exec, so the interpreter's own start is in them; a bare interpreter is measured beside.
"""

from __future__ import annotations

import argparse
import collections
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from interop.bench import machine
from interop.bench.started import AS_MODULE, StartedLeveret, environment
from interop.bench.wire import Client

STARTS = 10
SETTLE_SECONDS = 0.3  # after the first connection is gone, before memory is read
IMPORT_ROWS = 20


@dataclass(frozen=True)
class Start:
    """One start."""

    ready_ms: float  # the port file is there
    open_ms: float  # a client has its channel
    rss_mib: float
    pss_mib: float


def start() -> Start:
    """Start, connect, disconnect, weigh, stop. Raises: LeveretFailed"""
    with StartedLeveret() as leveret:
        client = Client(leveret.url)
        open_seconds = time.perf_counter() - leveret.exec_at
        client.close()
        time.sleep(SETTLE_SECONDS)
        return Start(
            ready_ms=leveret.ready_seconds * 1000,
            open_ms=open_seconds * 1000,
            rss_mib=machine.memory_kib(leveret.pid, "VmRSS") / 1024,
            pss_mib=machine.memory_kib(leveret.pid, "Pss") / 1024,
        )


def interpreter_ms() -> float:
    """From exec to exit of an interpreter that does nothing."""
    before = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], env=environment(), check=True)
    return (time.perf_counter() - before) * 1000


def row(title: str, values: Sequence[float], unit: str) -> str:
    """Median, lowest and highest in one line."""
    return f"{title:32} {statistics.median(values):>8.1f} {unit:3}   ({min(values):.1f} to {max(values):.1f})"


@dataclass(frozen=True)
class Import:
    """A line of `python -X importtime`."""

    module: str
    own_us: int
    cumulative_us: int


def imports(output: str) -> list[Import]:
    """The imports in what a process wrote under `-X importtime`, in the order they ended; other lines are skipped."""
    found = []
    for line in output.splitlines():
        prefix, _, rest = line.partition("import time:")
        fields = [part.strip() for part in rest.split("|")]
        if not prefix and len(fields) == 3 and fields[0].isdigit():
            found.append(Import(fields[2], int(fields[0]), int(fields[1])))
    return found


def import_report(found: Sequence[Import], rows: int) -> str:
    """The slowest modules, and packages with all that is below them, by own time: the sum over all is the whole."""
    packages: collections.Counter[str] = collections.Counter()
    for one in found:
        packages[one.module.partition(".")[0]] += one.own_us
    total_ms = sum(packages.values()) / 1000
    parts = [
        f"\n{len(found)} modules imported in {total_ms:.0f} ms (measuring makes imports slower)",
        "",
        "own ms  package",
    ]
    parts += [f"{own_us / 1000:>6.1f}  {name}" for name, own_us in packages.most_common(rows)]
    parts += ["", "own ms  with its imports  module"]
    slowest = sorted(found, key=lambda one: one.own_us, reverse=True)[:rows]
    parts += [f"{one.own_us / 1000:>6.1f}  {one.cumulative_us / 1000:>16.1f}  {one.module}" for one in slowest]
    return "\n".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m interop.bench.startup", description="Leveret's start and weight.")
    parser.add_argument("--import-times", action="store_true", help="also the slowest imports, from one more start")
    options = parser.parse_args(arguments)
    start()  # writes the bytecode and warms the file cache: not counted
    starts = [start() for _ in range(STARTS)]
    print(f"{STARTS} starts: median (lowest to highest); {machine.line(machine.description())}")
    print(row("bare interpreter, exec to exit", [interpreter_ms() for _ in range(STARTS)], "ms"))
    print(row("ready (port file written)", [one.ready_ms for one in starts], "ms"))
    print(row("first AMQP connection open", [one.open_ms for one in starts], "ms"))
    print(row("idle, resident (VmRSS)", [one.rss_mib for one in starts], "MiB"))
    print(row("idle, proportional (PSS)", [one.pss_mib for one in starts], "MiB"))
    if options.import_times:
        with StartedLeveret(("-X", "importtime", *AS_MODULE)) as leveret:
            pass
        print(import_report(imports(leveret.output), IMPORT_ROWS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
