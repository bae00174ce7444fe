"""Stores that fail at a chosen moment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import lmdb

from leveret.storage.base import Batch, StoreFailed, StoreFull
from leveret.storage.environment import Environment
from leveret.storage.memory import Contents, MemoryStore

LOST = "lost"  # the commit fails and nothing of the batch is there
KEPT = "kept"  # the commit fails and yet all of the batch is there: a broken sync may leave either
FULL = "full"  # there was no space


class FailingStore(MemoryStore):
    """The n-th commit fails, counted from 1, in the manner of LOST, KEPT or FULL; of FULL, `times` in a row."""

    def __init__(self, contents: Contents | None = None, *, nth: int, manner: str, times: int = 1) -> None:
        super().__init__(contents)
        self._left = nth
        self._manner = manner
        self._times = times

    def _write(self, batch: Batch) -> None:
        self._left -= 1
        if self._left > 0 or self._left <= -self._times:
            super()._write(batch)
        elif self._manner == FULL:
            raise StoreFull("there is no space: a test says so")
        else:
            if self._manner == KEPT:
                super()._write(batch)
            raise StoreFailed("the disk failed: a test says so")


class Steps:
    """Counts what is done, and lets some steps in a row fail. nth: the first, counted from 1; 0: none fails."""

    def __init__(self, nth: int, make_error: Callable[[], Exception], times: int = 1) -> None:
        self.count = 0
        self._failing = range(nth, nth + times) if nth else range(0)
        self._make_error = make_error

    def take(self) -> None:
        self.count += 1
        if self.count in self._failing:
            raise self._make_error()


class FailingHandle:
    """A transaction, or a cursor of one."""

    def __init__(self, inner: Any, steps: Steps) -> None:
        self._inner = inner
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self._steps.take()
            result = attribute(*args, **kwargs)
            return FailingHandle(result, self._steps) if isinstance(result, lmdb.Cursor) else result

        return call

    def __enter__(self) -> FailingHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self._inner.__exit__(*error)


@contextmanager
def failing_step(nth: int, code: int) -> Iterator[Steps]:
    """Within the block the n-th step of LMDB's write transactions fails with an error number."""

    def make_error() -> lmdb.Error:
        error = lmdb.Error("a test says so")
        error.code = code  # type: ignore[misc]  # as those that LMDB raises
        return error

    steps = Steps(nth, make_error)
    write = Environment.write

    def failing_write(environment: Environment, work: Callable[[Any], None]) -> None:
        write(environment, lambda transaction: work(FailingHandle(transaction, steps)))

    with patch.object(Environment, "write", failing_write):
        yield steps


@contextmanager
def failing_write(nth: int, code: int, *, is_half_written: bool = False, times: int = 1) -> Iterator[Steps]:
    """Within the block the n-th write of os.pwritev, which is how the journal writes, fails with an error number; if so
    with a half of it done."""
    steps = Steps(nth, lambda: OSError(code, os.strerror(code)), times)
    pwritev = os.pwritev

    def failing_pwritev(fd: int, pieces: Sequence[bytes], at: int) -> int:
        try:
            steps.take()
        except OSError:
            if is_half_written:
                octets = b"".join(pieces)
                with open(f"/dev/fd/{fd}", "rb+", buffering=0) as file:  # which takes any part of a block
                    pwritev(file.fileno(), [octets[: len(octets) // 2]], at)
            raise
        return pwritev(fd, pieces, at)

    with patch("leveret.storage.journal.os.pwritev", failing_pwritev):
        yield steps
