"""What a few numbers of one object were, in the past: for rates, and for the curves of a chart."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence

INTERVAL_SECONDS = 5  # RabbitMQ: collect_statistics_interval

# (age in seconds, how far apart samples are up to that age). RabbitMQ: sample_retention_policies, `basic` and `global`.
SHORT = ((600, 5),)
LONG = ((600, 5), (3600, 60), (28800, 600), (86400, 1800))

_SURPLUS = 16  # so many samples may be too old, or too close together, before they are looked through


class History:
    """Samples of one object. There is one where something has changed, and none where nothing has.

    seen: for whoever takes the samples, which round of them this object was in last.
    """

    __slots__ = ("_before", "_retention", "_surplus", "_times", "_values", "seen")

    def __init__(self, before: Sequence[int], retention: Sequence[tuple[int, int]]) -> None:
        """before: what the numbers were until the first sample."""
        self.seen = 0
        self._before = array("q", before)
        self._retention = retention
        self._times = array("d")
        self._values = array("q")
        self._surplus = 0

    def add(self, at: float, values: Sequence[int]) -> None:
        """A sample. Those of a time that is still to come are void: the clock was set back."""
        while self._times and self._times[-1] >= at:
            self._times.pop()
            del self._values[-len(self._before) :]
        if self.last() == array("q", values):
            return
        self._times.append(at)
        self._values.extend(values)
        self._surplus += 1
        if self._surplus >= _SURPLUS:
            self._surplus = 0
            self._thin_out(at)

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self._times)

    @property
    def changed_at(self) -> float | None:
        """The last sample that differs from the one before it."""
        return self._times[-1] if self._times else None

    def last(self) -> Sequence[int]:
        width = len(self._before)
        return self._values[-width:] if self._times else self._before

    def at(self, moment: float) -> Sequence[int]:
        """What the numbers were then, as far as is known."""
        index, width = bisect_right(self._times, moment), len(self._before)
        return self._values[(index - 1) * width : index * width] if index else self._before

    def forget(self) -> None:
        """All but what they are now."""
        self._before = array("q", self.last())
        self._times, self._values = array("d"), array("q")

    def _thin_out(self, now: float) -> None:
        """Of what is older, fewer samples: the last one of each stretch of time."""
        width = len(self._before)
        keep: list[int] = []
        for index, time in enumerate(self._times):
            seconds = next((apart for age, apart in self._retention if now - time <= age), None)
            if seconds is None:
                self._before = self._values[index * width : (index + 1) * width]
            elif keep and self._times[keep[-1]] // seconds == time // seconds:
                keep[-1] = index
            else:
                keep.append(index)
        self._times = array("d", [self._times[index] for index in keep])
        self._values, values = array("q"), self._values
        for index in keep:
            self._values.extend(values[index * width : (index + 1) * width])
