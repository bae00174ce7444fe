"""SIGKILL in the middle of commits: a batch that was safe is there, and any other wholly or not at all."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from leveret.storage.opening import open_store
from tests.storage import killed

SEEDS = range(4)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_safe_survives_a_kill_at_any_moment(tmp_path: Path, seed: int) -> None:
    chooser = random.Random(seed)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    program = subprocess.Popen(
        [sys.executable, killed.__file__, os.fspath(tmp_path), str(seed)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    lines = [program.stdout.readline() for _ in range(chooser.randrange(1, 60))]
    killer = threading.Timer(chooser.random() * 0.01, program.kill)
    killer.start()
    lines += program.stdout.readlines()
    program.wait()
    killer.join()
    batches = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
    safe = batches if lines[-1] == "\n" else batches[:-1]

    store, report = open_store(tmp_path, "fsync")
    assert (report.was_clean, report.lost) == (False, [])
    found = {line_id: [message.position for message in line.read(-1, 10**6)] for line_id, line in store.lines.items()}
    assert found in ([expected(safe), expected(batches)] if batches else [{}])
    for line in store.lines.values():
        for message in line.read(-1, 10**6):
            assert message.payload.startswith(b"%d " % message.position)
            assert message.redelivered
        assert line.totals.message_count == len(found[line.id])
    definitions = [int(definition.value) for definition in store.definitions()]
    assert definitions == [max(positions) for positions in found.values()][-1:]
    store.close()


def expected(batches: list[dict[str, list[int]]]) -> dict[int, list[int]]:
    """Positions by line id."""
    added = [position for batch in batches for position in batch["added"]]
    settled = {position for batch in batches for position in batch["settled"]}
    return {1: [position for position in added if position not in settled], 2: added} if batches else {}
