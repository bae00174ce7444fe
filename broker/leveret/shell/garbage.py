"""Python's garbage collector, in a process that is a broker.

What waits in queues is many objects and no cycles, but the collector as Python sets it walks them again and again while
they become more: that took a third of the time of a publish into a backlog (measured). Cycles are in what ends:
connections, channels, queues. So it looks at what is young less often, and at everything only once enough has ended.
"""

import gc
import time
from collections.abc import Callable

import trio

YOUNG_OBJECTS = 10_000  # Python: 700
YOUNG_LOOKS = 2  # and then at what is left of all of them, 40,000 objects, once more: 3 to 8 ms
LOOK_SECONDS = 30.0
ENDS_MIN = 100  # some ten thousand objects
# A look at everything holds all up: 250 ms for a backlog of a million messages. For each time that the last one took as
# long as this, as many ends again have to come before the next.
QUICK_LOOK_SECONDS = 0.01


def collect_seldom() -> None:
    """What is there now stays for good, and is never looked at. The oldest generation is `collect_what_ended`'s."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_LOOKS, 1_000_000)


async def collect_what_ended(
    count_ends: Callable[[], int], seconds: Callable[[], float] = time.perf_counter
) -> None:  # fmt: skip
    """Until cancelled. count_ends: how many things that have cycles have ended until now, or a little more."""
    ends = count_ends()
    ends_min = ENDS_MIN
    while True:
        await trio.sleep(LOOK_SECONDS)
        if abs(count_ends() - ends) >= ends_min:  # less: an application has ended with all it had
            ends = count_ends()
            began = seconds()
            gc.collect()
            ends_min = max(ENDS_MIN, int(ENDS_MIN * (seconds() - began) / QUICK_LOOK_SECONDS))


def collect_all() -> None:
    """What was to stay for good has ended, too."""
    gc.unfreeze()
    gc.collect()
