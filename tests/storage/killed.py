"""A program that uses a store until it is killed: killed.py DIRECTORY SEED

Before each batch is committed it prints what is in it, as a line of JSON, and an empty line once the batch is safe.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from leveret.storage.opening import open_store


def main(path: Path, seed: int) -> None:
    chooser = random.Random(seed)
    store, _ = open_store(path, "fsync")
    line, other = store.new_line(), store.new_line()
    waiting: list[int] = []
    next_position = 0
    while True:
        added = list(range(next_position, next_position + chooser.randrange(1, 40)))
        next_position = added[-1] + 1
        for position in added:
            payload = store.share(b"%d " % position * chooser.choice([1, 10, 1000]))
            line.add(position, payload)
            other.add(position, payload)
        settled = [position for position in waiting if chooser.random() < 0.4]
        for position in settled:
            line.settle(position)
        store.define("last", "position", b"%d" % added[-1])
        waiting = [position for position in waiting if position not in settled] + added
        print(json.dumps({"added": added, "settled": settled}), flush=True)
        batch = store.begin_commit()
        assert batch is not None
        store.commit(batch)
        store.end_commit(batch)
        print(flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
