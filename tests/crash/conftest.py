"""The durable broker as users run it, and everything that can strike it: kills, failing and full disks, damaged files.

What must hold (RabbitMQ: sections 6 and 9; docs/durability.md): a confirm of a persistent message in a durable queue, a
tx.commit-ok, and the -ok of a durable declaration mean that it is on the disk. Whatever happens afterwards, it is there
at the next start; nothing that was acknowledged comes back as new; the broker says what is wrong in words for a
user, and never with a traceback.

    server.py   `leveret server` as a process that can be killed at any moment
    peer.py     a client that sends without waiting, and reads to the end what a dead broker had sent
    ledger.py   what was promised, and whether what is there after a crash agrees with it
    load.py     seeded work on all kinds of queues at once, which the ledger follows

A kill strikes when a number of frames has been received that comes from the seed, so no test waits for a time. The
load's choices come from the seed, too, but how far the broker is at that moment does not: run a seed again a few times.
LEVERET_CRASH_SEEDS is how many seeds there are; `make nightly` runs 200.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crash.server import ServerProcess

SEEDS = range(int(os.environ.get("LEVERET_CRASH_SEEDS", "20")))

StartServer = Callable[..., ServerProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartServer]:
    """Starts `leveret server` on the folder `data`. What still runs at the end of the test is killed."""
    started: list[ServerProcess] = []

    def start_server(*options: str, ready: bool = True, **how: Any) -> ServerProcess:
        server = ServerProcess(tmp_path / "data", *options, **how)
        started.append(server)
        if ready:
            server.wait_until_ready()
        return server

    yield start_server
    for server in started:
        server.kill()
        server.close()
