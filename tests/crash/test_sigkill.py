"""SIGKILL at any moment: what was promised is there (see the ledger), in order, and nothing acked comes back as new."""

from __future__ import annotations

import random

import pytest

from tests.crash.conftest import SEEDS, StartServer
from tests.crash.ledger import Ledger
from tests.crash.load import COPIES, PASSING, QUEUES, Load
from tests.crash.peer import Peer, drained, has_queue, message_count
from tests.crash.server import ServerProcess


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_promised_survives_kills_at_any_moment(start: StartServer, seed: int) -> None:
    chance = random.Random(seed)
    ledger = Ledger()
    for _ in range(chance.choice([1, 1, 2, 3])):
        server = start()
        ledger.life += 1
        last_event = int(10 ** chance.uniform(0.3, 3.6))
        Load(ledger, f"{seed}, life {ledger.life}", server.port, last_event, server.kill).run()
        assert "Traceback" not in server.stderr
        if chance.random() < 0.3:
            kill_while_it_starts(start(ready=False, joined=True))
    server = start()
    ledger.life += 1
    peer = Peer(server.port)
    check_definitions(peer, ledger)
    ledger.check({name: drained(peer, name) for name in QUEUES if ledger.definitions.get(name)})
    check_bindings(peer, ledger)
    assert "Traceback" not in server.stderr


def kill_while_it_starts(server: ServerProcess) -> None:
    """When it has said the first thing, which is that it looks at what it found, or that it is ready."""
    server.wait_for_words()
    server.kill()


def check_definitions(peer: Peer, ledger: Ledger) -> None:
    for name in [*QUEUES, *PASSING]:
        promised = ledger.definitions.get(name)
        if promised is not None:
            assert has_queue(peer, name) == promised, name


def check_bindings(peer: Peer, ledger: Ledger) -> None:
    """Of queues that are empty: a message comes through each binding that was promised."""
    peer.publish("amq.fanout", "any", b"through the binding")
    for name in PASSING:
        peer.publish("amq.direct", name, b"through the binding")
    for name in [*COPIES, *PASSING]:
        if ledger.definitions.get(name) and (promised := ledger.definitions.get(f"{name} bound")) is not None:
            assert message_count(peer, name) == promised, f"{name} bound"
