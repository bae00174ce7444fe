"""Lists are made in turns, between which messages go on; and those who ask the same at once share one."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import trio

from leveret.management.answers import Problem
from leveret.shell.turns import Steps, Turns


@dataclass
class _Making:
    """One that has not begun yet, or is being made. outcome: None: whoever made it went away."""

    is_done: trio.Event = field(default_factory=trio.Event)
    outcome: bytes | Problem | None = None


class Makers:
    """Of one kind of list one is made at a time. Whoever asks meanwhile waits for the next one, which all of them get:
    nobody is told what was before they asked.

    turns: all lists together have one at a time.
    """

    def __init__(self) -> None:
        self.turns = Turns()
        self._running: dict[Hashable, trio.Event] = {}
        self._waiting: dict[Hashable, _Making] = {}

    async def made(self, key: Hashable, steps: Callable[[], Steps[bytes]]) -> bytes:
        """key: the same for those who are told the same. Raises Problem."""
        while True:
            making = self._waiting.get(key)
            if making is None:
                return await self._make(key, steps)
            await making.is_done.wait()
            if isinstance(making.outcome, Problem):
                raise making.outcome
            if making.outcome is not None:
                async with self.turns.one:  # all of them at once would be a long turn
                    return making.outcome

    async def _make(self, key: Hashable, steps: Callable[[], Steps[bytes]]) -> bytes:
        making = self._waiting[key] = _Making()
        try:
            while (running := self._running.get(key)) is not None:
                await running.wait()
            del self._waiting[key]
            self._running[key] = making.is_done
            making.outcome = await self.turns.take(steps())
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
