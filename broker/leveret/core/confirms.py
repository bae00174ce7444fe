"""Publisher confirms of one channel: which publish sequence numbers may be told to the publisher, and how.

A number is settled when every queue that it was routed to has answered for it. Numbers are told in as few methods as
possible: `take` is called once for everything that a turn of the broker settled.
"""

from __future__ import annotations


class Confirms:
    """Publish sequence numbers, from 1 (RabbitMQ: CFM-2 counts every publish, routable or not).

    last: the newest number given out. rejected_count: of those, how many are nacks.
    """

    __slots__ = ("_acked", "_nacked", "_open", "last", "rejected_count")

    def __init__(self) -> None:
        self.last = self.rejected_count = 0
        self._open: dict[int, int] = {}  # number -> answers still owed by queues
        self._acked: list[int] = []
        self._nacked: list[int] = []

    @property
    def unsettled_count(self) -> int:
        """Publishes that a queue still has to answer for."""
        return len(self._open)

    @property
    def confirmed_count(self) -> int:
        """Publishes that are acks, or will be told as such at the end of the turn."""
        return self.last - len(self._open) - self.rejected_count

    def owe(self, number: int, queues: int) -> None:
        """That many queues answer later. Called with rising numbers."""
        self._open[number] = queues

    def confirm(self, number: int) -> bool:
        """One queue has the message safe. True: nothing is owed for it any more, `take` will tell it."""
        left = self._open.get(number)
        if left is None:
            return False
        if left > 1:
            self._open[number] = left - 1  # it keeps its place: the first one in there is the lowest
            return False
        del self._open[number]
        self._acked.append(number)
        return True

    def settle(self, number: int) -> None:
        """The message is safe in every queue it went to (or went to none)."""
        self._acked.append(number)

    def reject(self, number: int) -> None:
        """A queue that owed an answer refused it: one refusal is a nack, whatever the others say (RabbitMQ: CFM-5)."""
        if self._open.pop(number, None) is not None:
            self._nacked.append(number)
            self.rejected_count += 1

    def take(self) -> list[tuple[int, bool, bool]]:
        """What to tell now: (number, multiple, is_ack), and forget it.

        Numbers below the lowest open one and below every refused one are merged into one `multiple`.
        """
        acked, nacked, self._acked, self._nacked = self._acked, self._nacked, [], []
        told = [(number, False, False) for number in nacked]
        if len(acked) == 1:
            told.append((acked[0], False, True))
        elif acked:
            acked.sort()
            barrier = min([*nacked, next(iter(self._open), acked[-1] + 1)])
            merged = [number for number in acked if number < barrier]
            if merged:
                told.append((merged[-1], len(merged) > 1, True))
            told.extend((number, False, True) for number in acked[len(merged) :])
        return told
