"""Run a module and sample where its main thread spends CPU time (`python -m interop.bench.sampler OUT MODULE ...`).

How this works: the kernel's profiling timer raises SIGPROF as CPU time passes, and the handler looks at the stack.
So the code runs at full speed between samples; cProfile's cost per call would make small functions look expensive.
Each sample weighs as much CPU time as went by since the one before: a long call into C delays the handler, and the
line that made it still gets its due. Sampling starts with SIGUSR1; what was found is written to OUT at the end.

What it cannot do: the interpreter looks for signals where a function starts, where a loop goes round and after a call
into C. Time spent since the last such place is charged to the next one, so much of what a generator or a small function
costs shows up in its caller.
"""

from __future__ import annotations

import collections
import json
import runpy
import signal
import sys
import time
from pathlib import Path
from types import FrameType

INTERVAL_SECONDS = 0.001
START_SIGNAL = signal.SIGUSR1
OTHER_THREADS = "all other threads"


class Samples:
    """CPU seconds by function and by line; functions and lines are texts `file:name` and `file:number name`."""

    def __init__(self) -> None:
        self.own: collections.defaultdict[str, float] = collections.defaultdict(float)  # the function itself
        self.inclusive: collections.defaultdict[str, float] = collections.defaultdict(float)  # with all it called
        self.lines: collections.defaultdict[str, float] = collections.defaultdict(float)
        self._last: tuple[float, float] | None = None

    def take(self, frame: FrameType | None, thread_seconds: float, process_seconds: float) -> None:
        """Charge the thread's CPU time since the last sample to its stack, given by its innermost frame.

        What the process used beyond it went to other threads. The first sample only starts.
        """
        last, self._last = self._last, (thread_seconds, process_seconds)
        if last is None or frame is None:
            return
        weight = thread_seconds - last[0]
        self.own[OTHER_THREADS] += max(0.0, process_seconds - last[1] - weight)
        self.own[_function(frame)] += weight
        self.lines[f"{_place(frame)}:{frame.f_lineno or frame.f_code.co_firstlineno} {frame.f_code.co_qualname}"] += (
            weight
        )
        for function in _callers(frame):
            self.inclusive[function] += weight

    def write(self, path: Path) -> None:
        """As JSON."""
        found = {"own": self.own, "inclusive": self.inclusive, "lines": self.lines}
        path.write_text(json.dumps(found))


def _callers(frame: FrameType | None) -> set[str]:
    """The functions of a stack, a recursive one once."""
    functions = set()
    while frame:
        functions.add(_function(frame))
        frame = frame.f_back
    return functions


def _function(frame: FrameType) -> str:
    return f"{_place(frame)}:{frame.f_code.co_qualname}"


def _place(frame: FrameType) -> str:
    """The file and the folder it is in."""
    return "/".join(frame.f_code.co_filename.rsplit("/", 2)[-2:])


def main() -> None:
    """Command line."""
    out, module, *arguments = sys.argv[1:]
    samples = Samples()
    signal.signal(signal.SIGPROF, lambda _number, frame: samples.take(frame, time.thread_time(), time.process_time()))
    signal.signal(
        START_SIGNAL, lambda _number, _frame: signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS)
    )
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        samples.write(Path(out))


if __name__ == "__main__":
    main()
