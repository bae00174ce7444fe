"""A classic queue with x-max-priority: the highest priority first, first in, first out within each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leveret.core.fifo import Fifo
from leveret.core.freeing import free_in_slices
from leveret.core.keeping import KeptFifo
from leveret.core.message import Entry
from leveret.core.queue import Queue
from leveret.storage.base import Line


class PriorityQueue(Queue):
    """A message without a priority has 0, one above the maximum the maximum (RabbitMQ: PRI-1).

    The head, at which messages expire and are dropped, is that of the whole queue (TTL-6, LEN-2).
    """

    __slots__ = ("_count", "_filled", "_levels")

    type_name = "classic"

    def _make_parts(self, lines: Sequence[Line]) -> None:
        max_priority = self.arguments["x-max-priority"].value
        assert isinstance(max_priority, int)
        levels = range(max(max_priority, 1) + 1)  # RabbitMQ from 4.0 takes 0 as 1
        self._levels = [self._fifo(lines, level) for level in levels]
        counts = [line.totals.message_count for line in lines]
        self._filled = sum(1 << level for level, count in enumerate(counts) if count)  # so the highest is found at once
        self._count = sum(counts)

    def restored(self) -> None:
        """What is damaged does not count."""
        self._filled = sum(1 << level for level, fifo in enumerate(self._levels) if fifo)
        self._count = sum(map(len, self._levels))
        super().restored()

    @property
    def message_count(self) -> int:
        return self._count

    def _priority(self, entry: Entry) -> int:
        return min(entry.message.priority or 0, len(self._levels) - 1)

    def _level(self, entry: Entry) -> Fifo:
        """That of its priority, which is about to get it."""
        priority = self._priority(entry)
        self._filled |= 1 << priority
        self._count += 1
        return self._levels[priority]

    def _append(self, entry: Entry) -> None:
        self._level(entry).append(entry)

    def _put_back(self, entry: Entry) -> None:
        self._level(entry).put_back(entry)

    def _peek(self) -> Entry:
        return self._levels[self._filled.bit_length() - 1].peek()

    def _pop(self) -> Entry:
        highest = self._filled.bit_length() - 1
        level = self._levels[highest]
        before = len(level)
        entry = level.pop()
        self._count -= before - len(level)  # more than one if the next ones turn out to be damaged
        if not level:
            self._filled ^= 1 << highest
        return entry

    def fifos(self) -> Iterable[Fifo]:
        return self._levels

    def kept_parts(self) -> Iterable[KeptFifo]:
        return [level for level in self._levels if isinstance(level, KeptFifo)]

    def _part(self, entry: Entry) -> KeptFifo:
        part = self._levels[self._priority(entry)]
        assert isinstance(part, KeptFifo)
        return part

    def _clear(self) -> None:
        self._filled = self._count = 0
        for level in self._levels:
            free_in_slices(self.vhost.node, level.clear())
