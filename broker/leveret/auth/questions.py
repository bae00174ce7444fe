"""What has to be asked of somebody who may take his time, and what a connection was told.

How this works. Nothing here waits. Whoever needs an answer asks `Answers`, which raises `Unanswered` if it has none.
The connection then holds what it was about to carry out, has the question asked, and carries the same method out again
when it was told. So a check stands before all that its method does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from leveret.core.timers import Timer, Timers

ANSWERS_MAX = 256  # of a connection; RabbitMQ remembers 12 a channel (PERM-5)
ANSWERS_SECONDS = 15.0  # they hold; the default of RabbitMQ's rabbitmq_auth_backend_cache


@dataclass(frozen=True, slots=True)
class Question:
    """about: what kind of question it is; fields: the rest of it, which may hold a password."""

    about: str
    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)


Tell = Callable[[str], None]


class Unanswered(Exception):
    """ask: to be called once, with what is told the answer, in a later turn of the broker."""

    def __init__(self, question: Question, ask: Callable[[Tell], None]) -> None:
        super().__init__(question)
        self.question = question
        self.ask = ask


class Answers:
    """What a connection was told so far. All of it is forgotten ANSWERS_SECONDS after the first.

    timers: of the message clock. had_turn: its login need not wait any more, see AccessControl.
    on_forgotten: called then; whoever remembers what came of the answers forgets it, too.
    """

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._answers: dict[Question, str] = {}
        self._timer: Timer | None = None
        self.had_turn = False
        self.on_forgotten: Callable[[], None] = _nobody_remembers

    def answer(self, question: Question, ask: Callable[[Tell], None]) -> str:
        """Raises Unanswered."""
        try:
            return self._answers[question]
        except KeyError:
            raise Unanswered(question, ask) from None

    def has(self, question: Question) -> bool:
        return question in self._answers

    def put(self, question: Question, answer: str) -> None:
        if len(self._answers) >= ANSWERS_MAX:
            self._answers.clear()
        self._answers[question] = answer
        if self._timer is None:
            self._timer = self._timers.call_after(ANSWERS_SECONDS, self._forget)

    def clear(self) -> None:
        self._answers.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _forget(self) -> None:
        self.clear()
        self.on_forgotten()


def _nobody_remembers() -> None:
    """Before a virtual host is open."""
