"""The classic queue: first in, first out, and back to the old place. With the ways of most messages of the broker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heappop

from leveret.core import queue
from leveret.core.fifo import Fifo
from leveret.core.freeing import free_in_slices
from leveret.core.keeping import KeptFifo
from leveret.core.message import Entry, KeptEntry, Message
from leveret.core.queue import BACKLOG, PENDING, TAKEN, Queue
from leveret.storage.base import Line


class ClassicQueue(Queue):
    """Without limits of length or time it is a queue of nothing but what is in here (design: the hot path)."""

    __slots__ = ("_ready",)

    type_name = "classic"

    def _make_parts(self, lines: Sequence[Line]) -> None:
        self._ready = self._fifo(lines, 0)

    def _choose_ways(self) -> None:
        settings = self.settings
        limits = (settings.message_ttl_ms, settings.max_length, settings.max_length_bytes)
        if self._is_timed or limits != (None, None, None):
            super()._choose_ways()
        else:
            self.publish = self.publish_persistent = self._publish_plainly
            self.pump = self._pump_plainly
            if self.keeper is not None:
                self.publish, self.publish_persistent = self._publish, self._publish_and_keep
        self.vhost.generation += 1  # routes remember `publish`

    def expect_expiration(self) -> None:
        if not self._is_timed:
            self._is_timed = True
            self._choose_ways()

    def _publish_plainly(self, message: Message) -> int:
        active = self.rotation.active
        ready = self._ready
        if active and not ready.fresh and not ready.returned:
            consumer = active[0]
            if consumer.no_ack:
                if consumer.deliver_fresh(message) and len(active) > 1:
                    active.rotate(-1)
                return TAKEN
            position = self._next_position
            self._next_position = position + 1
            self.unacked_count += 1
            self._turn(consumer, Entry(message, position))
            return TAKEN
        position = self._next_position
        self._next_position = position + 1
        ready.fresh.append(Entry(message, position))
        return BACKLOG if self.consumers else TAKEN

    def _publish_and_keep(self, message: Message) -> int:
        active = self.rotation.active
        ready = self._ready
        assert isinstance(ready, KeptFifo)
        is_first = active and not ready.fresh and not ready.returned and not ready.refill()
        if is_first and active[0].no_ack:
            return self._publish_plainly(message)
        position = self._next_position
        self._next_position = position + 1
        if is_first:
            entry = KeptEntry(message, position, None)
            ready.keep(entry, message)
            self.unacked_count += 1
            self._turn(active[0], entry)
            return PENDING
        ready.keep_last(message, position)
        return PENDING | BACKLOG if self.consumers else PENDING

    def _pump_plainly(self) -> None:
        rotation, ready = self.rotation, self._ready
        messages_left, bytes_left = queue.SLICE_MESSAGES, queue.SLICE_BYTES
        while rotation.active and (ready.fresh or ready.returned or ready.refill()):
            if messages_left <= 0 or bytes_left <= 0:
                self.vhost.node.add_work(self._go_on)
                return
            entry = heappop(ready.returned)[1] if ready.returned else ready.fresh.popleft()
            consumer = rotation.active[0]
            if not consumer.no_ack:
                self.unacked_count += 1
            elif entry.is_kept:
                self._part(entry).forget(entry.position)
            self._turn(consumer, entry)
            messages_left -= 1
            bytes_left -= entry.message.size_bytes

    @property
    def message_count(self) -> int:
        return len(self._ready)

    def _append(self, entry: Entry) -> None:
        self._ready.append(entry)

    def _put_back(self, entry: Entry) -> None:
        self._ready.put_back(entry)

    def _peek(self) -> Entry:
        return self._ready.peek()

    def _pop(self) -> Entry:
        return self._ready.pop()

    def fifos(self) -> Iterable[Fifo]:
        return (self._ready,)

    def kept_parts(self) -> Iterable[KeptFifo]:
        return [self._ready] if isinstance(self._ready, KeptFifo) else []

    def _part(self, entry: Entry) -> KeptFifo:
        assert isinstance(self._ready, KeptFifo)
        return self._ready

    def _clear(self) -> None:
        free_in_slices(self.vhost.node, self._ready.clear())
