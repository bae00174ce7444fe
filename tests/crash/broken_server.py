"""`leveret`, and what it stands on is not as it should be: broken_server HOW NUMBER ARGUMENT...

fail 3      the third commit fails
hang 3      the third commit never ends
format 7    it writes and understands format number 7 and no other
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from leveret.cli import main
from leveret.storage import records
from leveret.storage.base import Batch, Store, StoreFailed


def break_commit(how: str, nth: int) -> None:
    commit: Any = Store.commit
    left = nth

    def broken_commit(store: Store, batch: Batch) -> None:
        nonlocal left
        left -= 1
        if left == 0 and how == "hang":
            threading.Event().wait()
        if left == 0:
            raise StoreFailed("the disk failed: a test says so")
        commit(store, batch)

    Store.commit = broken_commit  # type: ignore[method-assign]


if __name__ == "__main__":
    if sys.argv[1] == "format":
        records.FORMAT = int(sys.argv[2])  # type: ignore[misc]
        records.FORMATS_KNOWN = (records.FORMAT,)  # type: ignore[assignment,misc]
    else:
        break_commit(sys.argv[1], int(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
