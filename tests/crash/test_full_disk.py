"""The disk gets full: publishers are held up, all others go on, nothing is lost, and it goes on when there is space.

In memory on a clock that jumps, for the order of things; and as a process on a small file system, where one can be
mounted.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import select
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import trio
from trio.abc import Clock
from trio.testing import MockClock

from leveret.cli.server import EXIT_STOPPED, EXIT_STORE_FAILED
from leveret.core.keeping import tell_safe
from leveret.handlers.connection import Connection
from leveret.shell.commits import DISK_FREE_BYTES_MIN, DISK_LOOK_SECONDS, FULL_PAUSE_SECONDS, Commits
from leveret.shell.server import Server
from leveret.storage.base import Batch, StoreFull
from leveret.storage.memory import MemoryStore
from leveret_protocol import methods
from leveret_protocol.methods import Basic, Confirm, Frame, Queue, encode_method, make
from tests.crash.conftest import StartServer
from tests.crash.peer import CAPABILITIES, Frames, Peer, Received, drained, greeting, published
from tests.harness import BrokerHarness
from tests.shell.memory import MemoryListener, MemoryTransport

Reply = TypeVar("Reply", bound=Frame)

NO_SPACE = re.compile(r"\[error\] <[\d.]+> there is no space for")

# -- in memory --------------------------------------------------------------------------------------------------------


class SmallStore(MemoryStore):
    """refusals: how many more commits find no space."""

    refusals = 0

    def _write(self, batch: Batch) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StoreFull("there is no space: a test says so")
        super()._write(batch)


class MemoryPeer(MemoryTransport):
    """A client whose kernel is this process."""

    def __init__(self) -> None:
        super().__init__()
        self._frames = Frames()
        self._send, self._received = trio.open_memory_channel[Received](10_000)
        self.peer_sends(greeting(1, CAPABILITIES))

    def try_send(self, data: bytes) -> int:
        for received in self._frames.feed(bytes(data)):
            self._send.send_nowait(received)
        return len(data)

    def send(self, method: Frame, channel: int = 1) -> None:
        self.peer_sends(encode_method(channel, method))

    async def next(self) -> Frame:
        return (await self._received.receive()).method

    async def expect(self, *expected: type[Frame]) -> None:
        """The next things that come."""
        assert [type(await self.next()) for _ in expected] == list(expected)

    async def call(self, method: Frame, reply: type[Frame]) -> None:
        self.send(method)
        await self.expect(reply)

    async def go_on(self) -> None:
        """Do what a consumer does."""
        await self.call(make(Basic.Get, queue="q"), Basic.GetOk)
        self.send(make(Basic.Nack, delivery_tag=1, requeue=True))
        await self.call(make(Basic.Get, queue="q", no_ack=True), Basic.GetOk)


class Scene:
    """A broker on a small store, a publisher with confirms on, and a consumer."""

    def __init__(self) -> None:
        self.store = SmallStore()
        self.free_bytes = DISK_FREE_BYTES_MIN
        self._listener = MemoryListener()
        broker = BrokerHarness(self.store)
        self.alarms = broker.node.alarms
        commits = functools.partial(Commits, self.store, lambda: self.free_bytes, self.alarms, tell_safe)
        self.server = Server(functools.partial(Connection, broker.node, broker.control), broker.node, commits)

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        await self.server.serve([self._listener], task_status=task_status)

    async def connect(self) -> MemoryPeer:
        peer = MemoryPeer()
        self._listener.arrive(peer)
        start, tune, open_ok = methods.Connection.Start, methods.Connection.Tune, methods.Connection.OpenOk
        await peer.expect(start, tune, open_ok, methods.Channel.OpenOk)
        return peer


@pytest.fixture
async def scene(nursery: trio.Nursery) -> Scene:
    scene = Scene()
    await nursery.start(scene.run)
    return scene


@pytest.fixture
async def publisher(scene: Scene) -> MemoryPeer:
    publisher = await scene.connect()
    await publisher.call(make(Queue.Declare, queue="q", durable=True), Queue.DeclareOk)
    await publisher.call(make(Confirm.Select), Confirm.SelectOk)
    publisher.peer_sends(published("", "q", b"before"))
    await publisher.expect(Basic.Ack)
    return publisher


async def test_publishers_are_held_up_before_the_disk_is_full(
    scene: Scene, publisher: MemoryPeer, autojump_clock: MockClock
) -> None:
    """The publish that finds the alarm on is carried out and confirmed; others go on as before."""
    consumer = await scene.connect()
    scene.free_bytes -= 1
    told: Frame = make(Basic.Ack)
    while isinstance(told, Basic.Ack):  # until the broker has looked
        autojump_clock.jump(DISK_LOOK_SECONDS / 2)
        publisher.peer_sends(published("", "q", b"more"))
        told = await publisher.next()
    assert isinstance(told, methods.Connection.Blocked)
    assert told.reason == "low on disk"
    await publisher.expect(Basic.Ack)
    publisher.peer_sends(published("", "q", b"held up"))
    await consumer.go_on()
    scene.free_bytes += 1
    await publisher.expect(methods.Connection.Unblocked, Basic.Ack)


async def test_what_found_no_space_is_confirmed_when_there_is_some(
    scene: Scene, publisher: MemoryPeer, autojump_clock: Clock
) -> None:
    consumer = await scene.connect()
    begun = trio.current_time()
    scene.store.refusals = 5
    publisher.peer_sends(published("", "q", b"found no space"))
    while scene.alarms.reason is None:
        await trio.lowlevel.checkpoint()
    publisher.peer_sends(published("", "q", b"after the alarm"), published("", "q", b"held up"))
    await publisher.expect(methods.Connection.Blocked)
    await consumer.go_on()
    assert scene.store.refusals
    told = [await publisher.next() for _ in range(4)]
    assert [method.name for method in told if not isinstance(method, Basic.Ack)] == ["Connection.Unblocked"]
    assert [method.delivery_tag for method in told if isinstance(method, Basic.Ack)] == [2, 3, 4]
    assert trio.current_time() - begun >= 5 * FULL_PAUSE_SECONDS
    line = next(iter(scene.store.contents.lines.values()))
    assert len(line.messages) == 3


async def test_a_declaration_that_found_no_space_is_answered_when_there_is_some(
    scene: Scene, autojump_clock: Clock
) -> None:
    client = await scene.connect()
    scene.store.refusals = 3
    await client.call(make(Queue.Declare, queue="q", durable=True), Queue.DeclareOk)
    assert not scene.store.refusals
    assert [kind for kind, _ in scene.store.contents.definitions if kind == "queue"] == ["queue"]


# -- as a process -----------------------------------------------------------------------------------------------------

DISK_MIB = 96


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own in the place of the data directory, large enough that nobody is held up."""
    path = tmp_path / "data"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", os.fspath(path)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield path
    subprocess.run(["umount", "-l", os.fspath(path)], check=True)


def fill(path: Path, *, left_bytes: int = 0) -> Path:
    """A file that takes the space of its disk."""
    ballast = path / "ballast"
    size = shutil.disk_usage(path).free - left_bytes if left_bytes else DISK_MIB << 20
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while size > 0:
            size -= file.write(bytes(min(size, 1 << 16)))
    return ballast


def publish_until_blocked(peer: Peer, *, is_patient: bool) -> int:
    """How many were published. is_patient: after the first, each waits for a confirm of the one before."""
    count, seconds = 0, None if is_patient else 0
    while True:
        peer.publish("", "q", b"%d;" % count + bytes(1000))
        count += 1
        while select.select([peer], [], [], seconds)[0]:
            received = peer.receive()
            if any(isinstance(it.method, methods.Connection.Blocked) for it in received):
                return count
            if is_patient:
                break


@pytest.mark.parametrize("left_bytes", [0, DISK_FREE_BYTES_MIN // 2])
def test_on_a_small_disk(start: StartServer, small_disk: Path, left_bytes: int) -> None:
    """Filled to the last byte, or below the watermark only."""
    server = start()
    publisher, consumer = Peer(server.port), Peer(server.port)
    publisher.call(make(Queue.Declare, queue="q", durable=True), Queue.DeclareOk)
    publisher.call(make(Confirm.Select), Confirm.SelectOk)
    for number in range(10):
        publisher.publish("", "q", b"%d;before" % number)
    last_confirmed = 0
    while last_confirmed < 10:
        last_confirmed = publisher.expect(Basic.Ack).delivery_tag or 0
    ballast = fill(small_disk, left_bytes=left_bytes)
    count = publish_until_blocked(publisher, is_patient=left_bytes > 0)
    consumer.send(make(Basic.Get, queue="q"))
    assert consumer.next().body == b"0;before"
    consumer.send(make(Basic.Ack, delivery_tag=1))
    ballast.unlink()
    is_unblocked = False
    publisher.publish("", "q", b"%d;the last" % count)
    while last_confirmed < 10 + count + 1:  # it is read after the publisher is told
        method = publisher.next().method
        is_unblocked |= isinstance(method, methods.Connection.Unblocked)
        if isinstance(method, Basic.Ack):
            last_confirmed = method.delivery_tag or 0
    assert is_unblocked
    server.kill()
    assert "Traceback" not in server.stderr
    assert ("no space" in server.stderr) == (not left_bytes)
    peer = Peer(start().port)
    ids = [id for id, _ in drained(peer, "q")]
    assert ids[-count - 10 :] == [*range(1, 10), *range(count + 1)]
    assert len(ids) <= count + 11  # the ack may be lost


@pytest.mark.parametrize("has_space", [False, True])
def test_a_stop_on_a_full_disk(start: StartServer, small_disk: Path, has_space: bool) -> None:
    """What is confirmed is kept. What waits for space is kept as well if there is some in time; else that is said."""
    server = start("--log-level", "error")
    publisher = Peer(server.port)
    publisher.call(make(Queue.Declare, queue="q", durable=True), Queue.DeclareOk)
    publisher.call(make(Confirm.Select), Confirm.SelectOk)
    publisher.publish("", "q", b"0;confirmed")
    publisher.expect(Basic.Ack)
    ballast = fill(small_disk)
    publish_until_blocked(publisher, is_patient=False)
    if has_space:
        ballast.unlink()
    server.signal(signal.SIGTERM)
    status, stderr = server.ended()
    said = [line for line in stderr.splitlines() if not NO_SPACE.search(line)]
    if has_space:
        assert (status, said) == (EXIT_STOPPED, [])
    else:
        ballast.unlink()
        assert (status, len(said)) == (EXIT_STORE_FAILED, 1)
        assert said[0].startswith(
            "leveret server: stopped, and what was not confirmed yet is not kept: there is no space"
        )
    ids = [id for id, _ in drained(Peer(start().port), "q")]
    assert ids == [0, *range(len(ids) - 1)]
    assert not has_space or len(ids) > 1
