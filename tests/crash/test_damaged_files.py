"""Files that are cut off or have a bit changed: the broker starts and says what is missing, or says what to do.

A record has a checksum, so a message is as it was published or it is not there. A bit may also mean nothing. The end of
the journal is special: a last commit that is not whole looks like one that was never finished, which is nothing to
speak of.
"""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from leveret.cli.server import EXIT_CANNOT_START, EXIT_STOPPED
from leveret_protocol.methods import Basic, Confirm, Queue, make
from tests.crash.conftest import SEEDS, StartServer
from tests.crash.peer import Peer, has_queue

QUEUES = {"short": 10, "long": 3000}
MESSAGES = 150
MESSAGES_A_COMMIT = 15
IN_ORDER = [(queue, number) for number in range(MESSAGES) for queue in QUEUES]


def body(queue: str, number: int) -> bytes:
    return b"%d of %s " % (number, queue.encode()) + bytes(QUEUES[queue])


@pytest.fixture(params=["stopped", "killed"])
def files(request: pytest.FixtureRequest, start: StartServer, tmp_path: Path) -> list[Path]:
    """Those that a broker with messages leaves, by how it ended: all that hold anything."""
    server = start()
    peer = Peer(server.port)
    peer.call(make(Confirm.Select), Confirm.SelectOk)
    for queue in QUEUES:
        peer.call(make(Queue.Declare, queue=queue, durable=True), Queue.DeclareOk)
    for count, (queue, number) in enumerate(IN_ORDER, start=1):
        peer.publish("", queue, body(queue, number))
        if count % MESSAGES_A_COMMIT == 0:
            while (peer.expect(Basic.Ack).delivery_tag or 0) < count:
                pass
    server.signal(signal.SIGTERM if request.param == "stopped" else signal.SIGKILL)
    server.process.wait()
    return [path for path in sorted((tmp_path / "data").iterdir()) if path.name.startswith("store")]


def bodies(peer: Peer, queue: str) -> list[bytes]:
    """All that is there; a message may turn out to be damaged when its turn comes."""
    found = []
    while True:
        peer.send(make(Basic.Get, queue=queue, no_ack=True))
        received = peer.next()
        if isinstance(received.method, Basic.GetEmpty):
            return found
        found.append(received.body)


def check(start: StartServer, damaged: Path) -> None:
    """The next start."""
    may_lack_the_last = damaged.name == "store.journal"
    server = start("--log-level", "warning", ready=False)
    if not server.becomes_ready():
        status, stderr = server.ended()
        assert status == EXIT_CANNOT_START
        assert stderr.startswith("leveret server: ") and stderr.count("\n") == 1, stderr
        assert "is damaged" in stderr and "Move " in stderr, stderr
        return
    try:
        peer = Peer(server.port)
    except EOFError:  # what was left out may have been the user
        server.signal(signal.SIGTERM)
        status, stderr = server.ended()
        assert status == EXIT_STOPPED
        assert "damaged; lost: " in stderr, stderr
        return
    found = {queue: bodies(peer, queue) if has_queue(peer, queue) else [] for queue in QUEUES}
    published = {queue: [body(queue, number) for number in range(MESSAGES)] for queue in QUEUES}
    for queue in QUEUES:
        assert found[queue] == [it for it in published[queue] if it in found[queue]], "changed, or in another order"
    peer.close()
    server.signal(signal.SIGTERM)
    status, stderr = server.ended()
    assert status == EXIT_STOPPED
    are_found = [body(queue, number) in found[queue] for queue, number in IN_ORDER]
    are_the_last = sorted(are_found, reverse=True) == are_found
    if not all(are_found) and not (may_lack_the_last and are_the_last):
        assert "damaged" in stderr, f"{are_found.count(False)} messages are missing, and nothing was said: {stderr}"


@pytest.mark.parametrize("seed", range(len(SEEDS) // 5))
def test_a_file_that_is_cut_off(start: StartServer, files: list[Path], seed: int) -> None:
    chance = random.Random(seed)
    path = chance.choice(files)
    os.truncate(path, chance.randrange(path.stat().st_size))
    check(start, path)


@pytest.mark.parametrize("seed", range(len(SEEDS) // 4))
def test_a_bit_that_is_changed(start: StartServer, files: list[Path], seed: int) -> None:
    """By a disk that decays, so the time of the last change stays what it was."""
    chance = random.Random(seed)
    path = chance.choice([path for path in files if path.stat().st_size])
    before = path.stat()
    data = bytearray(path.read_bytes())
    at = chance.choice([at for at in range(len(data)) if data[at]])
    data[at] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    check(start, path)


def test_files_that_are_missing(start: StartServer, files: list[Path]) -> None:
    for path in files:
        path.unlink()
    server = start("--log-level", "warning", ready=False)
    if server.becomes_ready():  # killed: as far as anybody can tell this is a new directory
        assert not has_queue(Peer(server.port), "short")
    else:
        status, stderr = server.ended()
        assert status == EXIT_CANNOT_START
        assert "is missing" in stderr and "Move " in stderr
