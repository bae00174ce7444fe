"""Calls at points of time: a heap of them, for a clock that is passed in. The shell keeps it awake."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

# Below this many, cancelled timers are left in the heap until they are due.
_CANCELLED_KEPT = 64


class Timer:
    """One call in the future. A cancelled timer holds on to nothing."""

    __slots__ = ("_call", "_timers", "at")

    def __init__(self, at: float, call: Callable[[], None], timers: Timers) -> None:
        self.at = at
        self._call: Callable[[], None] | None = call
        self._timers = timers

    @property
    def is_waiting(self) -> bool:
        """Neither called nor cancelled."""
        return self._call is not None

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
    """now: the clock, in seconds. Timers due at the same moment are called in the order in which they were set.

    on_earlier: called when a timer was set that is due before all others, so that whoever sleeps until `next_at` wakes.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.on_earlier: Callable[[], None] = _nobody_sleeps
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._cancelled_count = 0

    def call_after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Have `call` called in `seconds`, unless the timer is cancelled before."""
        return self.call_at(self.now() + seconds, call)

    def call_at(self, at: float, call: Callable[[], None]) -> Timer:
        """Have `call` called when the clock shows `at`, or at the next opportunity if it is later than that already."""
        timer = Timer(at, call, self)
        is_earliest = not self._heap or at < self._heap[0][0]
        heapq.heappush(self._heap, (at, next(self._order), timer))
        if is_earliest:
            self.on_earlier()
        return timer

    def __len__(self) -> int:
        """How many timers are kept, due or cancelled."""
        return len(self._heap)

    def next_at(self) -> float | None:
        """When `run_due` should be called next; None: there is no timer."""
        return self._heap[0][0] if self._heap else None

    def run_due(self) -> None:
        """Make the calls that are due by the clock. Those they set for now wait for the next time."""
        now, first_new = self.now(), next(self._order)
        while self._heap and self._heap[0][0] <= now and self._heap[0][1] < first_new:
            timer = heapq.heappop(self._heap)[2]
            if timer.is_waiting:
                timer.fire()
            else:
                self._cancelled_count -= 1

    def note_cancelled(self) -> None:
        """A timer says that it was cancelled. Once most of those kept are, they are cleared away."""
        self._cancelled_count += 1
        if self._cancelled_count > _CANCELLED_KEPT and self._cancelled_count * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].is_waiting]
            heapq.heapify(self._heap)
            self._cancelled_count = 0


def _nobody_sleeps() -> None:
    """Before the shell runs, timers wait."""
