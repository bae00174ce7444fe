"""Turns of the broker that somebody else may have to be asked in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

from leveret.auth.questions import Answers, Unanswered

Result = TypeVar("Result")


async def carried_out(run: Callable[[], Result], answers: Answers, flush: Callable[[], None]) -> Result:
    """A turn, and another one from the start for each question that has to be answered first. flush: ends a turn."""
    while True:
        try:
            return run()
        except Unanswered as unanswered:
            await _told(unanswered, answers)
        finally:
            flush()


async def _told(unanswered: Unanswered, answers: Answers) -> None:
    is_told = trio.Event()

    def tell(answer: str) -> None:
        answers.put(unanswered.question, answer)
        is_told.set()

    unanswered.ask(tell)
    await is_told.wait()
