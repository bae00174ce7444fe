"""The store on a disk."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

from leveret.storage import records
from leveret.storage.base import (
    Batch,
    Definition,
    Line,
    Purge,
    Store,
    StoredMessage,
    StoreFailed,
)
from leveret.storage.directory import Directory
from leveret.storage.environment import Environment
from leveret.storage.reading import LineReader, last_payload_id, records_of_kind
from leveret.storage.writing import Writing

if TYPE_CHECKING:
    from leveret.storage.environment import WriteTransaction

log = logging.getLogger(__name__)


class LmdbStore(Store):
    """A store in an environment that has been found sound; `opening` makes these.

    was_clean: whether the one before it left everything in order. If not, every message may have been delivered.
    """

    def __init__(self, directory: Directory, environment: Environment, *, was_clean: bool) -> None:
        super().__init__()
        self._directory = directory
        self._environment = environment
        self._sweeps: dict[int, Purge] = {}
        with environment.reading() as transaction:
            for key, record in records_of_kind(transaction, records.SWEEP):
                line_id = records.LINE_KEY.unpack(key)[1]
                self._sweeps[line_id] = records.decode_sweep(record)
            for key, record in records_of_kind(transaction, records.LINE):
                line_id = records.LINE_KEY.unpack(key)[1]
                totals, suspect_before = records.decode_line(record)
                self.lines[line_id] = Line(self, line_id, totals, suspect_before, self._sweeps.get(line_id))
            self._payload_ids = count(last_payload_id(transaction) + 1)
        self._next_line_id = max([*self.lines, *self._sweeps], default=0) + 1
        if not was_clean:
            environment.write(self._suspect_all)

    def _suspect_all(self, transaction: WriteTransaction) -> None:
        for line in self.lines.values():
            if line.suspect_before != line.totals.next_position:
                line.suspect_before = line.totals.next_position
                key = records.LINE_KEY.pack(records.LINE, line.id)
                transaction.put(key, records.seal(key, records.encode_line(line.totals, line.suspect_before)))

    def definitions(self) -> Iterator[Definition]:
        with self._environment.reading() as transaction:
            found = [
                records.decode_definition(record) for _, record in records_of_kind(transaction, records.DEFINITION)
            ]
        yield from sorted(found)

    def close(self) -> None:
        """Raises StoreFailed."""
        try:
            self._environment.close()
            if self._is_all_written:
                self._directory.mark_clean()
        except OSError as error:
            raise StoreFailed(f"{self._directory.path} could not be written: {error.strerror}") from error
        finally:
            self._directory.release()

    def _write(self, batch: Batch) -> None:
        writing: Writing | None = None

        def write(transaction: WriteTransaction) -> None:
            nonlocal writing
            writing = Writing(transaction, self._payload_ids, self._sweeps)
            writing.write(batch)

        self._environment.write(write)
        assert writing is not None
        batch.totals = writing.totals
        self._sweeps = writing.sweeps

    def _is_sweeping(self) -> bool:
        return bool(self._sweeps)

    def _stored(self, line: Line, after: int, before: int | None, limit: int, gone: set[int]) -> list[StoredMessage]:
        found: list[StoredMessage] = []
        if before is None:
            before = records.POSITION_MAX
        with self._environment.reading() as transaction:
            reader = LineReader(line, transaction)
            if line.purged is not None:
                for position in sorted(line.purged.kept - gone):
                    if after < position < min(before, line.purged.before) and len(found) < limit:
                        found += reader.read_one(position)
                after = max(after, line.purged.before - 1)
            found += reader.read_many(after, before, limit - len(found), gone)
        for position in reader.damaged:
            log.error("the message at position %d of line %d is damaged and was dropped", position, line.id)
            line.settle(position)
        return found
