"""At-least-once dead-lettering: a quorum queue keeps what has died in it until every target has taken it.

How this works. What has died waits in line; the first few of the line are on their way. One that is on its way is
routed anew at each attempt, to those queues that have not taken it yet. It arrives nowhere if the exchange is missing,
if no queue is bound, if it would only come back to where it died; not everywhere, if a queue refuses it. Then it is
tried again.

RabbitMQ: QQ-5; rabbit_fifo_dlx and rabbit_fifo_dlx_worker, which tries again after 180 s or when a policy changes.
Here it is also tried when the topology of the virtual host changes, and much oftener.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from leveret.core.dead_letter import Death, letters_of, post
from leveret.core.message import Entry
from leveret.core.queue import REFUSED, SLICE_MESSAGES

if TYPE_CHECKING:
    from leveret.core.queue import Queue
    from leveret.core.timers import Timer

ON_THEIR_WAY_MAX = 32  # RabbitMQ: dead_letter_worker_consumer_prefetch
RETRY_SECONDS = 1.0  # RabbitMQ: dead_letter_worker_publisher_confirm_timeout, 180 s


class AtLeastOnce:
    """The dead messages that one queue keeps. Iterating gives their entries. message_bytes: of their bodies.

    forget(entry): the message has arrived, or is given up.
    """

    __slots__ = ("_forget", "_on_their_way", "_queue", "_timer", "_waiting", "message_bytes")

    def __init__(self, queue: Queue, forget: Callable[[Entry], None]) -> None:
        self._queue = queue
        self._forget = forget
        self._waiting: deque[_Passage] = deque()
        self._on_their_way: dict[_Passage, None] = {}
        self._timer: Timer | None = None
        self.message_bytes = 0

    @property
    def message_count(self) -> int:
        return len(self._waiting) + len(self._on_their_way)

    def __iter__(self) -> Iterator[Entry]:
        return (passage.entry for passage in chain(self._on_their_way, self._waiting))

    def add(self, death: Death, entry: Entry) -> None:
        """Keep this message, and send it on its way if it is its turn."""
        self._queue.vhost.node.counts.dead_letter(self._queue.type_name, "at_least_once", death.reason)
        self.message_bytes += death.message.body_size_bytes
        self._waiting.append(_Passage(death, entry))
        if len(self._waiting) == 1:
            self._send()

    def retry(self) -> None:
        """Try again what has not arrived."""
        for passage in list(self._on_their_way):
            self._try(passage)

    def close(self) -> None:
        """Forget all of it."""
        for entry in self:
            self._forget(entry)
        self._waiting.clear()
        self._on_their_way.clear()
        self.message_bytes = 0
        self._rest()

    def _send(self) -> None:
        """The next ones, as many as may be on their way at once. One slice; each that arrives asks for another one."""
        for _ in range(SLICE_MESSAGES):
            if not self._waiting or len(self._on_their_way) >= ON_THEIR_WAY_MAX:
                return
            passage = self._waiting.popleft()
            self._on_their_way[passage] = None
            self._try(passage)

    def _try(self, passage: _Passage) -> None:
        def answered(target_name: str, outcome: int) -> None:
            self._answered(passage, target_name, outcome)

        letters = letters_of(self._queue, passage.death, answered)
        left = [letter for letter in letters if letter.target.name not in passage.taken_by]
        passage.owed_count, passage.is_refused = len(left), False
        if left:
            post(self._queue.vhost, left)
        elif passage.taken_by:  # whoever refused it is no target any more
            self._arrived(passage)
        else:
            self._try_later()

    def _answered(self, passage: _Passage, target_name: str, outcome: int) -> None:
        passage.owed_count -= 1
        if outcome == REFUSED:
            passage.is_refused = True
        else:
            passage.taken_by.add(target_name)
        if not passage.owed_count and passage.is_refused:
            self._try_later()
        elif not passage.owed_count:
            self._arrived(passage)

    def _arrived(self, passage: _Passage) -> None:
        del self._on_their_way[passage]
        self._forget(passage.entry)
        self._queue.vhost.node.counts.dead_letters_confirmed[self._queue.type_name] += 1
        self.message_bytes -= passage.death.message.body_size_bytes
        if self._waiting:
            self._queue.vhost.node.add_work(self._send)
        elif not self._on_their_way:
            self._rest()

    def _try_later(self) -> None:
        vhost = self._queue.vhost
        vhost.stuck_letters[self] = None
        if self._timer is None or not self._timer.is_waiting:
            self._timer = vhost.node.timers.call_after(RETRY_SECONDS, self.retry)

    def _rest(self) -> None:
        """Nothing is left to try."""
        self._queue.vhost.stuck_letters.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()


class _Passage:
    """One message on its way. taken_by: names of queues; owed_count: answers of this attempt that are still to come;
    is_refused: one of them was a refusal."""

    __slots__ = ("death", "entry", "is_refused", "owed_count", "taken_by")

    def __init__(self, death: Death, entry: Entry) -> None:
        self.death = death
        self.entry = entry
        self.taken_by: set[str] = set()
        self.owed_count = 0
        self.is_refused = False
