"""The quorum queue, as clients of a single node see it: it counts how often a message came back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final

from leveret.core.at_least_once import AtLeastOnce
from leveret.core.consumer import Consumer, QuorumConsumer
from leveret.core.dead_letter import DELIVERY_LIMIT, EXPIRED, MAXLEN, Death, dead_letter
from leveret.core.fifo import Fifo
from leveret.core.freeing import free_in_slices
from leveret.core.keeping import KeptFifo
from leveret.core.message import Entry, Message, QuorumEntry
from leveret.core.queue import REFUSED, Queue
from leveret.core.settings import QueueSettings
from leveret.storage.base import Line, StoredMessage
from leveret_protocol.errors import AMQPError, ReplyCode

if TYPE_CHECKING:
    from leveret.core.channel import Channel

ROUND: Final = 3  # messages: two high ones, if there are any, and one normal


class QuorumQueue(Queue):
    """What comes back is served first, in the order of its return; without a delivery limit it goes to the end
    (RabbitMQ: B-43). Among the rest two high priorities take turns with one normal (PRI-3).

    dead_letters: what has died in here and is kept until its targets have it; None: it is not kept (QQ-5).
    """

    __slots__ = ("_high", "_is_fading", "_normal", "_returned", "_turn_in_round", "dead_letters")

    type_name = "quorum"
    keeps_transient = True
    consumer_class = QuorumConsumer

    def _make_parts(self, lines: Sequence[Line]) -> None:
        self._high = self._fifo(lines, 0)
        self._normal = self._fifo(lines, 1, self._stored_normal_entry)
        self._returned: deque[Entry] = deque()
        self._turn_in_round = 0
        self._is_fading = False  # is another consumer to be the active one, once this one has settled everything?
        self.dead_letters: AtLeastOnce | None = None

    def apply(self, settings: QueueSettings) -> None:
        super().apply(settings)
        if self.dead_letters is not None:
            self.dead_letters.retry()

    def _hold_to(self, settings: QueueSettings) -> None:
        if settings.dead_letter_strategy != "at-least-once" or settings.dead_letter_exchange is None:
            self._forget_dead_letters()
        elif self.dead_letters is None:
            self.dead_letters = AtLeastOnce(self, self._forget_moved)
        super()._hold_to(settings)

    # -- the order in which messages wait -----------------------------------------------------------------------------

    @property
    def message_count(self) -> int:
        return len(self._high) + len(self._normal) + len(self._returned)

    def _next_line(self) -> Fifo | None:
        """RabbitMQ: rabbit_fifo_q. The last turn of a round is the normal one's, unless the high one is older.

        None: what came back is served first.
        """
        if self._returned:
            return None
        high, normal = self._high, self._normal
        if not high:
            return normal
        if normal and self._turn_in_round == ROUND - 1 and high.peek().position > normal.peek().position:
            return normal
        return high

    def _publish(self, message: Message) -> int:
        passes = bool(self.rotation.active) and not self.message_count
        answer = super()._publish(message)
        if passes and answer != REFUSED:
            self._next_turn()
        return answer

    def _entry(self, message: Message) -> Entry:
        return QuorumEntry(message, self._new_position(), self._deadline(message), is_kept=self.keeper is not None)

    def _stored_normal_entry(self, stored: StoredMessage, message: Message) -> Entry:
        """Whatever its priority says: it may have lost that (see `_put_at_the_end`)."""
        entry = self._stored_entry(stored, message)
        entry.is_high = False
        return entry

    def _stored_entry(self, stored: StoredMessage, message: Message) -> QuorumEntry:
        entry = QuorumEntry(message, stored.position, stored.expires_at, is_kept=True)
        entry.redelivered = entry.redelivered or stored.redelivered
        if stored.return_count or stored.failed_count:
            entry.return_count, entry.failed_count = stored.return_count, stored.failed_count
            entry.show(entry.return_count)
        return entry

    def _fifo_of(self, entry: Entry) -> Fifo:
        assert isinstance(entry, QuorumEntry)
        return self._high if entry.is_high else self._normal

    def _append(self, entry: Entry) -> None:
        self._fifo_of(entry).append(entry)

    def requeue(self, entries: list[Entry]) -> None:
        """As Queue.requeue; a message that has come back as often as the limit says is given up (RabbitMQ: QQ-1)."""
        if self.settings.delivery_limit is None:
            self._give_back(entries, self._put_at_the_end)
        else:
            self._give_back(entries, self._put_back)

    def take_back(self, entries: list[Entry]) -> None:
        """These deliveries failed. RabbitMQ: the messages are served first, with or without a limit."""
        for entry in entries:
            assert isinstance(entry, QuorumEntry)
            entry.failed_count += 1
        self._give_back(entries, self._put_back)

    def _give_back(self, entries: list[Entry], put: Callable[[Entry], None]) -> None:
        if self.is_deleted:
            return
        limit = self.settings.delivery_limit
        kept: list[Entry] = []
        given_up: list[Entry] = []
        for entry in entries:
            assert isinstance(entry, QuorumEntry)
            entry.return_count += 1
            if limit is not None and entry.return_count > limit:
                given_up.append(entry)
                continue
            entry.redelivered = True
            entry.show(entry.return_count)
            kept.append(entry)
            put(entry)
            if entry.is_kept:
                self._part(entry).line.mark(
                    entry.position, return_count=entry.return_count, failed_count=entry.failed_count
                )
        self.unacked_count -= len(given_up)
        for entry in given_up:
            self._dead_letter(entry, DELIVERY_LIMIT)
        self._came_back(kept)
        if not self.unacked_count:
            self.touch()

    def _put_back(self, entry: Entry) -> None:
        self._returned.append(entry)

    def _put_at_the_end(self, entry: Entry) -> None:
        """It is as if it were published again, but for its priority, which is lost (RabbitMQ: rabbit_fifo)."""
        assert isinstance(entry, QuorumEntry)
        waiter = self._part(entry).line.settle(entry.position) if entry.is_kept else None
        entry.position, entry.is_high = self._new_position(), False
        if entry.is_kept:
            self._part(entry).keep_again(entry, entry.original, waiter)
        self._normal.append(entry)

    def _new_position(self) -> int:
        position = self._next_position
        self._next_position = position + 1
        return position

    def _peek(self) -> Entry:
        line = self._next_line()
        return self._returned[0] if line is None else line.peek()

    def _pop(self) -> Entry:
        line = self._next_line()
        if line is None:
            return self._returned.popleft()
        self._next_turn()
        return line.pop()

    def _next_turn(self) -> None:
        self._turn_in_round = (self._turn_in_round + 1) % ROUND

    def fifos(self) -> Iterable[Fifo]:
        return self._high, self._normal

    def given_back(self) -> Iterable[Entry]:
        return self._returned

    def kept_parts(self) -> Iterable[KeptFifo]:
        return [part for part in (self._high, self._normal) if isinstance(part, KeptFifo)]

    def _part(self, entry: Entry) -> KeptFifo:
        part = self._fifo_of(entry)
        assert isinstance(part, KeptFifo)
        return part

    def _clear(self) -> None:
        returned, self._returned = self._returned, deque()
        self._turn_in_round = 0
        for line in (returned, self._high.clear(), self._normal.clear()):
            free_in_slices(self.vhost.node, line)

    # -- out --------------------------------------------------------------------------------------------------------

    def get(self, *, no_ack: bool) -> Entry | None:
        """As Queue.get. Raises RESOURCE_LOCKED (405): it is for a single active consumer."""
        if self._is_single_active:
            raise AMQPError(
                ReplyCode.RESOURCE_LOCKED,
                f"cannot obtain access to locked {self}. basic.get operations are not supported by quorum queues with "
                "single active consumer",
            )
        return super().get(no_ack=no_ack)

    def settle(self, entry: Entry) -> None:
        super().settle(entry)
        if not self.unacked_count:
            self.touch()

    def reject(self, entry: Entry) -> None:
        assert isinstance(entry, QuorumEntry)
        entry.failed_count += 1
        super().reject(entry)
        if not self.unacked_count:
            self.touch()

    def _dead_letter(self, entry: Entry, reason: str) -> None:
        assert isinstance(entry, QuorumEntry)
        if self.dead_letters is None:
            dead_letter(self, entry.original, reason, entry.failed_count)
            self._forget_moved(entry)
        else:
            self.dead_letters.add(Death(entry.original, reason, self.vhost.node.now(), entry.failed_count), entry)

    def _held_entries(self) -> Iterable[Entry]:
        return chain(super()._held_entries(), self.dead_letters or ())

    def close(self) -> list[Consumer]:
        self._forget_dead_letters()
        return super().close()

    def _forget_dead_letters(self) -> None:
        """RabbitMQ: those that have not arrived are lost with the queue, or with the change to another strategy."""
        if self.dead_letters is not None:
            self.dead_letters.close()
            self.dead_letters = None

    # -- limits -----------------------------------------------------------------------------------------------------

    def _is_full_for(self, message: Message) -> bool:
        """RabbitMQ refuses what comes when there is more than the limit already, so one more gets in (LEN-6)."""
        return self._exceeds(self.message_count)

    def _exceeds(self, count: int, more_bytes: int = 0) -> bool:
        """Dead letters that are kept count, too (RabbitMQ: rabbit_fifo_dlx:stat)."""
        if self.dead_letters is not None:
            count += self.dead_letters.message_count
            more_bytes += self.dead_letters.message_bytes
        return super()._exceeds(count, more_bytes)

    def _doom(self, count: int) -> str | None:
        """What a consumer can take is not too much (RabbitMQ: rabbit_fifo delivers before it looks at the limit)."""
        if self._is_timed and self._head_has_expired():
            return EXPIRED
        return MAXLEN if self._drops_head and not self.rotation.active and self._exceeds(count) else None

    # -- use and consumers ------------------------------------------------------------------------------------------

    @property
    def is_in_use(self) -> bool:
        """Unlike in a classic queue, unacked messages keep it as well."""
        return bool(self.consumers or self.unacked_count)

    def declared_again(self) -> None:
        """Does not count as use (RabbitMQ: EXP-1)."""

    def check_delete(self, *, if_unused: bool, if_empty: bool) -> None:
        """Raises NOT_IMPLEMENTED (540): with a condition (RabbitMQ: QU-33)."""
        for flag, is_set in (("if-unused", if_unused), ("if-empty", if_empty)):
            if is_set:
                raise AMQPError(
                    ReplyCode.NOT_IMPLEMENTED,
                    f"cannot delete {self}. queue.delete operations with {flag} flag set are not supported by quorum "
                    "queues",
                )

    def check_consume(self, channel: Channel, *, exclusive: bool) -> None:
        """Raises NOT_IMPLEMENTED (540): the channel has a limit for all its consumers together (RabbitMQ: B-32).

        exclusive is ignored (B-14).
        """
        if channel.limit_count:
            raise AMQPError(ReplyCode.NOT_IMPLEMENTED, f"{self} does not support global qos")

    def add_consumer(self, consumer: Consumer) -> None:
        """Of a higher priority than the active one, it takes over as soon as that one has settled what it holds."""
        super().add_consumer(consumer)
        active = self.active_consumer
        if active is not None and consumer.priority > active.priority:
            self._is_fading = True
            if self.refresh(active):
                self.pump()

    def refresh(self, consumer: Consumer) -> bool:
        if not self._is_fading or consumer is not self.active_consumer or consumer.unacked_count:
            return super().refresh(consumer)
        self._is_fading = False
        self.active_consumer = successor = self._successor()
        assert successor is not None
        if successor is not consumer:
            super().refresh(consumer)
        return super().refresh(successor)

    def _successor(self) -> Consumer | None:
        """The highest priority, then the largest prefetch count, then who has waited longest. RabbitMQ: rabbit_fifo."""
        return max(self.consumers, key=_precedence, default=None)

    def _is_served(self, consumer: Consumer) -> bool:
        return super()._is_served(consumer) and not self._is_fading


def _precedence(consumer: Consumer) -> tuple[int, int]:
    return consumer.priority, consumer.prefetch_count
