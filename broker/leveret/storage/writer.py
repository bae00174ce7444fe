"""The thread that commits. It lives as long as the store: to start one for each batch costs half a commit."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

from leveret.storage.base import Batch, StoreError, StoreFailed


class Writer:
    """Commits one batch after the other.

    commit: `Store.commit`.
    on_done: called in the thread of the writer once a batch is committed, or with why it is not.
    """

    def __init__(
        self, commit: Callable[[Batch], None], on_done: Callable[[Batch, StoreError | None], None]
    ) -> None:  # fmt: skip
        self._commit = commit
        self._on_done = on_done
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="leveret store", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> None:
        """Commit it as soon as the ones before are."""
        self._batches.put(batch)

    def stop(self) -> None:
        """Returns once everything submitted has been reported."""
        self._batches.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            failure: StoreError | None = StoreFailed("the writer of the store has failed")
            try:
                self._commit(batch)
                failure = None
            except StoreError as error:
                failure = error
            finally:
                self._on_done(batch, failure)
