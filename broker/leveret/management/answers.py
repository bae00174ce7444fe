"""What a request comes to: an answer, or a problem that is told as RabbitMQ tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from leveret_protocol.errors import AMQPError, ReplyCode

CREATED = 201
NO_CONTENT = 204
REALM = 'Basic realm="RabbitMQ Management"'


@dataclass(frozen=True, slots=True)
class Answer:
    """body: any JSON, or bytes that are some already; None: there is none."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def octets(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else encoded(self.body)


def encoded(value: object) -> bytes:
    """As JSON. Bytes of the wire that are not UTF-8 have no place in it: each is a question mark."""
    try:
        return orjson.dumps(value)
    except TypeError:  # that, or a number of more than 64 bits
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
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


def too_large() -> Problem:
    return bad_request("Exceeded HTTP request body size limit")


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
