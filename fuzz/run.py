"""Fuzz one target with atheris: `python -m fuzz.run TARGET [options of libFuzzer] [corpus folders]`.

    python -m fuzz.run tables -max_total_time=60 fuzz/corpus/tables

What breaks the invariant ends the run, and its input is written to the file that libFuzzer names (`crash-...`); give
that file instead of a corpus to see it again. A step that takes longer than STEP_SECONDS_MAX of this thread's CPU time
is told, with its input; it ends nothing, for instrumented code is several times slower.

Once in a while, a corpus as small as can be from all that was found (`make fuzz` leaves it in .fuzz):

    python -m fuzz.run tables -set_cover_merge=1 NEW_FOLDER fuzz/corpus/tables .fuzz/tables
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
    logging.disable()

    def step_by_step(data: bytes) -> None:
        steps = target(data)
        started = time.thread_time()
        for _ in steps:
            seconds = time.thread_time() - started
            if seconds > STEP_SECONDS_MAX:
                print(f"slow step: {seconds * 1000:.0f} ms, {len(data)} bytes: {data[:200].hex()}", file=sys.stderr)
            started = time.thread_time()

    # libFuzzer runs the first word as a command where it needs itself in another process.
    atheris.Setup([f"{sys.executable} -m fuzz.run {name}", *options], step_by_step)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
