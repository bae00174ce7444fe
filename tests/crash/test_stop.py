"""SIGTERM and SIGINT in the middle of work: all that was promised is there, and the next start has nothing to check."""

from __future__ import annotations

import functools
import random
import signal

import pytest

from leveret.cli.server import EXIT_CANNOT_START, EXIT_STOPPED
from leveret_protocol.methods import Queue, make
from tests.crash.conftest import SEEDS, StartServer
from tests.crash.ledger import Ledger
from tests.crash.load import QUEUES, Load
from tests.crash.peer import Peer, drained
from tests.crash.test_sigkill import check_bindings, check_definitions

CHECKED = "was not closed by the broker before"
SIGNALS = [signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize("seed", range(len(SEEDS) // 5))
def test_what_was_promised_survives_stops_at_any_moment(start: StartServer, seed: int) -> None:
    chance = random.Random(seed)
    ledger = Ledger()
    for number in SIGNALS:
        server = start()
        ledger.life += 1
        assert CHECKED not in server.stderr
        last_event = int(10 ** chance.uniform(0.3, 3.6))
        stop = functools.partial(server.signal, number)
        Load(ledger, f"{seed}, life {ledger.life}", server.port, last_event, stop).run()
        status, stderr = server.ended()
        assert status == EXIT_STOPPED
        assert f"stopping: {number.name}" in stderr
        assert "[error]" not in stderr
    server = start()
    ledger.life += 1
    assert CHECKED not in server.stderr
    peer = Peer(server.port)
    check_definitions(peer, ledger)
    ledger.check({name: drained(peer, name) for name in QUEUES if ledger.definitions.get(name)})
    check_bindings(peer, ledger)


def test_after_a_kill_the_next_start_says_that_it_checks(start: StartServer) -> None:
    """So that its silence after a stop means something."""
    start().kill()
    assert CHECKED in start().stderr


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_ends_it_at_once(start: StartServer, number: signal.Signals) -> None:
    """Although it waits for a disk that does not answer. What was promised before is there."""
    server = start(joined=True, broken=("hang", 3))
    peer = Peer(server.port)
    peer.call(make(Queue.Declare, queue="kept", durable=True), Queue.DeclareOk)
    peer.send(make(Queue.Declare, queue="hanging", durable=True))
    server.signal(signal.SIGTERM)
    server.wait_for_words("stopping: SIGTERM")
    server.signal(number)
    assert server.ended()[0] == -number
    Peer(start().port).call(make(Queue.Declare, queue="kept", passive=True), Queue.DeclareOk)


def test_two_brokers_on_one_directory(start: StartServer) -> None:
    server = start()
    status, stderr = start(ready=False).ended()
    assert status == EXIT_CANNOT_START
    assert [line[:16] for line in stderr.splitlines() if "[info]" not in line] == ["leveret server: "]
    assert f"is used by another broker (process {server.process.pid}): stop that one" in stderr
    Peer(server.port).close()


@pytest.mark.parametrize(("number", "version"), [(0, "an older"), (7, "a newer")])
def test_a_directory_of_another_version_is_refused(start: StartServer, number: int, version: str) -> None:
    """With what to do about it; and it is left as it was, for that version to use."""
    for _ in range(2):
        other = start(broken=("format", number))
        other.signal(signal.SIGTERM)
        assert other.ended()[0] == EXIT_STOPPED
        status, stderr = start(ready=False).ended()
        assert status == EXIT_CANNOT_START
        assert [line[:16] for line in stderr.splitlines() if "[info]" not in line] == ["leveret server: "]
        assert f"was written by {version} version (format {number}, this one has" in stderr
        assert "use that version, or choose another with --data-dir" in stderr
