"""What a request comes to: an answer, or a problem that is told as RabbitMQ tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from leveret_protocol.errors import AMQPError, ReplyCode

CREATED = 201
NO_CONTENT = 204
REALM = 'Basic realm="RabbitMQ Management"'


@dataclass(frozen=True, slots=True)
class Answer:
    """body: any JSON; None: there is none."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def octets(self) -> bytes:
        """Bytes of the wire that are not UTF-8 have no place in JSON: each is a question mark."""
        if self.body is None:
            return b""
        text = json.dumps(self.body, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


class Problem(Exception):
    """error, reason: of the body; no error: there is no body."""

    def __init__(
        self, status: int, error: str = "", reason: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, error, reason)
        self.reason = reason
        body = {"error": error, "reason": reason} if error else None
        self.answer = Answer(status, body, headers or {})


def not_found() -> Problem:
    return Problem(404, "Object Not Found", "Not Found")


def bad_request(reason: str) -> Problem:
    return Problem(400, "bad_request", reason)


def not_authorised(reason: str) -> Problem:
    return Problem(401, "not_authorised", reason)


def validation_failed(error: ValueError) -> Problem:
    """Of policies, parameters and limits."""
    return bad_request(f"Validation failed\n\n{error}\n")


def refused(error: AMQPError) -> Problem:
    """What AMQP would close a channel for. RabbitMQ: a refusal of access is told without saying of what."""
    if error.reply_code is ReplyCode.ACCESS_REFUSED:
        return not_authorised("Access refused.")
    if error.reply_code is ReplyCode.NOT_FOUND:
        return Problem(404, "not_found", error.explanation)
    return bad_request(error.explanation)
