"""A store in memory whose next commit can be told to fail."""

from __future__ import annotations

from leveret.storage.base import Batch, StoreFailed, StoreFull
from leveret.storage.memory import MemoryStore
from tests.storage.failing import FULL, KEPT


class SimulatedStore(MemoryStore):
    """failure: how the next commit fails, FULL, LOST or KEPT of tests/storage/failing; None: it does not."""

    failure: str | None = None

    def _write(self, batch: Batch) -> None:
        failure, self.failure = self.failure, None
        if failure == FULL:
            raise StoreFull("there is no space: a test says so")
        if failure is None or failure == KEPT:
            super()._write(batch)
        if failure is not None:
            raise StoreFailed("the disk failed: a test says so")
