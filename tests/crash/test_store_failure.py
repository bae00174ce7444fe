"""The store fails, at every moment of a scenario: nothing is promised any more, and what was promised is there."""

from __future__ import annotations

import errno
import itertools
import os
import signal
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import trio

from leveret import Broker
from leveret.cli.server import EXIT_STORE_FAILED
from leveret.storage import opening
from leveret.storage.base import Store, StoreFailed
from leveret.storage.memory import MemoryStore
from leveret.storage.opening import StoreReport, open_store
from leveret_protocol.methods import Basic, Confirm, Exchange, Queue, Tx, make
from tests.crash.conftest import StartServer
from tests.crash.peer import Peer, drained
from tests.harness import BrokerHarness
from tests.storage.failing import KEPT, LOST, FailingStore, Steps, failing_step, failing_write

FAILING_SECONDS = 10
STEP_STRIDE = 3  # each takes a check of the store in a process of its own
FAILURE = "stopped, because what it confirms would not be kept any more: the disk failed: a test says so"


def use(port: int, promised: list[str]) -> None:
    """Each step notes what its reply promises. Raises EOFError when the broker is gone."""
    peer = Peer(port, channels=2)
    peer.call(make(Queue.Declare, queue="q", durable=True), Queue.DeclareOk)
    promised.append("q")
    peer.call(make(Exchange.Declare, exchange="x", exchange_type="fanout", durable=True), Exchange.DeclareOk)
    promised.append("x")
    peer.call(make(Queue.Bind, queue="q", exchange="x"), Queue.BindOk)
    promised.append("binding")
    peer.call(make(Confirm.Select), Confirm.SelectOk)
    for number in range(4):
        peer.publish("x", "any", b"confirmed %d" % number)
        peer.expect(Basic.Ack)
        promised.append(f"confirmed {number}")
    peer.send(make(Basic.Get, queue="q"))
    got = peer.next()
    assert (got.body, got.method.delivery_tag) == (b"confirmed 0", 1)
    peer.send(make(Basic.Ack, delivery_tag=1))
    peer.publish("x", "any", b"confirmed 4")
    peer.expect(Basic.Ack)
    promised.append("confirmed 4")
    promised.append("acked 0")
    peer.call(make(Tx.Select), Tx.SelectOk, 2)
    peer.publish("x", "any", b"committed", channel=2)
    peer.call(make(Tx.Commit), Tx.CommitOk, 2)
    promised.append("committed")
    peer.call(make(Queue.Declare, queue="gone", durable=True), Queue.DeclareOk)
    peer.call(make(Queue.Delete, queue="gone"), Queue.DeleteOk)
    promised.append("deleted")
    peer.close()


def check(store: Store, promised: list[str]) -> None:
    """With a new broker on what the old one left."""
    client = BrokerHarness(store).connect()
    assert client.has_queue("q") or "q" not in promised
    if "binding" in promised:
        bodies = {body.decode() for body in client.drain("q")}
        acked = {"confirmed 0"} if "acked 0" in promised else set()
        assert not bodies & acked
        assert bodies >= {name for name in promised if name.startswith(("confirmed", "committed"))} - {"confirmed 0"}
        assert "confirmed 0" in bodies or "confirmed 3" in promised or "confirmed 0" not in promised
        client.publish("x", "any", b"through the binding")
        assert client.drain("q") == [b"through the binding"]
    assert "deleted" not in promised or not client.has_queue("gone")


async def has_failed(data_dir: Path, promised: list[str]) -> bool:
    """Whether the store failed before the end of the scenario; the broker fails with it then."""
    is_through = False
    try:
        async with Broker(data_dir=data_dir) as broker:
            try:
                await trio.to_thread.run_sync(use, broker.port, promised)
                is_through = True
            except (EOFError, ConnectionError):
                with trio.fail_after(FAILING_SECONDS):
                    await trio.sleep_forever()  # until the failure cancels it
    except StoreFailed:
        return True  # while it was stopped
    except ExceptionGroup:
        with pytest.RaisesGroup(StoreFailed, flatten_subgroups=True):
            raise
        return True
    assert is_through
    return False


@pytest.mark.parametrize("manner", [LOST, KEPT])
async def test_after_a_failed_commit_nothing_is_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manner: str
) -> None:
    for nth in itertools.count(1):
        store = FailingStore(nth=nth, manner=manner)
        monkeypatch.setattr(opening, "open_store", lambda path, durability, store=store: (store, StoreReport()))
        promised: list[str] = []
        failed = await has_failed(tmp_path, promised)
        check(MemoryStore(store.contents), promised)
        if not failed:
            break
    assert nth > 10
    assert "deleted" in promised


@pytest.mark.parametrize("is_half_written", [False, True])
async def test_whatever_write_of_the_journal_fails_nothing_is_promised_afterwards(
    tmp_path: Path, is_half_written: bool
) -> None:
    for nth in itertools.count(3):  # two are while the directory is made
        if not await fails_and_keeps(
            tmp_path / str(nth), failing_write(nth, errno.EIO, is_half_written=is_half_written)
        ):
            break
    assert nth > 10


async def test_what_the_journal_has_is_there_whatever_step_of_lmdb_fails_at_the_end(tmp_path: Path) -> None:
    for nth in itertools.count(1, STEP_STRIDE):
        if not await fails_and_keeps(tmp_path / str(nth), failing_step(nth, errno.EIO)):
            break
    assert nth > STEP_STRIDE


async def fails_and_keeps(data_dir: Path, failing: AbstractContextManager[Steps]) -> bool:
    """Whether the store failed. In any case the next start finds all that was promised."""
    promised: list[str] = []
    with failing:
        failed = await has_failed(data_dir, promised)
    store, _ = open_store(data_dir, "os")
    check(store, promised)
    store.close()
    assert failed or "deleted" in promised
    return failed


@pytest.mark.parametrize("nth", [1, 6])
def test_the_process_says_why_in_one_line_and_ends_with_status_3(start: StartServer, nth: int) -> None:
    server = start("--log-level", "error", broken=("fail", nth))
    promised: list[str] = []
    with pytest.raises((EOFError, ConnectionError)):
        use(server.port, promised)
    assert server.ended() == (EXIT_STORE_FAILED, f"leveret server: {FAILURE}\n")
    server = start("--log-level", "error")
    peer = Peer(server.port)
    if "q" in promised:
        peer.call(make(Queue.Declare, queue="q", passive=True), Queue.DeclareOk)
    peer.close()
    server.signal(signal.SIGTERM)
    assert server.ended() == (0, "")


def test_a_file_that_may_not_grow_ends_the_process_and_loses_nothing(start: StartServer) -> None:
    """RLIMIT_FSIZE: the write fails, and to free space on the disk would not help."""
    server = start("--log-level", "error", file_bytes_max=1 << 20)
    peer = Peer(server.port)
    peer.call(make(Queue.Declare, queue="q", durable=True), Queue.DeclareOk)
    peer.call(make(Confirm.Select), Confirm.SelectOk)
    confirmed = 0
    with pytest.raises(EOFError):
        while True:
            peer.publish("", "q", b"%d;" % confirmed + bytes(10_000))
            peer.expect(Basic.Ack)
            confirmed += 1
    status, stderr = server.ended()
    assert status == EXIT_STORE_FAILED
    assert stderr.count("\n") == 1 and f"could not be written: {os.strerror(errno.EFBIG)}" in stderr, stderr
    assert confirmed > 10
    peer = Peer(start().port)
    messages = drained(peer, "q")
    assert [id for id, _ in messages[:confirmed]] == list(range(confirmed))
    assert len(messages) - confirmed in (0, 1)
