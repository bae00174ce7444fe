"""Fuzz one target with atheris: `python -m fuzz.run TARGET [options of libFuzzer] [corpus folders]`.

    python -m fuzz.run tables -max_total_time=60 fuzz/corpus/tables

What breaks the invariant ends the run, and its input is written to the file that libFuzzer names (`crash-...`); give
that file instead of a corpus to see it again. A step that takes longer than STEP_SECONDS_MAX of this thread's CPU time
is told, with its input, and counted in the last line; it ends nothing, for instrumented code is several times slower.
"""

import logging
import sys
import time

import atheris

with atheris.instrument_imports(include=["leveret", "leveret_protocol"]):
    from fuzz.targets import TARGETS

STEP_SECONDS_MAX = 0.05


def main(arguments: list[str]) -> None:
    name, *options = arguments
    target = TARGETS[name]
    slow: list[float] = []
    logging.disable()

    def step_by_step(data: bytes) -> None:
        steps = target(data)
        started = time.thread_time()
        for _ in steps:
            seconds = time.thread_time() - started
            if seconds > STEP_SECONDS_MAX:
                slow.append(seconds)
                print(f"slow step: {seconds * 1000:.0f} ms, {len(data)} bytes: {data[:200].hex()}", file=sys.stderr)
            started = time.thread_time()

    atheris.Setup([f"fuzz.run {name}", *options], step_by_step)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
