"""The thread that commits."""

from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest

from leveret.storage.base import Batch, Store, StoreError, StoreFailed, StoreFull
from leveret.storage.memory import MemoryStore
from leveret.storage.writer import Writer
from tests.storage.failing import FULL, LOST, FailingStore

SECONDS = 10


def batch_of(store: Store) -> Batch:
    store.define("queue", "q", b"")
    batch = store.begin_commit()
    assert batch is not None
    return batch


def test_batches_are_committed_in_a_thread_of_their_own_and_reported_in_order() -> None:
    reports: SimpleQueue[tuple[Batch, StoreError | None, str]] = SimpleQueue()
    threads = []

    def commit(batch: Batch) -> None:
        threads.append(threading.current_thread())

    writer = Writer(commit, lambda batch, error: reports.put((batch, error, threading.current_thread().name)))
    batches = [Batch() for _ in range(20)]
    for batch in batches:
        writer.submit(batch)
    writer.stop()
    found = [reports.get(timeout=SECONDS) for _ in batches]
    assert [(batch, error) for batch, error, _ in found] == [(batch, None) for batch in batches]
    assert {thread.name for thread in threads} == {name for _, _, name in found} == {"leveret store"}
    assert threading.current_thread() not in threads


@pytest.mark.parametrize(("manner", "kind"), [(LOST, StoreFailed), (FULL, StoreFull)])
def test_why_a_commit_failed_is_reported_and_the_writer_goes_on(manner: str, kind: type[StoreError]) -> None:
    store = FailingStore(nth=1, manner=manner)
    reports: SimpleQueue[StoreError | None] = SimpleQueue()
    writer = Writer(store.commit, lambda batch, error: reports.put(error))
    batch = batch_of(store)
    writer.submit(batch)
    assert isinstance(reports.get(timeout=SECONDS), kind)
    writer.submit(batch)
    assert (reports.get(timeout=SECONDS) is None) == (manner == FULL)
    writer.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_failure_of_its_own_is_a_failed_commit_too() -> None:
    """A broker that waits for a report that never comes would confirm nothing, and not say why."""
    reports: SimpleQueue[StoreError | None] = SimpleQueue()

    def commit(batch: Batch) -> None:
        raise ZeroDivisionError

    writer = Writer(commit, lambda batch, error: reports.put(error))
    writer.submit(batch_of(MemoryStore()))
    assert isinstance(reports.get(timeout=SECONDS), StoreFailed)
    writer.stop()


def test_a_store_after_a_failure_of_its_own_takes_no_further_batch() -> None:
    class Broken(MemoryStore):
        def _write(self, batch: Batch) -> None:
            raise ZeroDivisionError

    store = Broken()
    batch = batch_of(store)
    with pytest.raises(ZeroDivisionError):
        store.commit(batch)
    with pytest.raises(StoreFailed):
        store.commit(batch)
    store.close()
    assert not store.contents.is_clean
