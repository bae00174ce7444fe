"""Publishing and getting messages, for tests and by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from leveret.cli.admin.http import path_of
from leveret.cli.admin.v2.command import Command, Option, Values
from leveret.cli.admin.v2.failures import Failed, WrongCommandLine
from leveret.cli.admin.v2.rows import MESSAGES
from leveret.cli.admin.v2.session import Session, integer_of, json_object_of

_DEFAULT_PAYLOAD: Final = "test"
_ACK_MODES: Final = "ack_requeue_false, reject_requeue_false, ack_requeue_true or reject_requeue_true"


def _publish(session: Session, values: Values) -> None:
    properties = json_object_of(values["properties"])
    body = {
        "routing_key": values["routing_key"], "payload": _payload(values), "payload_encoding": "string",
        "properties": properties,
    }  # fmt: skip
    # The default exchange has no name, and a path no empty segment.
    path = path_of("exchanges", session.vhost, values["exchange"] or "amq.default", "publish")
    answer = session.ask("POST", path, body).object()
    print("Message published and routed successfully" if answer.get("routed") else "Message published but NOT routed")


def _payload(values: Values) -> str:
    """Raises Failed, WrongCommandLine."""
    payload: str | None = values["payload"]
    file: str | None = values["payload_file"]
    if file is None:
        return _DEFAULT_PAYLOAD if payload is None else payload
    if payload is not None:
        raise WrongCommandLine("the argument '--payload <payload>' cannot be used with '--payload-file <payload_file>'")
    where = "standard input" if file == "-" else f"`{file}`"
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"Command execution failed: could not read message payload from {where}: {error}") from error


def _get(session: Session, values: Values) -> None:
    body = {
        "count": integer_of("count", values["count"]), "ackmode": values["ack_mode"], "encoding": "auto",
    }  # fmt: skip
    answer = session.ask("POST", path_of("queues", session.vhost, values["queue"], "get"), body)
    session.show(MESSAGES, answer.objects())


COMMANDS: Final = (
    Command(
        ("publish message",), "Publish a message", _publish,
        (
            Option("--routing-key", "routing key", default="", short="-k"),
            Option("--exchange", "exchange; default: the default exchange", default="", short="-e"),
            Option("--payload", f"what is in it; default: {_DEFAULT_PAYLOAD}", short="-m"),
            Option("--payload-file", "a file with it; -: standard input", short="-f"),
            Option("--properties", "JSON", default="{}", short="-p"),
        ),
    ),
    Command(
        ("get messages",), "Get messages of a queue", _get,
        (
            Option("--queue", "name of the queue", is_required=True, short="-q"),
            Option("--count", "how many at most", default="1", short="-c"),
            Option("--ack-mode", _ACK_MODES, default="ack_requeue_false", short="-a"),
        ),
    ),
)  # fmt: skip
