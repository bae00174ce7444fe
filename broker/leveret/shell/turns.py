"""Long work is done in turns, between which messages go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

import trio

TURN_SECONDS = 0.002  # how long messages wait for it

Made = TypeVar("Made")
Steps = Generator[None, None, Made]


@dataclass(frozen=True, slots=True)
class InTurns(Generic[Made]):
    """What is answered that takes long. steps: come to the answer, and are closed where nobody waits any more."""

    steps: Steps[Made]


class Turns:
    """All who take them here have one at a time, and then messages have theirs. one: held meanwhile."""

    def __init__(self) -> None:
        self.one = trio.Lock()

    async def take(self, steps: Steps[Made], flush: Callable[[], None] = lambda: None) -> Made:
        """flush: at the end of each turn. Where nobody waits any more, the steps are closed, which is a turn too."""
        try:
            while True:
                async with self.one:
                    try:
                        _run_for_a_turn(steps)
                    except StopIteration as done:
                        made: Made = done.value
                        return made
                    finally:
                        flush()
        finally:
            steps.close()
            flush()


def _run_for_a_turn(steps: Steps[object]) -> None:
    """Raises StopIteration: it is made."""
    ends_at = time.perf_counter() + TURN_SECONDS
    while True:
        next(steps)
        if time.perf_counter() >= ends_at:
            return


def at_once(steps: Steps[Made]) -> Made:
    """All of them, where nobody else waits for a turn."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            made: Made = done.value
            return made
