"""Who may see the metrics, where a login is asked for: RabbitMQ has them behind the users of its HTTP API (4.x)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from leveret.auth.access_control import AccessControl
from leveret.auth.questions import Answers
from leveret.core.timers import Timers
from leveret.management.answers import Answer, Problem
from leveret.management.carrying_out import carried_out
from leveret.management.login import MONITORING, credentials_of, log_in, require

_REALM = 'Basic realm="RabbitMQ Prometheus"'


@dataclass(frozen=True, slots=True)
class Gate:
    """flush: ends a turn of the broker."""

    control: AccessControl
    timers: Timers
    flush: Callable[[], None]

    async def refusal(self, authorization: str | None, host: str) -> tuple[int, dict[str, str], bytes] | None:
        """Status, headers and body; None: a user with the tag monitoring or administrator asks.

        authorization: the header of that name. host: the address of who asks.
        """
        answers = Answers(self.timers)
        try:
            await carried_out(lambda: self._log_in(authorization, host, answers), answers, self.flush)
        except Problem as problem:
            return _told(problem.answer)
        finally:
            answers.clear()
        return None

    def _log_in(self, authorization: str | None, host: str, answers: Answers) -> None:
        """Raises Problem (401, 400), Unanswered."""
        require(log_in(self.control, credentials_of(authorization), host, answers).user.tags, MONITORING)


def _told(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    octets = answer.octets()
    headers = {name: _REALM if name == "www-authenticate" else value for name, value in answer.headers.items()}
    if octets:
        headers["content-type"] = "application/json"
    return answer.status, headers, octets
