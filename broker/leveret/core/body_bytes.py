"""How many bytes of bodies a queue holds: for those who ask, since adding them up at each publish would cost too much.

    sums = body_bytes(queue, held_of(queue.vhost))

How this works. In memory messages wait in deques, which grow at one end and shrink at the other, by rising positions. A
deque is added up in blocks of positions, and the sums are kept: so the next time only what has come since is looked at,
and the block at the head. Where that is very much, `look_ahead` does it in slices before. What is handed out is looked
at each time, and what came back. For messages that are only in the store KeptFifo keeps a number.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from leveret.core.keeping import KeptFifo
from leveret.core.message import Entry

if TYPE_CHECKING:
    from leveret.core.connections import OpenConnection
    from leveret.core.fifo import Fifo
    from leveret.core.queue import Queue
    from leveret.core.vhost import VirtualHost

BLOCK_BITS = 10  # 1024 positions
UNKNOWN_MAX = 50_000  # about 20 ms
SLICE_ENTRIES = 5_000  # of persistent ones, whose properties are decoded for it, about 6 ms
FEW_ENTRIES = 2_000
SLICE_HELD = 4_000  # about 2 ms

_NO_MORE: Final = object()


class Sums:
    """count, size_bytes: of messages and their bodies. kept_count, kept_bytes: those of them that are persistent."""

    __slots__ = ("count", "kept_bytes", "kept_count", "size_bytes")

    def __init__(self) -> None:
        self.count = self.size_bytes = self.kept_count = self.kept_bytes = 0

    def add(self, entry: Entry, *, keeps: bool) -> None:
        """keeps: is persistent what is persistent, in this queue?"""
        message = entry.message
        size_bytes = message.body_size_bytes
        self.count += 1
        self.size_bytes += size_bytes
        if keeps and (entry.is_kept or message.is_persistent):
            self.kept_count += 1
            self.kept_bytes += size_bytes

    def add_all(self, count: int, size_bytes: int, kept_count: int, kept_bytes: int) -> None:
        self.count += count
        self.size_bytes += size_bytes
        self.kept_count += kept_count
        self.kept_bytes += kept_bytes

    def __iadd__(self, other: Sums) -> Sums:
        self.add_all(other.count, other.size_bytes, other.kept_count, other.kept_bytes)
        return self


class DequeSums:
    """The sums of one deque of entries, remembered: `of` is given the same one each time, or one that came after it."""

    __slots__ = ("_blocks", "_head", "_tail")

    def __init__(self) -> None:
        self._blocks: dict[int, Sums] = {}
        self._head = self._tail = -1  # the positions of the first and the last one at the last look

    def of(self, entries: deque[Entry], *, keeps: bool) -> Sums:
        if not entries:
            self._blocks.clear()
        else:
            self._look(entries, keeps=keeps)
        total = Sums()
        for sums in self._blocks.values():
            total += sums
        return total

    def _look(self, entries: deque[Entry], *, keeps: bool) -> None:
        head = entries[0].position
        first = head >> BLOCK_BITS
        for number in [number for number in self._blocks if number < first]:
            del self._blocks[number]
        self._add(entries, keeps=keeps)
        if head != self._head:
            self._blocks[first] = Sums()
            for entry in entries:
                if entry.position >> BLOCK_BITS != first:
                    break
                self._blocks[first].add(entry, keeps=keeps)
        self._head, self._tail = head, entries[-1].position

    def unknown_count(self, entries: deque[Entry]) -> int:
        """About how many have come since the last look."""
        return min(len(entries), entries[-1].position - self._tail) if entries else 0

    def look_ahead(self, entries: deque[Entry], *, keeps: bool) -> None:
        """Look at some of what has come since, the oldest first."""
        start = bisect_right(entries, self._tail, key=attrgetter("position"))
        some = deque(islice(entries, start, start + SLICE_ENTRIES))
        if some:
            self._add(some, keeps=keeps)
            self._tail = some[-1].position

    def _add(self, entries: deque[Entry], *, keeps: bool) -> None:
        """From the last one back to what is known. They may be many: so those of a block are added in local numbers."""
        tail, bits = self._tail, BLOCK_BITS
        number = entries[-1].position >> bits
        count = size_bytes = kept_count = kept_bytes = 0
        for entry in reversed(entries):
            position = entry.position
            if position <= tail:
                break
            if position >> bits != number:
                self._block(number).add_all(count, size_bytes, kept_count, kept_bytes)
                number = position >> bits
                count = size_bytes = kept_count = kept_bytes = 0
            message = entry.message
            size = message.body_size_bytes
            count += 1
            size_bytes += size
            if keeps and (entry.is_kept or message.is_persistent):
                kept_count += 1
                kept_bytes += size
        self._block(number).add_all(count, size_bytes, kept_count, kept_bytes)

    def _block(self, number: int) -> Sums:
        sums = self._blocks.get(number)
        if sums is None:
            sums = self._blocks[number] = Sums()
        return sums


class FifoSums:
    """Those of one Fifo: in memory, and in the store alone."""

    __slots__ = ("_fresh", "_staying")

    def __init__(self) -> None:
        self._fresh = DequeSums()
        self._staying = DequeSums()

    def unknown_count(self, fifo: Fifo) -> int:
        unknown_count = self._fresh.unknown_count(fifo.fresh)
        return (
            unknown_count + self._staying.unknown_count(fifo.staying) if isinstance(fifo, KeptFifo) else unknown_count
        )

    def look_ahead(self, fifo: Fifo, *, keeps: bool) -> None:
        self._fresh.look_ahead(fifo.fresh, keeps=keeps)
        if isinstance(fifo, KeptFifo):
            self._staying.look_ahead(fifo.staying, keeps=keeps)

    def of(self, fifo: Fifo, *, keeps: bool) -> tuple[Sums, Sums]:
        in_memory = self._fresh.of(fifo.fresh, keeps=keeps)
        for _, entry in fifo.returned:
            in_memory.add(entry, keeps=keeps)
        away = Sums()
        if isinstance(fifo, KeptFifo):
            in_memory += self._staying.of(fifo.staying, keeps=keeps)
            away.count = away.kept_count = fifo.away_count
            away.size_bytes = away.kept_bytes = fifo.away_bytes
        return in_memory, away


Held = defaultdict["Queue", Sums]


class QueueSums:
    """ready and held are in memory, held: handed out and not settled; away: ready, and in the store alone."""

    __slots__ = ("away", "held", "ready")

    def __init__(self) -> None:
        self.ready, self.held, self.away = Sums(), Sums(), Sums()

    @property
    def all(self) -> Sums:
        total = Sums()
        for sums in (self.ready, self.held, self.away):
            total += sums
        return total


def body_bytes(queue: Queue, held: Mapping[Queue, Sums]) -> QueueSums:
    """Of this moment; held: see `held_of`.

    Of a queue that came back from the store with a long backlog, the bytes of that are counted in the background from
    the first time on, and are missing until then.
    """
    found = QueueSums()
    found.held = held.get(queue, found.held)
    for fifo, sums in _fifos(queue):
        ready, away = sums.of(fifo, keeps=queue.durable)
        found.ready += ready
        found.away += away
        if isinstance(fifo, KeptFifo) and fifo.has_unsized:
            _size_in_background(queue, fifo)
    for entry in queue.given_back():
        found.ready.add(entry, keeps=queue.durable)
    return found


def has_many_unknown(queue: Queue) -> bool:
    """Would `body_bytes` have to look at so many messages that others had to wait?"""
    if queue.message_count < UNKNOWN_MAX:
        return False
    return sum(sums.unknown_count(fifo) for fifo, sums in _fifos(queue)) >= UNKNOWN_MAX


def look_ahead(queue: Queue, then: Callable[[], None]) -> None:
    """Look at them in slices, and call `then` when few are left."""

    def look() -> None:
        look_at_some(queue)
        if has_many_unknown(queue):
            queue.vhost.node.add_work(look)
        else:
            then()

    queue.vhost.node.add_work(look)


def look_at_some(queue: Queue) -> None:
    """One slice of them."""
    for fifo, sums in _fifos(queue):
        sums.look_ahead(fifo, keeps=queue.durable)


def ready_bytes(queue: Queue) -> int:
    """Of the bodies of all ready messages, also where they have to be read from the store for it."""
    parts = _parts(queue)
    while _look_further(parts):
        pass
    return _sum(queue, parts)


def add_up_ready(queue: Queue, then: Callable[[int], None]) -> None:
    """`ready_bytes` in slices; `then` is called with what it comes to."""
    parts = _parts(queue)

    def look() -> None:
        if _look_further(parts):
            queue.vhost.node.add_work(look)
        else:
            then(_sum(queue, parts))

    queue.vhost.node.add_work(look)


Parts = list[tuple["Fifo", FifoSums]]


def _parts(queue: Queue) -> Parts:
    """Apart from those of `body_bytes`, which also have to know what is persistent: that takes five times as long."""
    return [(fifo, FifoSums()) for fifo in queue.fifos()]


def _look_further(parts: Parts) -> bool:
    """One slice of what is not known. False: few are left, and in memory."""
    for fifo, sums in parts:
        if isinstance(fifo, KeptFifo) and fifo.has_unsized:
            fifo.size_page()
            return True
        if sums.unknown_count(fifo) > FEW_ENTRIES:
            sums.look_ahead(fifo, keeps=False)
            return True
    return False


def _sum(queue: Queue, parts: Parts) -> int:
    size_bytes = sum(entry.message.body_size_bytes for entry in queue.given_back())
    for fifo, sums in parts:
        ready, away = sums.of(fifo, keeps=False)
        size_bytes += ready.size_bytes + away.size_bytes
    return size_bytes


def _fifos(queue: Queue) -> Iterator[tuple[Fifo, FifoSums]]:
    fifos = list(queue.fifos())
    if queue.fifo_sums is None:
        queue.fifo_sums = [FifoSums() for _ in fifos]
    return zip(fifos, queue.fifo_sums, strict=True)


def held_of(vhost: VirtualHost) -> Mapping[Queue, Sums]:
    """What is handed out and not settled, of all queues of a virtual host. It looks at all of it."""
    held: Held = defaultdict(Sums)
    for _ in add_all_held(held, vhost):
        pass
    return held


def is_much_held(vhost: VirtualHost) -> bool:
    """Would `held_of` have to look at so much that others had to wait?"""
    return sum(queue.unacked_count for queue in vhost.queues.values()) >= UNKNOWN_MAX


def look_at_held(vhost: VirtualHost, then: Callable[[Held], None]) -> None:
    """`held_of` in slices; `then` is called with what comes of it."""
    held: Held = defaultdict(Sums)
    slices = add_all_held(held, vhost)

    def look() -> None:
        if next(slices, _NO_MORE) is _NO_MORE:
            then(held)
        else:
            vhost.node.add_work(look)

    vhost.node.add_work(look)


def add_all_held(held: Held, vhost: VirtualHost) -> Iterator[None]:
    """Of all queues of a virtual host, as `add_held`."""
    for connection in vhost.node.connections.of_vhost(vhost.name):
        yield from add_held(held, connection)


def add_held(held: Held, connection: OpenConnection) -> Iterator[None]:
    """Those of one connection; others may have a turn after each slice. What comes and goes meanwhile may be missed."""
    for number, (entry, queue) in enumerate(connection.deliveries_held(), 1):
        held[queue].add(entry, keeps=queue.durable)
        if number % SLICE_HELD == 0:
            yield


def _size_in_background(queue: Queue, fifo: KeptFifo) -> None:
    if fifo.is_being_sized:
        return
    fifo.is_being_sized = True
    add_work = queue.vhost.node.add_work

    def size_page() -> None:
        if not queue.is_deleted and fifo.size_page():
            add_work(size_page)

    add_work(size_page)
