"""What a store is: lines of messages and definitions, noted at once and committed in batches.

How this works. The broker's thread only notes what happens; a note costs well under a microsecond. `begin_commit` takes
what has gathered as a batch, `commit` writes the batch (the only call that is slow, and the only one for another
thread), `end_commit` says that it is safe. While one batch is written the next one gathers. A batch is written whole or
not at all: notes made between two calls of `begin_commit` survive together or not at all.

A line is the messages of one queue in order; a queue with priorities has one for each. A message has a position in
its line, and positions only grow. What a payload means is not known here: it is anything that has bytes, and is asked
for them when it is written, which most never are. Until then, and while they are asked for in the writer's thread, it
must not change.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from itertools import count, islice
from typing import NamedTuple, SupportsBytes


class StoreError(Exception):
    """What went wrong, in words for the user; the texts of those raised at opening say what to do."""


class StoreInUse(StoreError):
    """Another broker has the directory."""


class StoreUnusable(StoreError):
    """There can be no store in that place, or not for this version."""


class StoreDamaged(StoreError):
    """The files are damaged beyond what can be left out."""


class StoreFailed(StoreError):
    """A commit failed, and whether the batch is on the disk is not known. The store takes no further one."""


class StoreFull(StoreError):
    """There is no space for a batch. Nothing of it was written; it can be committed again."""


class StoredMessage(NamedTuple):
    """A message of a line.

    expires_at: seconds of the message clock, or None.
    redelivered: it was handed out before, or may have been (it was there when a broker stopped uncleanly).
    return_count, failed_count: see QuorumEntry; 0 in other queues.
    """

    position: int
    payload: bytes
    expires_at: float | None = None
    redelivered: bool = False
    return_count: int = 0
    failed_count: int = 0


class Page:
    """Messages that are read at once: until there are so many, or until their payloads have so many bytes.

    messages: the last one may exceed the bytes.
    """

    __slots__ = ("_bytes_left", "_messages_max", "messages")

    def __init__(self, messages_max: int, bytes_max: int) -> None:
        self.messages: list[StoredMessage] = []
        self._messages_max = messages_max
        self._bytes_left = bytes_max

    @property
    def is_full(self) -> bool:
        return len(self.messages) >= self._messages_max or self._bytes_left <= 0

    def fill(self, more: Iterable[StoredMessage]) -> None:
        """With as many as fit; no further one is asked for."""
        if self._bytes_left <= 0:
            return
        messages, bytes_left = self.messages, self._bytes_left
        for message in islice(more, self._messages_max - len(messages)):
            messages.append(message)
            bytes_left -= len(message[1])
            if bytes_left <= 0:
                break
        self._bytes_left = bytes_left


class Definition(NamedTuple):
    """Something that was declared. The pair of kind and name is unique."""

    kind: str
    name: str
    value: bytes


class Totals(NamedTuple):
    """What a line holds on the disk.

    next_position: the first one that nothing there has had yet.
    may_expire: something there may have a deadline.
    """

    message_count: int = 0
    next_position: int = 0
    may_expire: bool = False


NOTHING = Totals()


class Purge(NamedTuple):
    """Everything below a position is gone, but for the positions that are kept."""

    before: int
    kept: frozenset[int]

    def spares(self, position: int) -> bool:
        return position >= self.before or position in self.kept


class SharedPayload:
    """A payload that goes to several lines, and is stored once. Made by `Store.share`."""

    __slots__ = ("_payload", "id")

    def __init__(self, id: int, payload: SupportsBytes) -> None:
        self.id = id
        self._payload = payload

    def __bytes__(self) -> bytes:
        return bytes(self._payload)


Added = tuple[SupportsBytes, float | None, object | None]  # payload, expires_at, waiter


class Changes:
    """What one batch holds for one line. Nothing changes in it once its batch has been taken.

    added: position -> (payload, expires_at, waiter), rising.
    settled: positions of messages that earlier batches have added.
    marks: position -> (return_count, failed_count) of what came back, also of messages in `added`, and of some settled
    afterwards.
    purge: older than all of `added`, but for the positions it keeps.
    position_after: above all positions that the line has had; a purge would take what came below again.
    """

    __slots__ = ("added", "is_drop", "is_listed", "line", "marks", "position_after", "purge", "settled")

    def __init__(self, line: Line) -> None:
        self.line = line
        self.added: dict[int, Added] = {}
        self.settled: list[int] = []
        self.marks: dict[int, tuple[int, int]] = {}
        self.purge: Purge | None = None
        self.position_after = 0
        self.is_drop = False
        self.is_listed = False

    def __len__(self) -> int:
        """How many records a store has to touch for it, about."""
        return len(self.added) + len(self.settled) + len(self.marks)

    def absorb(self, later: Changes) -> None:
        """Add what happened afterwards. A message that came in one and was settled in the other leaves no trace."""
        if later.is_drop:
            self.is_drop = True
            self.added, self.settled, self.marks, self.purge = {}, [], {}, None
            return
        self.position_after = later.position_after
        added, marks = self.added, self.marks
        if later.purge is not None:
            self.purge = purge = later.purge
            self.added = added = {position: new for position, new in added.items() if purge.spares(position)}
        for position in later.settled:
            if added.pop(position, None) is None:
                self.settled.append(position)
            if marks:
                marks.pop(position, None)
        added.update(later.added)
        marks.update(later.marks)


class Batch:
    """What is committed in one go.

    definitions: (kind, name) -> value, or None for one that was deleted.
    is_awaited: whether there may be any waiters.
    """

    __slots__ = ("changes", "definitions", "is_awaited", "waiters")

    def __init__(self) -> None:
        self.changes: list[Changes] = []
        self.definitions: dict[tuple[str, str], bytes | None] = {}
        self.waiters: list[object] = []
        self.is_awaited = False

    @property
    def is_empty(self) -> bool:
        return not (self.changes or self.definitions or self.waiters)


class Line:
    """The messages of one queue, or of one priority of it.

    id: for a definition to name the line.
    totals: as the store was opened with them, or later.
    suspect_before: messages below this position count as redelivered, whatever their mark.
    writing: in the batch that has been taken.
    kept_back: safe already, but not where `Store._read_stored` finds it.
    """

    __slots__ = (
        "_is_new", "_noted", "_position_after", "_store", "id", "kept_back", "purged", "suspect_before", "totals",
        "writing",
    )  # fmt: skip

    def __init__(
        self, store: Store, id: int, totals: Totals = NOTHING, suspect_before: int = 0, purged: Purge | None = None
    ) -> None:  # fmt: skip
        self.id = id
        self.totals = totals
        self.suspect_before = suspect_before
        self.purged = purged
        self.kept_back: Changes | None = None
        self.writing: Changes | None = None
        self._store = store
        self._noted = Changes(self)
        self._is_new = False
        self._position_after = totals.next_position  # all that were taken

    def add(
        self, position: int, payload: SupportsBytes, expires_at: float | None = None,
        waiter: object | None = None,
    ) -> None:  # fmt: skip
        """A message came. `waiter` comes back once the message is safe, or needs to be no more."""
        noted = self._noted
        if not noted.is_listed:
            self._list()
        if waiter is not None:
            self._store.is_awaited = True
        noted.added[position] = (payload, expires_at, waiter)

    def share(self, position: int, payload: SharedPayload) -> None:
        """A message that was just added has a payload that goes to other lines, too. Unless it was taken already."""
        added = self._noted.added
        if position in added:
            added[position] = (payload, *added[position][1:])

    def settle(self, position: int) -> object | None:
        """A message is done with. Answers its waiter if it had not been taken for writing: then it never will be."""
        noted = self._noted
        added = noted.added.pop(position, None)
        if added is not None:
            return added[2]
        if not noted.is_listed:
            self._list()
        noted.settled.append(position)
        return None

    def mark(self, position: int, *, return_count: int = 0, failed_count: int = 0) -> None:
        """A message that is not settled was handed out and came back: it is redelivered from now on.

        After an unclean stop every message is, so without counts this needs to be noted only before a clean one, and
        before the message is forgotten to be read again.
        """
        noted = self._noted
        if not noted.is_listed:
            self._list()
        noted.marks[position] = (return_count, failed_count)

    @property
    def next_position(self) -> int:
        """Above all positions that are on the disk or on the way to it."""
        added = self._noted.added
        return next(reversed(added)) + 1 if added else self._position_after

    def purge(self, kept: Collection[int] = ()) -> list[object]:
        """All messages until now are done with, but for those at some positions. Answers waiters, as `settle` does.

        However many go, no commit becomes long by it.
        """
        purge = Purge(self.next_position, frozenset(kept))
        noted = self._noted
        if not noted.is_listed:
            self._list()
        gone = [position for position in noted.added if not purge.spares(position)]
        waiters = [noted.added.pop(position)[2] for position in gone]
        noted.purge = self.purged = purge
        self._position_after = purge.before
        return [waiter for waiter in waiters if waiter is not None]

    def drop(self) -> list[object]:
        """The queue is gone, and the line with it. Answers waiters, as `settle` does; the line is not used any more."""
        noted = self._noted
        if not noted.is_listed:
            self._list()
        waiters = [waiter for _, _, waiter in noted.added.values() if waiter is not None]
        noted.added.clear()
        noted.settled.clear()
        noted.marks.clear()
        noted.purge = None
        noted.is_drop = True
        del self._store.lines[self.id]
        return waiters

    def read(self, after: int, messages_max: int, bytes_max: int = sys.maxsize) -> list[StoredMessage]:
        """The first messages above a position that are not settled, oldest first; -1 reads from the beginning.

        All that was noted counts, written or not. See Page for the limits; below both: there are no more.
        """
        page = Page(messages_max, bytes_max)
        pending = [changes for changes in (self.kept_back, self.writing, self._noted) if changes is not None]
        gone = set[int]().union(*[changes.settled for changes in pending])
        marks = {position: mark for changes in pending for position, mark in changes.marks.items()}
        first_pending = next((position for changes in pending for position in changes.added), None)
        self._store._read_stored(self, page, after, first_pending, gone)
        for changes in pending:
            page.fill(self._pending(changes, after, gone))
        return [_marked(message, marks) for message in page.messages] if marks else page.messages

    def _pending(self, changes: Changes, after: int, gone: set[int]) -> Iterator[StoredMessage]:
        purged = self.purged
        for position, (payload, expires_at, _) in changes.added.items():
            if position > after and position not in gone and (purged is None or purged.spares(position)):
                yield StoredMessage(position, bytes(payload), expires_at)

    def take_changes(self) -> Changes | None:
        """For the store: what has gathered, which is now about to be written. None: all of it has come to nothing."""
        noted = self._noted
        if not (len(noted) or noted.is_drop or noted.purge or self._is_new):
            noted.is_listed = False
            return None
        self._is_new = False
        self._position_after = noted.position_after = self.next_position
        self.writing, self._noted = noted, Changes(self)
        return noted

    def end_keeping_back(self, totals: Totals) -> None:
        """For the store: `_read_stored` finds it all now."""
        self.kept_back = None
        self.totals = totals
        self._position_after = max(self._position_after, totals.next_position)

    def note_new(self) -> None:
        """For the store: there is to be such a line."""
        self._is_new = True
        self._list()

    def _list(self) -> None:
        self._noted.is_listed = True
        self._store._changed.append(self)


def _marked(message: StoredMessage, marks: dict[int, tuple[int, int]]) -> StoredMessage:
    mark = marks.get(message.position)
    if mark is None:
        return message
    return message._replace(redelivered=True, return_count=mark[0], failed_count=mark[1])


class Store(ABC):
    """Lines and definitions.

    lines: by id, those that are not dropped.
    is_awaited: whether anybody may wait for what has gathered.
    """

    def __init__(self) -> None:
        self.lines: dict[int, Line] = {}
        self._next_line_id = 1
        self._payload_ids = count(1)
        self._changed: list[Line] = []
        self._gathering = Batch()
        self._writing: Batch | None = None
        self._has_failed = False
        self.is_awaited = False

    # -- notes --------------------------------------------------------------------------------------------------------

    def new_line(self) -> Line:
        """For a queue whose definition is in the same batch."""
        line = Line(self, self._next_line_id)
        self._next_line_id += 1
        self.lines[line.id] = line
        line.note_new()
        return line

    def share(self, payload: SupportsBytes) -> SharedPayload:
        """A payload for several lines, in the form in which `Line.add` stores it once."""
        return SharedPayload(next(self._payload_ids), payload)

    def define(self, kind: str, name: str, value: bytes) -> None:
        """A definition is new, or is different now."""
        self._gathering.definitions[kind, name] = value

    def undefine(self, kind: str, name: str) -> None:
        """A definition is gone."""
        self._gathering.definitions[kind, name] = None

    def when_safe(self, waiter: object) -> None:
        """`waiter` comes back once everything that was noted until now is safe."""
        self._gathering.waiters.append(waiter)
        self.is_awaited = True

    # -- commits ------------------------------------------------------------------------------------------------------

    @property
    def has_notes(self) -> bool:
        """Is there something to commit? It may come to nothing."""
        return bool(self._changed) or not self._gathering.is_empty or self._is_sweeping()

    @property
    def is_long_commit_due(self) -> bool:
        """Will the next commit do more than keep its batch? That may take tens of milliseconds."""
        return self._is_sweeping()

    def begin_commit(self) -> Batch | None:
        """Take what has gathered; None: nothing has. Not while another batch is being written."""
        if self._writing is not None:
            raise RuntimeError("a batch is being written")
        batch = self._gathering
        batch.changes = [changes for line in self._changed if (changes := line.take_changes()) is not None]
        self._changed = []
        if batch.is_empty and not self._is_sweeping():
            return None
        self._gathering = Batch()
        batch.is_awaited, self.is_awaited = self.is_awaited, False
        self._writing = batch
        return batch

    def commit(self, batch: Batch) -> None:
        """Make the batch safe; in any thread.

        Raises:
            StoreFull: there is no space; the same batch may be committed again later.
            StoreFailed: there must be no further commit.
        """
        if self._has_failed:
            raise StoreFailed("a commit failed before")
        self._has_failed = True  # until it is known to be otherwise
        try:
            self._write(batch)
        except StoreFull:
            self._has_failed = False
            raise
        self._has_failed = False

    def end_commit(self, batch: Batch) -> list[object]:
        """The batch is safe. Answers its waiters: of a line in the order of its messages, then those of `when_safe`."""
        self._writing = None
        waiters: list[object] = []
        for changes in batch.changes:
            changes.line.writing = None
            if batch.is_awaited:
                waiters += [waiter for _, _, waiter in changes.added.values() if waiter is not None]
        waiters += batch.waiters
        return waiters

    # -- what a kind of store does ------------------------------------------------------------------------------------

    @abstractmethod
    def definitions(self) -> Iterator[Definition]:
        """Those of the last commit, by kind and name."""

    @abstractmethod
    def close(self) -> None:
        """End. What was noted since the last commit is lost, and then the stop was not a clean one."""

    @abstractmethod
    def check_place(self) -> None:
        """Raises StoreFailed: somebody has removed what it is kept in, or put something else there."""

    @abstractmethod
    def _write(self, batch: Batch) -> None:
        """`commit`. Also sweeps, if there is something to."""

    @abstractmethod
    def _read_stored(self, line: Line, page: Page, after: int, before: int | None, gone: set[int]) -> None:
        """Fill a page with what is on the disk between two positions (exclusive), without those gone and purged."""

    def _is_sweeping(self) -> bool:
        """Is there more to remove of lines that were purged or dropped? Asked while nothing is written."""
        return False

    @property
    def _is_all_written(self) -> bool:
        return not (self._has_failed or self._writing or self._changed) and self._gathering.is_empty
