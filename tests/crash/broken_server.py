"""`leveret` with a store that fails: broken_server NTH ARGUMENT... lets the NTH commit fail."""

from __future__ import annotations

import sys
from typing import Any

from leveret.cli import main
from leveret.storage.base import Batch, Store, StoreFailed


def break_store(nth: int) -> None:
    commit: Any = Store.commit
    left = nth

    def failing_commit(store: Store, batch: Batch) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise StoreFailed("the disk failed: a test says so")
        commit(store, batch)

    Store.commit = failing_commit  # type: ignore[method-assign]


if __name__ == "__main__":
    break_store(int(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
