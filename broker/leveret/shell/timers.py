"""Timers of the wire clock: heartbeats, handshake, drops. One task sleeps until the next of them, whosever it is."""

import heapq
import itertools
from collections.abc import Callable

import trio

# Below this many, cancelled timers are left in the heap until they are due.
_CANCELLED_KEPT = 64


class Timer:
    """One call in the future. A cancelled timer holds on to nothing."""

    __slots__ = ("_call", "_timers")

    def __init__(self, call: Callable[[], None], timers: "Timers") -> None:
        self._call: Callable[[], None] | None = call
        self._timers = timers

    @property
    def is_cancelled(self) -> bool:
        return self._call is None

    def cancel(self) -> None:
        """Do not call. Does nothing where the call was made already."""
        if self._call is not None:
            self._call = None
            self._timers.note_cancelled()

    def fire(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call()


class Timers:
    """Calls at points of trio's clock, which tests may replace.

    Args:
        flush: called after each batch of calls; a batch is a turn (see the package).
    """

    def __init__(self, flush: Callable[[], None]) -> None:
        self._flush = flush
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()  # timers due at the same moment go in the order they were set
        self._cancelled_count = 0
        self._earlier = trio.Event()
        self._sleeps_until = float("inf")

    def call_after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Have `call` called in `seconds`, unless the timer is cancelled before."""
        deadline = trio.current_time() + seconds
        timer = Timer(call, self)
        heapq.heappush(self._heap, (deadline, next(self._order), timer))
        if deadline < self._sleeps_until:
            self._earlier.set()
        return timer

    def __len__(self) -> int:
        """How many timers are kept, due or cancelled."""
        return len(self._heap)

    def note_cancelled(self) -> None:
        """A timer says that it was cancelled. Once most of those kept are, they are cleared away."""
        self._cancelled_count += 1
        if self._cancelled_count > _CANCELLED_KEPT and self._cancelled_count * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if not entry[2].is_cancelled]
            heapq.heapify(self._heap)
            self._cancelled_count = 0

    async def run(self) -> None:
        """Make the calls, for ever."""
        while True:
            self._sleeps_until = self._heap[0][0] if self._heap else float("inf")
            with trio.move_on_at(self._sleeps_until):
                await self._earlier.wait()
            if self._earlier.is_set():
                self._earlier = trio.Event()
            self._fire_due()
            self._flush()

    def _fire_due(self) -> None:
        now = trio.current_time()
        while self._heap and self._heap[0][0] <= now:
            timer = heapq.heappop(self._heap)[2]
            if timer.is_cancelled:
                self._cancelled_count -= 1
            else:
                timer.fire()
