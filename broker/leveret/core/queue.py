"""What every queue is: who may take what is ready, the way back for what was not settled, and the limits it keeps.

How this works. A type of queue says in which order messages wait (`_append`, `_put_back`, `_peek`, `_pop`); this class
does the rest. A message that finds an empty queue and a consumer with room goes straight to it. Otherwise `pump`
brings ready messages and consumers together, after it has given up what is too much or too old (`_doom`). It works in
slices, so that one long backlog holds nobody up: it never leaves ready messages and able consumers side by side, and no
message that has to go, unless it has asked the node for another slice.

`publish` and `pump` are attributes: a queue that keeps no limits may have quicker ways (see ClassicQueue).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, ClassVar, Final

from leveret.core.body_bytes import add_up_ready, ready_bytes
from leveret.core.consumer import Consumer
from leveret.core.counts import QueueCounts
from leveret.core.dead_letter import EXPIRED, MAXLEN, REJECTED, dead_letter
from leveret.core.fifo import Fifo
from leveret.core.idle import IdleExpiry
from leveret.core.message import Entry, KeptEntry, Message, TimedEntry
from leveret.core.names import INTERNAL_USER
from leveret.core.served import Served
from leveret.core.settings import QueueSettings
from leveret.storage.base import Line, StoredMessage
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import Table

if TYPE_CHECKING:
    from leveret.core.body_bytes import FifoSums
    from leveret.core.keeping import EntryOf, Keeper, KeptFifo
    from leveret.core.timers import Timer
    from leveret.core.vhost import VirtualHost

# One slice of a backlog, about as much as RabbitMQ sends before it looks at the credit of its consumers (400).
SLICE_MESSAGES = 256
SLICE_BYTES = 262_144
DEAD_LETTER_WEIGHT = 4

# The bodies of so many messages are added up at once, for a new limit.
ADDED_UP_AT_ONCE = 256

# What Queue.publish answers; BACKLOG and PENDING may come together.
TAKEN: Final = 0
BACKLOG: Final = 1  # it waits behind others although there are consumers: they are slower than the publishers
REFUSED: Final = 2  # there is no room for it
PENDING: Final = 4  # it is safe later, and then says so if it is awaited


class Queue(Served):
    """A queue.

    type_name: "classic" or "quorum"; consumer_class: what its consumers are made of.
    owner: the connection whose exclusive queue this is, or None. Only compared, never looked into.
    arguments: as declared, with their wire types; settings: what they and the policy come to.
    counts: see `leveret.core.counts`. created_by: the name of the user who declared it.
    keeper: of a durable queue on a node with a store. keeps_transient: it keeps more than persistent messages.
    publish(message): take a message, straight to a consumer or into the queue. Answers one of the constants above.
    publish_persistent(message): the same for one that is persistent; another way only where that makes a difference.
    pump(): one slice of bringing ready messages to able consumers; asks for another slice if both are left.
    """

    __slots__ = (
        "_drops_head", "_head_timer", "_idle_expiry", "_is_timed", "_next_position", "_ready_bytes",
        "arguments", "auto_delete", "counts", "created_by", "durable", "fifo_sums", "is_deleted", "keeper", "name",
        "owner", "publish", "publish_persistent", "pump", "settings", "unacked_count", "vhost",
    )  # fmt: skip

    is_exchange = False
    keeps_transient = False
    type_name: ClassVar[str]
    consumer_class: ClassVar[type[Consumer]] = Consumer

    publish: Callable[[Message], int]
    publish_persistent: Callable[[Message], int]

    def __init__(
        self, vhost: VirtualHost, name: str, *, durable: bool, auto_delete: bool, owner: object | None,
        arguments: Table, settings: QueueSettings, keeper: Keeper | None = None,
        lines: Sequence[Line] = (),
    ) -> None:  # fmt: skip
        self.vhost = vhost
        self.keeper = keeper
        self.name = name
        self.durable = durable
        self.auto_delete = auto_delete
        self.owner = owner
        self.arguments = arguments
        self.settings = settings
        self.unacked_count = 0
        self.counts = QueueCounts()
        self.fifo_sums: list[FifoSums] | None = None
        self.is_deleted = False
        self.created_by = INTERNAL_USER
        single_active = arguments.get("x-single-active-consumer")
        super().__init__(is_single_active=single_active is not None and single_active.value is True)
        self._make_parts(lines)
        self._next_position = max((part.line.totals.next_position for part in self.kept_parts()), default=0)
        self._ready_bytes = 0  # kept only under a limit of bytes
        self._is_timed = False  # has it had an entry with a deadline?
        self._head_timer: Timer | None = None
        self._idle_expiry: IdleExpiry | None = None
        self._hold_to(settings)

    def __str__(self) -> str:
        return f"queue '{self.name}' in vhost '{self.vhost.name}'"

    def apply(self, settings: QueueSettings) -> None:
        """Settings that hold from now on; limits of length at once for what is in the queue (RabbitMQ: POL-5)."""
        self._hold_to(settings)
        self._give_up()

    def _hold_to(self, settings: QueueSettings) -> None:
        """Settings for what will happen. What is in the queue already is left alone."""
        before, self.settings = self.settings, settings
        has_length_limit = settings.max_length is not None or settings.max_length_bytes is not None
        self._drops_head = has_length_limit and settings.overflow == "drop-head"
        self._choose_ways()
        is_made = before is not settings
        if settings.max_length_bytes is not None and not (is_made and before.max_length_bytes is not None):
            self._add_up_bytes(is_made=is_made)
        if self._idle_expiry is not None:
            self._idle_expiry.stop()
            self._idle_expiry = None
        if settings.expires_ms is not None:
            self._idle_expiry = IdleExpiry(self, settings.expires_ms / 1000)

    def _add_up_bytes(self, *, is_made: bool) -> None:
        """In slices, and the limit holds then. Not where one from the store refuses publishers: from the start."""
        if self.message_count > ADDED_UP_AT_ONCE and (is_made or self.settings.overflow == "drop-head"):
            self._ready_bytes = 0  # there are more: so what goes until then is too much in any case
            add_up_ready(self, self._bytes_added_up)
        else:
            self._ready_bytes = ready_bytes(self)

    def _bytes_added_up(self, size_bytes: int) -> None:
        self._ready_bytes = size_bytes
        self.pump()

    def restored(self) -> None:
        """All that was in the store is there again, so dead letters can go where they have to.

        What expired meanwhile is given up; and what is too much, because unacked messages are ready now.
        """
        if self.message_count:
            if any(part.line.totals.may_expire for part in self.kept_parts()):
                self.expect_expiration()
            self._give_up()

    def _choose_ways(self) -> None:
        self.publish = self.publish_persistent = self._publish
        self.pump = self._pump

    # -- the order in which messages wait -----------------------------------------------------------------------------

    @abstractmethod
    def _make_parts(self, lines: Sequence[Line]) -> None:
        """Make what the messages wait in. lines: in the store, in the order of `kept_parts`; empty: for a new queue."""

    @property
    @abstractmethod
    def message_count(self) -> int:
        """Ready messages; those handed out and not settled do not count (RabbitMQ: QU-11)."""

    @abstractmethod
    def _append(self, entry: Entry) -> None:
        """A new message."""

    @abstractmethod
    def _put_back(self, entry: Entry) -> None:
        """A message that was handed out."""

    @abstractmethod
    def _peek(self) -> Entry:
        """The next one. Only called when there is one."""

    @abstractmethod
    def _pop(self) -> Entry:
        """Take the next one. Only called when there is one."""

    @abstractmethod
    def fifos(self) -> Iterable[Fifo]:
        """Where messages wait, always in the same order."""

    def given_back(self) -> Iterable[Entry]:
        """Ready messages that are in none of these."""
        return ()

    @property
    def head_timestamp(self) -> int | None:
        """The timestamp property of the next message."""
        return self._peek().message.properties.timestamp if self.message_count else None

    @abstractmethod
    def _clear(self) -> None:
        """Forget all that is ready."""

    def _fifo(self, lines: Sequence[Line], number: int, entry_of: EntryOf | None = None) -> Fifo:
        """A part of the queue; of a durable one, with the line of that number. entry_of: see KeptFifo."""
        if self.keeper is None:
            return Fifo()
        return self.keeper.fifo(lines[number] if lines else None, entry_of or self._stored_entry)

    def _stored_entry(self, stored: StoredMessage, message: Message) -> Entry:
        """Of a message that comes back from the store."""
        return KeptEntry(message, stored.position, stored.expires_at, stored.redelivered)

    @abstractmethod
    def kept_parts(self) -> Iterable[KeptFifo]:
        """The parts of a durable queue that have lines in the store, always in the same order."""

    @abstractmethod
    def _part(self, entry: Entry) -> KeptFifo:
        """The one that a kept entry belongs to."""

    # -- in ---------------------------------------------------------------------------------------------------------

    def _publish(self, message: Message) -> int:
        """`publish` under all limits. A refusal comes before a consumer is looked for (RabbitMQ: LEN-4)."""
        settings = self.settings
        if settings.overflow != "drop-head" and self._is_full_for(message):
            if settings.overflow == "reject-publish-dlx":
                dead_letter(self, message, MAXLEN, message.failed_count)
            return REFUSED
        entry = self._entry(message)
        active = self.rotation.active
        if active and not self.message_count:
            is_kept = entry.is_kept and not active[0].no_ack
            if is_kept:
                self._part(entry).keep(entry, message)
            self._hand_over(entry)
            return PENDING if is_kept else TAKEN
        if entry.is_kept:
            self._part(entry).keep(entry, message)
        self._append(entry)
        if settings.max_length_bytes is not None:
            self._ready_bytes += message.body_size_bytes
        self._give_up()
        return (PENDING if entry.is_kept else TAKEN) | (BACKLOG if self.consumers else TAKEN)

    def _entry(self, message: Message) -> Entry:
        position = self._next_position
        self._next_position = position + 1
        expires_at = self._deadline(message)
        if self.keeper is not None and message.is_persistent:
            return KeptEntry(message, position, expires_at)
        return Entry(message, position) if expires_at is None else TimedEntry(message, position, expires_at)

    def _forget(self, entry: Entry) -> None:
        """The queue is done with the entry, or never gave it to anybody who has to settle it."""
        if entry.is_kept and not self.is_deleted:
            self._part(entry).forget(entry.position)

    def _forget_moved(self, entry: Entry) -> None:
        """`_forget` of what may be in another queue now: it is not safe before it is safe there."""
        if entry.is_kept and not self.is_deleted:
            self._part(entry).forget_moved(entry.position)

    def _deadline(self, message: Message) -> float | None:
        """By the shorter of the queue's and the message's time to live (RabbitMQ: TTL-1)."""
        ttl_ms, queue_ttl_ms = message.expiration_ms, self.settings.message_ttl_ms
        if queue_ttl_ms is not None and (ttl_ms is None or queue_ttl_ms < ttl_ms):
            ttl_ms = queue_ttl_ms
        if ttl_ms is None:
            return None
        self._is_timed = True
        return self.vhost.node.now() + ttl_ms / 1000

    def expect_expiration(self) -> None:
        """There is, or will be, a message with a deadline. For queues that have ways which do not look for it."""
        self._is_timed = True

    def requeue(self, entries: list[Entry]) -> None:
        """Put back what was handed out, marked as redelivered."""
        if self.is_deleted:
            return
        for entry in entries:
            entry.redelivered = True
            self._put_back(entry)
        self._came_back(entries)

    def take_back(self, entries: list[Entry]) -> None:
        """`requeue` where nobody asked for it: the channel that had them is gone."""
        self.requeue(entries)

    def _came_back(self, entries: list[Entry]) -> None:
        """These were put back: they count for the limits again (RabbitMQ: LEN-1), and may go to others."""
        self.unacked_count -= len(entries)
        if self.settings.max_length_bytes is not None:
            self._ready_bytes += sum(entry.message.body_size_bytes for entry in entries)
        self.pump()

    # -- out --------------------------------------------------------------------------------------------------------

    def _take(self) -> Entry:
        """Take the next one out, for good or for a consumer."""
        entry = self._pop()
        if self.settings.max_length_bytes is not None:
            self._ready_bytes -= entry.message.body_size_bytes
        return entry

    def _hand_over(self, entry: Entry) -> None:
        """To the consumer whose turn it is."""
        consumer = self.rotation.active[0]
        if not consumer.no_ack:
            self.unacked_count += 1
        self._turn(consumer, entry)

    def _pump(self) -> None:
        """`pump` under all limits: the head is given up, or goes to a consumer, or waits."""
        if self.is_held:
            return
        rotation = self.rotation
        messages_left, bytes_left = SLICE_MESSAGES, SLICE_BYTES
        while count := self.message_count:
            reason = self._doom(count)
            if reason is None and not rotation.active:
                return
            if messages_left <= 0 or bytes_left <= 0:
                self.vhost.node.add_work(self._go_on)
                return
            entry = self._take()
            if reason is None:
                if rotation.active[0].no_ack:
                    self._forget(entry)
                self._hand_over(entry)
            else:
                self._dead_letter(entry, reason)
                messages_left -= self._loss_weight - 1
            messages_left -= 1
            bytes_left -= entry.message.size_bytes

    def _go_on(self) -> None:
        """Another slice, of whatever `pump` is by then."""
        self.pump()

    def _serve_later(self) -> None:
        self.vhost.node.add_work(self._go_on)

    def see_to_head(self) -> bool:
        """Before `get`: a slice of what has to be given up. False: there is more of it."""
        return self._give_up()

    def get(self, *, no_ack: bool) -> Entry | None:
        """basic.get: the first ready message, whatever the consumers; None if there is none. After `see_to_head`."""
        self.touch()
        if not self.message_count:
            return None
        entry = self._take()
        if no_ack:
            self._forget(entry)
        else:
            self.unacked_count += 1
        self._give_up()
        return entry

    def settle(self, entry: Entry) -> None:
        """The message was acked, or thrown away by its consumer: it is done with."""
        if not self.is_deleted:
            self.unacked_count -= 1
            if entry.is_kept:
                self._part(entry).forget(entry.position)

    def reject(self, entry: Entry) -> None:
        """basic.reject or nack without requeue. RabbitMQ: nothing is dead-lettered once the queue is gone (QU-35)."""
        if not self.is_deleted:
            self.unacked_count -= 1
            self._dead_letter(entry, REJECTED)

    def _dead_letter(self, entry: Entry, reason: str) -> None:
        """Be done with an entry that waits no more, and that nobody has."""
        dead_letter(self, entry.message, reason, entry.message.failed_count)
        self._forget_moved(entry)

    @property
    def _loss_weight(self) -> int:
        """As long as so many messages that are delivered takes one that is given up."""
        return 1 if self.settings.dead_letter_exchange is None else DEAD_LETTER_WEIGHT

    def purge(self) -> int:
        """Throw away all ready messages; those handed out stay. Answers how many there were."""
        count = self.message_count
        if self.keeper is not None:
            held = {entry.position for entry in self._held_entries() if entry.is_kept}
            for part in self.kept_parts():
                part.forget_all(held)
        self._clear()
        self._ready_bytes = 0
        return count

    def _held_entries(self) -> Iterable[Entry]:
        """What is not ready, and not settled either."""
        node = self.vhost.node
        returning = (entries.entries_of(self) for entries in node.returning)
        return chain(node.connections.entries_held(self), *returning)

    # -- limits -----------------------------------------------------------------------------------------------------

    def _is_full_for(self, message: Message) -> bool:
        """Would it exceed a limit?"""
        return self._exceeds(self.message_count + 1, message.body_size_bytes)

    def _exceeds(self, count: int, more_bytes: int = 0) -> bool:
        """Only ready messages count, and of them only the bodies (RabbitMQ: LEN-1)."""
        max_count, max_bytes = self.settings.max_length, self.settings.max_length_bytes
        return (max_count is not None and count > max_count) or (
            max_bytes is not None and self._ready_bytes + more_bytes > max_bytes
        )

    def _doom(self, count: int) -> str | None:
        """Why the first of `count` messages has to go, if it has to: they are too many (RabbitMQ: LEN-2), or its time
        is over (TTL-2: that of the head and of no other). If its time is to come, the queue will look again then.
        """
        if self._drops_head and self._exceeds(count):
            return MAXLEN
        return EXPIRED if self._is_timed and self._head_has_expired() else None

    def _head_has_expired(self) -> bool:
        expires_at = self._peek().expires_at
        if expires_at is None:
            return False
        if expires_at <= self.vhost.node.now():
            return True
        self._wake_at(expires_at)
        return False

    def _give_up(self) -> bool:
        """Give up what has to go, one slice of it. False: there may be more; the node will call for it."""
        if self.is_held:
            return True  # `pump` sees to it then
        messages_left, bytes_left = SLICE_MESSAGES, SLICE_BYTES
        while (count := self.message_count) and (reason := self._doom(count)) is not None:
            if messages_left <= 0 or bytes_left <= 0:
                self.vhost.node.add_work(self._go_on)
                return False
            entry = self._take()
            self._dead_letter(entry, reason)
            messages_left -= self._loss_weight
            bytes_left -= entry.message.size_bytes
        return True

    def _wake_at(self, expires_at: float) -> None:
        timer = self._head_timer
        if timer is not None and timer.is_waiting:
            if timer.at <= expires_at:
                return  # it finds out by itself that it comes too early
            timer.cancel()
        self._head_timer = self.vhost.node.timers.call_at(expires_at, self._go_on)

    # -- use ---------------------------------------------------------------------------------------------------------

    @property
    def is_in_use(self) -> bool:
        """It does not expire as long as this holds; whatever ends it touches the queue."""
        return bool(self.consumers)

    def touch(self) -> None:
        """It is in use (RabbitMQ: EXP-1)."""
        if self._idle_expiry is not None:
            self._idle_expiry.touch()

    def declared_again(self) -> None:
        """Declared once more, passively or not."""
        self.touch()

    def check_delete(self, *, if_unused: bool, if_empty: bool) -> None:
        """Raises PRECONDITION_FAILED (406): not empty, or in use (checked in this order, RabbitMQ: QU-29)."""
        if if_empty and self.message_count:
            raise AMQPError(ReplyCode.PRECONDITION_FAILED, f"{self} not empty")
        if if_unused and self.consumers:
            raise AMQPError(ReplyCode.PRECONDITION_FAILED, f"{self} in use")

    def close(self) -> list[Consumer]:
        """Deleted: drop everything. Answers the consumers, which are to be told; acks for it are no-ops from now on."""
        self.is_deleted = True
        for part in self.kept_parts():
            part.drop()
        self._clear()
        self.publish = self.publish_persistent = _publish_nowhere
        self.pump = _pump_nothing
        if self._head_timer is not None:
            self._head_timer.cancel()
        if self._idle_expiry is not None:
            self._idle_expiry.stop()
            self._idle_expiry = None
        return self._send_away()


def _publish_nowhere(_message: Message) -> int:
    """RabbitMQ: a queue that is deleted before it has answered has taken the message (CFM-6)."""
    return TAKEN


def _pump_nothing() -> None:
    """A deleted queue has nothing."""
