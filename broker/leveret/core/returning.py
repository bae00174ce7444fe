"""The way back: what was handed out and not settled goes to its queues again, in slices where it is much.

How this works. To all others it is to be as if it came back at once: in RabbitMQ one message to a queue's process
brings all of it. So a queue that gets something back is held: it takes what is published, and hands out nothing before
the last of it is there. Whoever asks the queue itself waits as long, as in RabbitMQ for its process (see handlers).
While the channel lives, its connection asks for the slices, and does nothing else between them. What a channel that has
ended held is brought back by the node.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from leveret.core.channel import Delivery
    from leveret.core.message import Entry
    from leveret.core.node import Node
    from leveret.core.queue import Queue

# Of deliveries that are settled or go back, what one counts for: an ack takes about 0.5 us, a return to a classic queue
# 0.6, one to a quorum queue 11, a dead letter 20 to 40.
WEIGHT_RETURN: Final = 2
WEIGHT_HEAVY: Final = 50
SLICE_WEIGHT: Final = 10_000  # some 3 to 6 ms

GATHERED_IN_A_SLICE: Final = 20_000  # some 3 ms


def weight(queue: Queue, *, requeue: bool) -> int:
    """Of one message that goes back to this queue, or is thrown away."""
    if requeue:
        return WEIGHT_HEAVY if queue.type_name == "quorum" else WEIGHT_RETURN
    return 1 if queue.settings.dead_letter_exchange is None else WEIGHT_HEAVY


def share_of_a_slice(unacked: dict[int, Delivery], until_tag: int, *, requeue: bool) -> tuple[int, bool]:
    """Up to which tag a slice goes, of what goes back or is thrown away up to this one; and whether there is more."""
    left = SLICE_WEIGHT
    for tag, (_, queue, _) in unacked.items():
        if tag >= until_tag:
            break
        left -= weight(queue, requeue=requeue)
        if left <= 0:
            return tag, True
    return until_tag, False


class Returning:
    """One return, of one channel. queues: those that are held until `release`.

    until_tag: for the channel. limit_was_reached: at some time before, so that all its consumers waited.
    """

    __slots__ = ("_newest_first", "_unacked", "limit_was_reached", "queues", "until_tag")

    def __init__(self, until_tag: int = 0) -> None:
        self.until_tag = until_tag
        self.limit_was_reached = False
        self.queues: dict[Queue, None] = {}
        self._unacked: dict[int, Delivery] = {}  # still to be looked at
        self._newest_first: list[Delivery] = []  # still to be put back

    def hold(self, queue: Queue) -> None:
        """Something comes back to it. It may be called again."""
        if queue not in self.queues and not queue.is_deleted:
            self.queues[queue] = None
            queue.hold()

    def release(self) -> None:
        """All of it is back."""
        for queue in self.queues:
            if not queue.is_deleted:
                queue.release()

    def put_back(self, deliveries: Iterable[Delivery], *, has_ended: bool = False) -> int:
        """The oldest ones that are left. Answers how many of them consumers had. has_ended: their channel has."""
        by_queue: dict[Queue, list[Entry]] = {}
        consumed_count = 0
        for entry, queue, consumer in deliveries:
            by_queue.setdefault(queue, []).append(entry)
            if consumer is not None:
                consumer.unacked_count -= 1
                consumer.returned_count += 1
                consumed_count += 1
        for queue, entries in by_queue.items():
            self.hold(queue)
            if has_ended:
                queue.take_back(entries)
            else:
                queue.requeue(entries)
        return consumed_count

    # -- of a channel that has ended ----------------------------------------------------------------------------------

    def put_back_all(self, node: Node, unacked: dict[int, Delivery]) -> None:
        """What is not much is back at once. Nobody else uses `unacked`."""
        self._unacked = unacked
        node.returning[self] = None
        node.carry_out(self._steps(node))

    def _steps(self, node: Node) -> Iterator[None]:
        """Dictionaries are quick at their end, so they are turned over first."""
        unacked, newest_first = self._unacked, self._newest_first
        while unacked:
            for _ in range(min(len(unacked), GATHERED_IN_A_SLICE)):
                newest_first.append(unacked.popitem()[1])
            if unacked:
                yield
        self.put_back(self._slice(), has_ended=True)
        while newest_first:
            yield
            self.put_back(self._slice(), has_ended=True)
        del node.returning[self]
        self.release()

    def _slice(self) -> Iterator[Delivery]:
        newest_first, left = self._newest_first, SLICE_WEIGHT
        while newest_first and left > 0:
            delivery = newest_first.pop()
            left -= weight(delivery[1], requeue=True)
            yield delivery

    def entries_of(self, queue: Queue) -> Iterator[Entry]:
        """What is not back yet."""
        for deliveries in (self._newest_first, self._unacked.values()):
            for entry, origin, _ in deliveries:
                if origin is queue:
                    yield entry
