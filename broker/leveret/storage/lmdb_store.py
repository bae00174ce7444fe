"""The store on a disk: an environment of LMDB, and in front of it a journal.

How this works. A commit appends its batch to the journal: then it is safe. What has gathered there is kept in memory
too, one batch absorbed into the other, until it is much; then the next commit first writes all of it to the environment
in one transaction, and the journal begins again. A batch that is large itself goes there with it. So most messages that
do not stay long never get to the environment, and a commit flushes the disk once. What a commit works on changes only
in `end_commit`: while it runs, the other thread may read it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

from leveret.storage import records
from leveret.storage.base import (
    Batch,
    Changes,
    Definition,
    Line,
    Page,
    Purge,
    SharedPayload,
    Store,
    StoreFailed,
    StoreFull,
)
from leveret.storage.batch_records import decode_batch, encode_batch
from leveret.storage.blocks import Block
from leveret.storage.directory import Directory
from leveret.storage.environment import Environment
from leveret.storage.journal import JOURNAL_BYTES_MAX, Journal
from leveret.storage.reading import LineReader, last_payload_id, records_of_kind
from leveret.storage.writing import Writing

if TYPE_CHECKING:
    from leveret.storage.environment import ReadTransaction, WriteTransaction

log = logging.getLogger(__name__)

# So many messages that came, went or were marked are kept back from the environment. To write them takes about 20 ms.
KEPT_BACK_MAX = 8192

# A batch of more than so many, or so much, goes to the environment at once: most of it will stay, and would be written
# twice.
JOURNALED_MAX = 4096
JOURNALED_BYTES_MAX = 256 << 10


class LmdbStore(Store):
    """A store in an environment that has been found sound; `opening` makes these.

    was_clean: whether the one before it left everything in order. If not, every message may have been delivered.
    lost: what of the journal is missing, in words.
    """

    def __init__(self, directory: Directory, environment: Environment, *, was_clean: bool) -> None:
        super().__init__()
        self.lost: list[str] = []
        self._directory = directory
        self._environment = environment
        self._sweeps: dict[int, Purge] = {}
        self._kept_back = Batch()
        self._kept_back_count = 0
        self._written: Writing | None = None  # in this commit
        self._batches_written: tuple[Batch, ...] = ()
        self._is_unreadable = False
        with environment.reading() as transaction:
            self._read(transaction)
            self._mark, last = records.decode_journaled(transaction.get(records.FORMAT_KEY, memoryview(b"")))
            self._payload_ids = count(last_payload_id(transaction) + 1)
        self._journal = Journal(directory.journal_path, self._mark, last, is_synced=environment.is_synced)
        if not was_clean:
            with contextlib.ExitStack() as failing:
                failing.callback(self._journal.close)
                self._replay()
                environment.write(self._suspect_all)
                failing.pop_all()
        self._next_line_id = max([*self.lines, *self._sweeps], default=0) + 1

    def _read(self, transaction: ReadTransaction) -> None:
        for key, record in records_of_kind(transaction, records.SWEEP):
            line_id = records.LINE_KEY.unpack(key)[1]
            self._sweeps[line_id] = records.decode_sweep(record)
        for key, record in records_of_kind(transaction, records.LINE):
            line_id = records.LINE_KEY.unpack(key)[1]
            totals, suspect_before = records.decode_line(record)
            self.lines[line_id] = Line(self, line_id, totals, suspect_before, self._sweeps.get(line_id))

    def _replay(self) -> None:
        """Bring the environment up to date."""
        if self._journal.is_new:
            self.lost.append(f"{self._directory.journal_path.name} is missing, and with it what was committed last")
        for number, octets in self._journal.read(self.lost):
            batch = decode_batch(octets, self, number)
            for changes in batch.changes:
                self._note_replayed(changes)
            self._keep_back(batch)
        if self._journal.has_torn_end:
            log.warning(
                "%s ends in a commit that is not whole, and was left out: it was being written when the broker ended,"
                " and nobody was told that it was safe; or the file was damaged", self._directory.journal_path,
            )  # fmt: skip
        new_payloads = (payload for changes in self._kept_back.changes for payload, _, _ in changes.added.values())
        ids = [payload.id for payload in new_payloads if isinstance(payload, SharedPayload)]
        self._payload_ids = count(max([next(self._payload_ids) - 1, *ids]) + 1)
        self._end_kept_back(self._write_kept_back())

    def _note_replayed(self, changes: Changes) -> None:
        """What `Line` and `Store` do when something is noted."""
        line = changes.line
        if changes.is_drop:
            self.lines.pop(line.id, None)
        else:
            self.lines[line.id] = line
        if changes.purge is not None:
            line.purged = changes.purge

    def _suspect_all(self, transaction: WriteTransaction) -> None:
        for line in self.lines.values():
            if line.suspect_before != line.totals.next_position:
                line.suspect_before = line.totals.next_position
                key = records.LINE_KEY.pack(records.LINE, line.id)
                transaction.put(key, records.seal(key, records.encode_line(line.totals, line.suspect_before)))

    def definitions(self) -> Iterator[Definition]:
        with self._environment.reading() as transaction:
            written = [
                records.decode_definition(record) for _, record in records_of_kind(transaction, records.DEFINITION)
            ]
        found: dict[tuple[str, str], bytes | None] = {(kind, name): value for kind, name, value in written}
        found |= self._kept_back.definitions
        for (kind, name), value in sorted(found.items()):
            if value is not None:
                yield Definition(kind, name, value)

    def close(self) -> None:
        """Raises StoreFull or StoreFailed; then what was committed is in the journal."""
        try:
            try:
                if not (self._has_failed or self._is_unreadable):
                    self._write_kept_back()
            finally:
                self._journal.close()
                self._environment.close()
            if self._is_all_written and not self._is_unreadable:
                self._directory.mark_clean()
        except OSError as error:
            raise StoreFailed(f"{self._directory.path} could not be written: {error.strerror}") from error
        finally:
            self._directory.release()

    def check_place(self) -> None:
        try:
            is_in_place = self._journal.is_in_place and self._environment.is_in_place
        except FileNotFoundError:
            is_in_place = False
        except OSError:
            return  # a commit will tell
        if not is_in_place:
            self._has_failed = True
            raise StoreFailed(f"{self._directory.path} was removed, or other files put there")

    # -- commits ------------------------------------------------------------------------------------------------------

    @property
    def is_long_commit_due(self) -> bool:
        is_much = self._kept_back_count > KEPT_BACK_MAX or self._journal.size_bytes > JOURNAL_BYTES_MAX
        return is_much or super().is_long_commit_due

    def _write(self, batch: Batch) -> None:
        is_large = _is_large(batch)
        octets = b"" if is_large else encode_batch(batch)
        if is_large or len(octets) > JOURNALED_BYTES_MAX:
            self._write_kept_back(batch)
            return
        if self._written is None and self.is_long_commit_due:
            self._write_kept_back()
        if not (batch.changes or batch.definitions):
            return
        try:
            self._journal.append(octets)
        except StoreFull:
            if self._written is not None:
                raise
            self._write_kept_back()  # there may be space in it, and then there is in the journal
            self._journal.append(octets)

    def end_commit(self, batch: Batch) -> list[object]:
        is_written = batch in self._batches_written
        if self._written is not None:
            self._end_kept_back(self._written)
        if not is_written:
            self._keep_back(batch)
        return super().end_commit(batch)

    def _keep_back(self, batch: Batch) -> None:
        """It is in the journal."""
        self._kept_back.definitions |= batch.definitions
        for changes in batch.changes:
            line = changes.line
            if line.kept_back is None:
                line.kept_back = changes
                self._kept_back.changes.append(changes)
                self._kept_back_count += len(changes)
            else:
                self._kept_back_count -= len(line.kept_back)
                line.kept_back.absorb(changes)
                self._kept_back_count += len(line.kept_back)

    def _write_kept_back(self, *batches: Batch) -> Writing:
        """To the environment, and if so what is being committed as well. Raises StoreFull or StoreFailed."""
        writing: Writing | None = None
        record = records.encode_format(self._mark, self._journal.last)

        def write(transaction: WriteTransaction) -> None:
            nonlocal writing
            writing = Writing(transaction, self._sweeps)
            writing.write(self._kept_back, *batches)
            transaction.put(records.FORMAT_KEY, records.seal(records.FORMAT_KEY, record))

        self._environment.write(write)
        assert writing is not None
        self._journal.rewind()
        self._written = writing
        self._batches_written = (self._kept_back, *batches)
        return writing

    def _end_kept_back(self, written: Writing) -> None:
        """It is all in the environment."""
        for batch in self._batches_written:
            for changes in batch.changes:
                line = changes.line
                line.end_keeping_back(written.totals.get(line.id, line.totals))
        self._sweeps = written.sweeps
        self._kept_back = Batch()
        self._kept_back_count = 0
        self._written = None
        self._batches_written = ()

    def _is_sweeping(self) -> bool:
        return bool(self._sweeps)

    def _read_stored(self, line: Line, page: Page, after: int, before: int | None, gone: set[int]) -> None:
        if before is None:
            before = records.POSITION_MAX
        with self._failing(), self._environment.copying() as transaction:
            reader = LineReader(line, transaction)
            if line.purged is not None:
                for position in sorted(line.purged.kept - gone):
                    if after < position < min(before, line.purged.before) and not page.is_full:
                        reader.read(page, position - 1, position + 1, gone)
                after = max(after, line.purged.before - 1)
            reader.read(page, after, before, gone)
        for damaged in reader.damaged:
            self._give_up(line, damaged)

    def _give_up(self, line: Line, damaged: Block | int) -> None:
        """What cannot be read is dropped."""
        if isinstance(damaged, int):
            log.error("the message at position %d of line %d is damaged and was dropped", damaged, line.id)
            line.settle(damaged)
            return
        log.error("what was left of %s is damaged and was dropped", damaged)
        for position in [damaged.last] if damaged.has_gaps else range(damaged.first, damaged.last + 1):
            line.settle(position)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """What cannot be read must not be left as if it were in order."""
        try:
            yield
        except StoreFailed:
            self._is_unreadable = True  # a commit may run meanwhile, and succeed
            raise


def _is_large(batch: Batch) -> bool:
    """Too large for the journal, as far as can be told without all of its bytes?"""
    if sum(map(len, batch.changes)) > JOURNALED_MAX:
        return True
    size = 0
    for changes in batch.changes:
        if changes.added and size <= JOURNALED_BYTES_MAX:
            payload = next(reversed(changes.added.values()))[0]  # most are about as large
            if not isinstance(payload, SharedPayload):
                size += len(bytes(payload)) * len(changes.added)
    return size > JOURNALED_BYTES_MAX
