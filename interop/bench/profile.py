"""Where Leveret's CPU time goes under load (`python -m interop.bench.profile`), for its developers.

The broker runs under a sampler in its own process (sampler.py), or with --calls under cProfile; the load is that of the
benchmarks. The sampler leaves the speed as it is, but its places are a little blurred. cProfile is exact about who was
called how often, but its own cost makes small functions look expensive, and it counts waiting (poll). Believe what both
say.
"""

from __future__ import annotations

import argparse
import json
import os
import pstats
import sys
import tempfile
from pathlib import Path

from interop.bench import compare, machine, report, wire
from interop.bench.modes import SUITES
from interop.bench.run import Run
from interop.bench.sampler import START_SIGNAL
from interop.bench.started import StartedLeveret

TABLES = {
    "own": "functions, without what they call",
    "inclusive": "functions, with all they call",
    "lines": "lines",
    "calls": "functions, by number of calls",
}
Profile = dict[str, dict[str, float]]  # table -> function or line -> CPU seconds, in "calls" their number
ROWS = 20
SHARE_MAX = 0.985  # what is on nearly every stack (the start, the event loop) says nothing


def ranking(profile: Profile, us_per_message: float, rows: int) -> str:
    """The highest rows of each table, as shares of all and, for times, of the microseconds a message."""
    total_seconds = sum(profile["own"].values())
    parts = []
    for table in profile:
        total = sum(profile[table].values()) if table == "calls" else total_seconds
        parts.append(f"\n  share  us/message  {TABLES[table]}")
        ranked = sorted(profile[table].items(), key=lambda item: item[1], reverse=True)
        for name, amount in [row for row in ranked if row[1] < SHARE_MAX * total][:rows]:
            us = f"{amount / total * us_per_message:.3f}" if table != "calls" else ""
            parts.append(f"{amount / total:>7.1%}  {us:>10}  {name}")
    return "\n".join(parts)


def from_cprofile(path: Path) -> Profile:
    """A profile from what `python -m cProfile -o` wrote."""
    profile: Profile = {"own": {}, "inclusive": {}, "calls": {}}
    for (file, line, name), (_, calls, own, inclusive, _) in pstats.Stats(str(path)).stats.items():  # type: ignore[attr-defined]
        function = f"{'/'.join(file.rsplit('/', 2)[-2:])}:{line} {name}"
        for table, amount in (("own", own), ("inclusive", inclusive), ("calls", calls)):
            profile[table][function] = amount
    return profile


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m interop.bench.profile", description="Profile Leveret under load.")
    modes = {mode.name: mode for suite in SUITES.values() for mode in suite}
    parser.add_argument("--mode", default="transient-16", choices=modes)
    parser.add_argument("--seconds", type=float, default=compare.SECONDS)
    parser.add_argument("--calls", action="store_true", help="cProfile in place of the sampler")
    parser.add_argument("--rows", type=int, default=ROWS, help="of each table")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "profile")
        under_sampler = ("-m", "interop.bench.sampler", str(out), "leveret")
        under_cprofile = ("-m", "cProfile", "-o", str(out), "-m", "leveret")
        with StartedLeveret(under_cprofile if options.calls else under_sampler) as leveret:
            if not options.calls:
                os.kill(leveret.pid, START_SIGNAL)
            pids = machine.listeners(wire.Address.parse(leveret.url).port)
            with Run(leveret.url, pids, options.seconds) as run:
                result = modes[options.mode].measure(run)
        profile: Profile = from_cprofile(out) if options.calls else json.loads(out.read_text())
    print(report.line(options.mode, modes[options.mode].unit, result))
    print(ranking(profile, result.cpu_us or 0.0, options.rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
