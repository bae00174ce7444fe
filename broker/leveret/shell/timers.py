"""What keeps timers awake: one task for each clock, which sleeps until the next of its timers."""

import math
from collections.abc import Callable

import trio

from leveret.core.timers import Timers

# The longest sleep while there are timers. The message clock may be set while the broker sleeps, as clocks of machines
# are, and goes on while a laptop is suspended; the clock that sleep goes by does neither.
_SLEEP_SECONDS_MAX = 1.0


async def keep_awake(timers: Timers, flush: Callable[[], None]) -> None:
    """Make the calls of the timers when they are due, for ever.

    flush: called after each batch of calls; a batch is a turn (see the package).
    """
    earlier = trio.Event()

    def wake() -> None:
        earlier.set()

    timers.on_earlier = wake
    while True:
        next_at = timers.next_at()
        seconds = math.inf if next_at is None else min(max(0.0, next_at - timers.now()), _SLEEP_SECONDS_MAX)
        with trio.move_on_after(seconds):
            await earlier.wait()
        if earlier.is_set():
            earlier = trio.Event()
        timers.run_due()
        flush()
