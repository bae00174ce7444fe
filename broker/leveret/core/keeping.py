"""What makes a queue durable: its persistent messages are in a line of the store as well, and most of many only there.

How this works. A message is noted in the line when the queue gets it, and settled there when the queue is done with it;
what the store makes of these notes is its business. In memory a queue holds the messages at its head, and from some
number or size on no others: those behind are read back from the line, a page at a time and in order. Transient messages
among them, which no line has, wait in memory and are merged in by their positions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import SupportsBytes, cast

from leveret.core.fifo import Fifo
from leveret.core.message import Entry, KeptEntry, Message, Waiter
from leveret.storage.base import Line, SharedPayload, Store, StoredMessage

# So many messages are brought from the line at once, or fewer that have so many bytes between them; and so much at the
# head of a queue is held in memory. RabbitMQ holds up to 2048 messages of a classic queue, whatever their sizes.
PAGE_MESSAGES = 1024
PAGE_BYTES = 1 << 20
HEAD_MESSAGES_MAX = 4 * PAGE_MESSAGES
HEAD_BYTES_MAX = 4 * PAGE_BYTES

# A message of this size that several queues keep is stored once. Below it a reference saves nothing.
SHARED_BYTES_MIN = 1024

EntryOf = Callable[[StoredMessage, Message], Entry]


class Keeper:
    """The store of a node, and how messages go into it and come out.

    loaded(octets): the message of the bytes that it had.
    unsafe_definitions: how many changes of definitions are not on the disk yet.
    """

    def __init__(self, store: Store, loaded: Callable[[bytes], Message]) -> None:
        self.store = store
        self.loaded = loaded
        self.unsafe_definitions = 0
        self._last_message: Message | None = None
        self._last_place: tuple[Line, int] | None = None  # to which line it went first, and its position there
        self._last_payload: SharedPayload | None = None

    def define(self, kind: str, name: str, value: bytes | None) -> None:
        """A definition is new, or is different now; None: it is gone."""
        if value is None:
            self.store.undefine(kind, name)
        else:
            self.store.define(kind, name, value)
        self.unsafe_definitions += 1
        self.store.when_safe(self)

    def safe(self) -> None:
        """The store has one more definition safe."""
        self.unsafe_definitions -= 1

    def fifo(self, line: Line | None, entry_of: EntryOf) -> KeptFifo:
        """With a line that was there before, or with a new one."""
        return KeptFifo(self, line or self.store.new_line(), entry_of)

    def read_all(self, line: Line) -> Iterator[StoredMessage]:
        """All messages of a line, page by page."""
        page = line.read(-1, PAGE_MESSAGES, PAGE_BYTES)
        while page:
            yield from page
            page = line.read(page[-1].position, PAGE_MESSAGES, PAGE_BYTES)

    def note(self, line: Line, entry: Entry, message: Message, waiter: object | None) -> None:
        """A message came to a line."""
        payload = message if message.size_bytes < SHARED_BYTES_MIN else self.payload(line, entry.position, message)
        line.add(entry.position, payload, entry.expires_at, waiter)

    def payload(self, line: Line, position: int, message: Message) -> SupportsBytes:
        """For a line. The queues of a message ask one after the other: with the second one it is shared."""
        if self._last_message is not message:
            self._last_message, self._last_place, self._last_payload = message, (line, position), None
            return message
        if self._last_payload is None:
            self._last_payload = self.store.share(message)
            assert self._last_place is not None
            first_line, first_position = self._last_place
            first_line.share(first_position, self._last_payload)
        return self._last_payload


class KeptFifo(Fifo):
    """A Fifo with a line. `fresh` and `returned` hold the head; what is behind them comes by `refill`.

    entry_of: makes the entry of a message that comes back from the line.
    staying: transient ones behind `fresh`. away_count, away_bytes: of messages that are in the line only, and of their
    bodies, but for those that `size_page` has still to look at.
    """

    __slots__ = (
        "_away_after", "_entry_of", "_head_bytes", "_keeper", "_sized_before", "_sized_from", "away_bytes",
        "away_count", "is_being_sized", "line", "staying",
    )  # fmt: skip

    def __init__(self, keeper: Keeper, line: Line, entry_of: EntryOf) -> None:
        super().__init__()
        self.line = line
        self._keeper = keeper
        self._entry_of = entry_of
        self.away_count = line.totals.message_count
        self._away_after = -1  # the position they come after
        self._head_bytes = 0  # of `fresh`, or more: what was taken from it counts until `_has_room` looks
        self.staying: deque[Entry] = deque()
        self.away_bytes = 0
        self._sized_before = 0  # positions below this one count in `away_bytes`, and those from `_sized_from` on
        self._sized_from = line.next_position
        self.is_being_sized = False

    def keep(self, entry: Entry, message: Message) -> None:
        """Note a new message in the line, before it is appended or delivered."""
        self._keeper.note(self.line, entry, message, message.waiter)

    def keep_last(self, message: Message, position: int) -> None:
        """`keep` and `append` of a new message without a deadline. Of one that goes behind the head nobody needs an
        entry."""
        is_small = message.size_bytes < SHARED_BYTES_MIN
        payload = message if is_small else self._keeper.payload(self.line, position, message)
        self.line.add(position, payload, None, message.waiter)
        if self.away_count:
            self.away_count += 1
            self.away_bytes += message.body_size_bytes
        else:
            self.append(KeptEntry(message, position, None))

    def keep_again(self, entry: Entry, message: Message, waiter: object | None) -> None:
        """Note it at its new place. waiter: that of its old one, which the line there has answered."""
        self._keeper.note(self.line, entry, message, waiter)

    def forget_moved(self, position: int) -> None:
        """The message is done with here, and went elsewhere in the same turn: whoever waits, waits for that now."""
        waiter = self.line.settle(position)
        if waiter is not None:
            self._keeper.store.when_safe(waiter)

    def forget(self, position: int) -> None:
        """The message is done with. Whoever waits for it to be safe waits no longer."""
        waiter = self.line.settle(position)
        if waiter is not None:
            waiter.safe()  # type: ignore[attr-defined]  # see `tell_safe`

    # -- the order ----------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """What is damaged does not count: if there are any, the first one is in memory."""
        self._see_to_head()
        return len(self.fresh) + len(self.returned) + self.away_count + len(self.staying)

    def append(self, entry: Entry) -> None:
        if not self.away_count and not self.staying:
            self._head_bytes += entry.message.size_bytes
            if len(self.fresh) < HEAD_MESSAGES_MAX and (self._head_bytes <= HEAD_BYTES_MAX or self._has_room()):
                self.fresh.append(entry)
                return
            self._away_after = self.fresh[-1].position
        if entry.is_kept:
            self.away_count += 1
            self.away_bytes += entry.message.body_size_bytes
        else:
            self.staying.append(entry)

    def _has_room(self) -> bool:
        """Add up what is left. There is room if it is less than half, so this comes once in many messages."""
        self._head_bytes = sum(entry.message.size_bytes for entry in self.fresh)
        return self._head_bytes <= HEAD_BYTES_MAX // 2

    def peek(self) -> Entry:
        self._see_to_head()
        return super().peek()

    def pop(self) -> Entry:
        self._see_to_head()
        return super().pop()

    def _see_to_head(self) -> None:
        if not self.returned and not self.fresh:
            self.refill()

    def refill(self) -> bool:
        if self.away_count or self.staying:
            self._bring_page()
        return bool(self.fresh)

    def _bring_page(self) -> None:
        """The next messages of the line, and the transient ones among them, to the end of `fresh`."""
        wanted = min(PAGE_MESSAGES, self.away_count)
        page = self.line.read(self._away_after, wanted, PAGE_BYTES) if wanted else []
        page_bytes = body_bytes = 0
        loaded, entry_of, fresh, staying = self._keeper.loaded, self._entry_of, self.fresh, self.staying
        sized_before, sized_from = self._sized_before, self._sized_from
        for stored in page:
            position, payload = stored[:2]
            if staying:
                self._bring_staying(position)
            page_bytes += len(payload)
            message = loaded(payload)
            if position < sized_before or position >= sized_from:
                body_bytes += message.body_size_bytes
            fresh.append(entry_of(stored, message))
        self.away_bytes -= body_bytes
        if page:
            self._away_after = page[-1].position
        self._head_bytes += page_bytes
        is_whole = len(page) == wanted or page_bytes >= PAGE_BYTES
        self.away_count -= len(page) if is_whole else self.away_count  # some were damaged, and left out
        if not self.away_count:
            self.away_bytes = 0  # what was damaged is gone as well
            self._bring_staying(None)

    def _bring_staying(self, before: int | None) -> None:
        while self.staying and (before is None or self.staying[0].position < before):
            self.fresh.append(self.staying.popleft())

    # -- bytes --------------------------------------------------------------------------------------------------------

    @property
    def has_unsized(self) -> bool:
        """Are there messages of which `away_bytes` does not tell yet?"""
        return self.away_count > 0 and max(self._sized_before, self._away_after + 1) < self._sized_from

    def size_page(self) -> bool:
        """Look at some of them. False: there are no more."""
        after = max(self._sized_before - 1, self._away_after)
        page = self.line.read(after, PAGE_MESSAGES, PAGE_BYTES) if self.has_unsized else []
        page = [stored for stored in page if stored.position < self._sized_from]
        self.away_bytes += sum(self._keeper.loaded(stored.payload).body_size_bytes for stored in page)
        self._sized_before = page[-1].position + 1 if page else self._sized_from
        return self.has_unsized

    def note_redelivered(self) -> None:
        """What is here now was handed out before."""
        for _, entry in self.returned:
            if entry.is_kept:
                self.line.mark(entry.position)

    def forget_all(self, held: Collection[int]) -> None:
        """All that is ready is done with: everything in the line but the positions that are handed out."""
        tell_safe(self.line.purge(held))
        self.away_count = self.away_bytes = 0
        self.staying.clear()

    def drop(self) -> None:
        """The queue is gone (RabbitMQ: to whoever waits, it has taken the message; CFM-6)."""
        tell_safe(self.line.drop())
        self.away_count = self.away_bytes = 0
        self.staying.clear()


def tell_safe(waiters: Iterable[object]) -> None:
    """What the store gives back is what it was given: see Message.waiter."""
    for waiter in cast("Iterable[Waiter]", waiters):
        waiter.safe()
