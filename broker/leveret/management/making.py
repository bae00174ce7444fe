"""Lists are made in turns, between which messages go on; and those who ask the same at once share one."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field
from typing import TypeVar

import trio

from leveret.management.answers import Problem

TURN_SECONDS = 0.002  # how long messages wait for a list

Made = TypeVar("Made")
Steps = Generator[None, None, bytes]


@dataclass(frozen=True)
class InTurns:
    """What a route answers that is for one alone, and takes long. steps: come to an Answer, or to JSON of one with 200;
    they are closed where nobody waits any more."""

    steps: Generator[None, None, object]


@dataclass
class _Making:
    """One that has not begun yet, or is being made. outcome: None: whoever made it went away."""

    is_done: trio.Event = field(default_factory=trio.Event)
    outcome: bytes | Problem | None = None


class Makers:
    """Of one kind of list one is made at a time. Whoever asks meanwhile waits for the next one, which all of them get:
    nobody is told what was before they asked.

    All lists together have one turn at a time, and then messages have theirs.
    """

    def __init__(self) -> None:
        self._turn = trio.Lock()
        self._running: dict[Hashable, trio.Event] = {}
        self._waiting: dict[Hashable, _Making] = {}

    async def made(self, key: Hashable, steps: Callable[[], Steps]) -> bytes:
        """key: the same for those who are told the same. Raises Problem."""
        while True:
            making = self._waiting.get(key)
            if making is None:
                return await self._make(key, steps)
            await making.is_done.wait()
            if isinstance(making.outcome, Problem):
                raise making.outcome
            if making.outcome is not None:
                async with self._turn:  # all of them at once would be a long turn
                    return making.outcome

    async def _make(self, key: Hashable, steps: Callable[[], Steps]) -> bytes:
        making = self._waiting[key] = _Making()
        try:
            while (running := self._running.get(key)) is not None:
                await running.wait()
            del self._waiting[key]
            self._running[key] = making.is_done
            making.outcome = await self.in_turns(steps(), _nothing)
            return making.outcome
        except Problem as problem:
            making.outcome = problem
            raise
        finally:
            if self._waiting.get(key) is making:
                del self._waiting[key]
            if self._running.get(key) is making.is_done:
                del self._running[key]
            making.is_done.set()

    async def in_turns(self, steps: Generator[None, None, Made], flush: Callable[[], None]) -> Made:
        """flush: at the end of each turn. Where nobody waits any more, the steps are closed, which is a turn too."""
        try:
            while True:
                async with self._turn:
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


def _run_for_a_turn(steps: Generator[None, None, object]) -> None:
    """Raises StopIteration: it is made."""
    ends_at = time.perf_counter() + TURN_SECONDS
    while True:
        next(steps)
        if time.perf_counter() >= ends_at:
            return


def _nothing() -> None:
    """Nothing is changed by a list."""
