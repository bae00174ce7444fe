"""Whose turn it is: the consumers of one queue that can take a message now.

Strict round robin among equals, the highest priority first. A consumer that cannot take one (prefetch used up,
slow socket) is not in here; it comes back at the end of its line, as in RabbitMQ.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leveret.core.consumer import Consumer


class Rotation:
    """`active` is the line of the highest priority that has anybody in it; its head is next. While the rotation is held
    it is nobody's turn, and they still come and go."""

    __slots__ = ("_holds", "_lines", "active")

    def __init__(self) -> None:
        self._holds = 0
        self.active: deque[Consumer] = deque()
        self._lines: dict[int, deque[Consumer]] = {0: self.active}

    def add(self, consumer: Consumer) -> None:
        line = self._lines.get(consumer.priority)
        if line is None:
            line = self._lines[consumer.priority] = deque()
        line.append(consumer)
        if line is not self.active:
            self._choose()

    def remove(self, consumer: Consumer) -> None:
        """Take it out, wherever it stands. It must be in here."""
        self._lines[consumer.priority].remove(consumer)
        if not self.active:
            self._choose()

    def leave(self) -> None:
        """Take out the head of `active`: it has just been given all it can take."""
        self.active.popleft()
        if not self.active:
            self._choose()

    @property
    def is_held(self) -> bool:
        return self._holds > 0

    def hold(self) -> None:
        """Until it has been released as often as it was held."""
        self._holds += 1
        self.active = deque()

    def release(self) -> None:
        self._holds -= 1
        if not self._holds:
            self.active = next(iter(self._lines.values()))
            self._choose()

    def _choose(self) -> None:
        if len(self._lines) > 1 and not self._holds:
            filled = [priority for priority, line in self._lines.items() if line]
            self._lines = {p: line for p, line in self._lines.items() if line or line is self.active}
            if filled:
                self.active = self._lines[max(filled)]
