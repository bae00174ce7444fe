"""Where Leveret's CPU time goes under load (`python -m interop.bench.profile`), for its developers.

The broker runs under a sampler in its own process (sampler.py); the load is that of the benchmarks.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from interop.bench import load
from interop.bench.sampler import START_SIGNAL
from interop.bench.started import StartedLeveret

TABLES = {
    "own": "functions, without what they call",
    "inclusive": "functions, with all they call",
    "lines": "lines",
}
ROWS = 20


def report(samples: Mapping[str, Mapping[str, float]], total: float, us_per_message: float, rows: int) -> str:
    """Tables of what the sampler found, CPU seconds of `total`, as shares of it and of the microseconds a message."""
    parts = []
    for table, title in TABLES.items():
        parts.append(f"\n  share  us/message  {title}")
        ranked = sorted(samples[table].items(), key=lambda item: item[1], reverse=True)
        for name, seconds in ranked[:rows]:
            parts.append(f"{seconds / total:>7.1%}  {seconds / total * us_per_message:>10.3f}  {name}")
    return "\n".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m interop.bench.profile", description="Profile Leveret under load.")
    parser.add_argument("--mode", default="autoack", choices=load.MODES)
    parser.add_argument("--seconds", type=float, default=load.MEASURED_SECONDS)
    parser.add_argument("--rows", type=int, default=ROWS, help="of each table")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "samples.json")
        with StartedLeveret(("-m", "interop.bench.sampler", str(out), "leveret")) as leveret:
            os.kill(leveret.pid, START_SIGNAL)
            result = load.run(load.MODES[options.mode], leveret.url, options.seconds)
        found = json.loads(out.read_text())
    print(load.line(result))
    print(f"{found['total']:.2f} s of CPU time sampled, warm-up included")
    print(report(found, found["total"], result.broker_cpu_us_per_message or 0.0, options.rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
