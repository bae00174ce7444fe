"""Messages in the order in which they came, with a way back to the old place for what is given back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush

from leveret.core.message import Entry


class Fifo:
    """fresh: what came and was not handed out yet. returned: a heap by position of what was handed out and came back;
    all of it stands before all of `fresh`, because everything in it has been at the head before.

    Both are for reading, by those who are in a hurry; they stay the same objects but for `fresh` after `clear`.
    """

    __slots__ = ("fresh", "returned")

    def __init__(self) -> None:
        self.fresh: deque[Entry] = deque()
        self.returned: list[tuple[int, Entry]] = []

    def __len__(self) -> int:
        return len(self.fresh) + len(self.returned)

    def __iter__(self) -> Iterator[Entry]:
        """All entries in memory; those given back in no order."""
        yield from (entry for _, entry in self.returned)
        yield from self.fresh

    def append(self, entry: Entry) -> None:
        self.fresh.append(entry)

    def put_back(self, entry: Entry) -> None:
        """To its old place (RabbitMQ: B-38)."""
        heappush(self.returned, (entry.position, entry))

    def peek(self) -> Entry:
        """The first one. Raises IndexError if there is none."""
        return self.returned[0][1] if self.returned else self.fresh[0]

    def pop(self) -> Entry:
        """Take the first one. Raises IndexError if there is none."""
        return heappop(self.returned)[1] if self.returned else self.fresh.popleft()

    def refill(self) -> bool:
        """Called when both are empty: is there more to come into `fresh`? Then some of it is in there now."""
        return False

    def clear(self) -> deque[Entry]:
        """Forget everything. Answers what may be much: freeing it takes time."""
        fresh, self.fresh = self.fresh, deque()
        self.returned.clear()
        return fresh
