"""Arguments of declarations: which are valid, and when two declarations mean the same thing.

The texts are RabbitMQ's, word for word (rules QA-1, QA-2, QU-12, EX-8 to EX-11 of its behaviour). Integers of all
widths are one type here; the name printed is that of the wire type the client used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from leveret.core.erlang_terms import printed_float
from leveret_protocol.erlang_text import binary
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import INTEGER_TAGS, TYPE_NAMES, Field, Table

TEN_YEARS_MS: Final = 315_360_000_000  # RabbitMQ: the longest TTL
SEGMENT_BYTES_MAX: Final = 3_000_000_000  # RabbitMQ: osiris' largest segment
QUEUE_TYPES: Final = ("classic", "quorum", "stream")

Check = Callable[[Field, Table], str | None]  # the reason why it is not valid, as RabbitMQ prints it


def _precondition_failed(explanation: str) -> AMQPError:
    return AMQPError(ReplyCode.PRECONDITION_FAILED, explanation)


# -- equivalence ----------------------------------------------------------------------------------------------------


def check_equal(subject: str, name: str, received: str | bool, current: str | bool) -> None:
    """A property of a declaration against the existing object's. Raises PRECONDITION_FAILED (406)."""
    if received != current:
        raise _inequivalent(subject, name, f"'{_printed(received)}'", f"'{_printed(current)}'")


def check_equivalent(subject: str, received: Table, current: Table, compared: Iterable[str]) -> None:
    """The named arguments, one after the other. Raises PRECONDITION_FAILED (406) at the first difference."""
    for name in compared:
        new, old = received.get(name), current.get(name)
        if new is None and old is None:
            continue
        if new is None or old is None:
            raise _inequivalent(subject, name, _described(new), _described(old))
        if not _equal(new, old):
            raise _inequivalent(subject, name, _quoted(new), _quoted(old))


def check_queue_equivalent(subject: str, type_name: str, received: Table, current: Table) -> None:
    """The arguments known for the queue's type; unknown ones are never compared (RabbitMQ: QU-12, QU-13)."""
    compared = [name for name, (types, _) in QUEUE_ARGUMENTS.items() if type_name in types and name != "x-queue-type"]
    check_equivalent(subject, received, current, compared)
    classic = Field("S", "classic")
    new, old = received.get("x-queue-type"), current.get("x-queue-type")
    if not _equal(new or classic, old or classic):  # a missing type and "classic" are the same
        check_equivalent(subject, received, current, ["x-queue-type"])


def _inequivalent(subject: str, name: str, received: str, current: str) -> AMQPError:
    return _precondition_failed(
        f"inequivalent arg '{name}' for {subject}: received {received} but current is {current}"
    )


def _described(value: Field | None) -> str:
    return "none" if value is None else f"the value '{_printed(value.value)}' of type '{TYPE_NAMES[value.tag]}'"


def _quoted(value: Field) -> str:
    """RabbitMQ: a void value beside another one is told as if it were missing."""
    return "none" if value.tag == "V" else f"'{_printed(value.value)}'"


def _equal(a: Field, b: Field) -> bool:
    return _comparable(a) == _comparable(b)


def _comparable(field: Field) -> tuple[str, object]:
    """RabbitMQ: all integers and timestamps are one type, and so are strings and byte arrays (QU-12)."""
    if field.tag in INTEGER_TAGS or field.tag == "T":
        return "integer", field.value
    if isinstance(field.value, bytes):
        return "S", field.value.decode("utf-8", "surrogateescape")
    return field.tag, field.value


def _printed(value: object) -> str:
    """As RabbitMQ prints a value in these texts: Erlang's words for booleans, its shortest form for floats."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return printed_float(value)
        case None:
            return "undefined"
        case bytes():
            return value.decode("utf-8", "surrogateescape")
        case tuple():
            return f"{{{','.join(map(str, value))}}}"
        case list():
            return f"[{','.join(f'{{{TYPE_NAMES[item.tag]},{erlang_term(item.value)}}}' for item in value)}]"
        case dict():
            return f"[{','.join(erlang_entry(name, item) for name, item in value.items())}]"
    return str(value)


def erlang_entry(name: str, value: Field) -> str:
    """One entry of a table: `{<<"x-max-length">>,signedint,10}`."""
    return f"{{{erlang_term(name)},{TYPE_NAMES[value.tag]},{erlang_term(value.value)}}}"


def erlang_term(value: object) -> str:
    """A value inside of an array or a table: strings are Erlang's binaries there."""
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    return binary(value) if isinstance(value, bytes) else _printed(value)


# -- validation -----------------------------------------------------------------------------------------------------


def check_longstr(arguments: Table, name: str, subject: str) -> None:
    """`alternate-exchange` and `x-dead-letter-exchange` are looked at before all others, with a text of their own."""
    value = arguments.get(name)
    if value is not None and value.tag != "S":
        raise _precondition_failed(f"invalid type '{TYPE_NAMES[value.tag]}' for arg '{name}' in {subject}")


def check_queue_arguments(subject: str, arguments: Table) -> str:
    """Validate the arguments of a new queue; answers its type.

    Raises: PRECONDITION_FAILED (406) for the first argument that is wrong, in RabbitMQ's order: the type of
    x-dead-letter-exchange, x-queue-type, the rest in the order of QUEUE_ARGUMENTS; last the arguments that belong to
    other queue types only, whatever their value.
    """
    check_longstr(arguments, "x-dead-letter-exchange", subject)
    declared = arguments.get("x-queue-type")
    if declared is not None:
        _raise_if_invalid("x-queue-type", _queue_type(declared, arguments), subject)
    queue_type = "classic" if declared is None else str(declared.value)
    for name, (types, check) in QUEUE_ARGUMENTS.items():
        if name in arguments and queue_type in types:
            _raise_if_invalid(name, check(arguments[name], arguments), subject)
    for name in arguments:
        if name in QUEUE_ARGUMENTS and queue_type not in QUEUE_ARGUMENTS[name][0]:
            raise _precondition_failed(f"invalid arg '{name}' for {subject} of queue type rabbit_{queue_type}_queue")
    return queue_type


def check_server_may_name(arguments: Table) -> None:
    """Quorum queues and streams are named by the client. Raises PRECONDITION_FAILED (406) (QU-2)."""
    declared = arguments.get("x-queue-type")
    if declared is not None and declared.value in ("quorum", "stream"):
        raise _precondition_failed(f"Cannot declare a server-named queue for type rabbit_{declared.value}_queue")


def check_replicated(subject: str, *, durable: bool, exclusive: bool, auto_delete: bool) -> None:
    """Quorum and stream queues: raises PRECONDITION_FAILED (406) in RabbitMQ's order (QA-3)."""
    wrong = [("auto-delete", auto_delete), ("exclusive-owner", exclusive), ("non-durable", not durable)]
    for name, is_wrong in wrong:
        if is_wrong:
            raise _precondition_failed(f"invalid property '{name}' for {subject}")


def check_supported(subject: str, queue_type: str) -> None:
    """Raises NOT_IMPLEMENTED (540): a queue type that cannot be served yet."""
    if queue_type == "stream":
        raise AMQPError(ReplyCode.NOT_IMPLEMENTED, f"{subject}: stream queues are not supported yet")


def check_integer(name: str, value: Field, subject: str) -> int:
    """An argument that has to be an integer of any width. Raises PRECONDITION_FAILED (406)."""
    _raise_if_invalid(name, _not_integer(value), subject)
    assert isinstance(value.value, int)
    return value.value


def _raise_if_invalid(name: str, reason: str | None, subject: str) -> None:
    if reason is not None:
        raise _precondition_failed(f"invalid arg '{name}' for {subject}: {reason}")


def _not_integer(value: Field) -> str | None:
    if value.tag in INTEGER_TAGS:
        return None
    return f'"expected integer, got {TYPE_NAMES[value.tag]}"'


def _unacceptable(value: Field) -> str:
    return f"{{unacceptable_type,{TYPE_NAMES[value.tag]}}}"


def _integer(minimum: int, maximum: int | None = None, above: str = "value_too_large") -> Check:
    def check(value: Field, _: Table) -> str | None:
        if (reason := _not_integer(value)) is not None:
            return reason
        number = value.value
        assert isinstance(number, int)
        if number < 0:
            return f"{{value_negative,{number}}}"
        if number < minimum:
            return f"{{value_zero,{number}}}"
        if maximum is not None and number > maximum:
            return f"{{max_value_exceeded,{number}}}" if above == "max_value_exceeded" else f"{{{above},{number}}}"
        return None

    return check


def _string(allowed: Iterable[str] | None, reason: str = "") -> Check:
    def check(value: Field, _: Table) -> str | None:
        if value.tag != "S":
            return _unacceptable(value)
        text = str(value.value)
        return None if allowed is None or text in allowed else reason.format(text)

    return check


def _boolean(value: Field, _: Table) -> str | None:
    return None if value.tag == "t" else _unacceptable(value)


def _anything(_value: Field, _: Table) -> str | None:
    return None


_queue_type = _string(QUEUE_TYPES, "\"unsupported queue type '{}'\"")


def _dead_letter_routing_key(value: Field, arguments: Table) -> str | None:
    if value.tag != "S":
        return _unacceptable(value)
    return None if "x-dead-letter-exchange" in arguments else "routing_key_but_no_dlx_defined"


def _queue_version(value: Field, _: Table) -> str | None:
    if (reason := _not_integer(value)) is not None:
        return reason
    return None if value.value in (1, 2) else f"\"unsupported queue version '{value.value!r}'\""


def _segment_size(value: Field, arguments: Table) -> str | None:
    """Too large a size has a text without the queue."""
    reason = _integer(0)(value, arguments)
    if reason is None and isinstance(value.value, int) and value.value > SEGMENT_BYTES_MAX:
        raise _precondition_failed("Exceeded max value for x-stream-max-segment-size-bytes")
    return reason


def _max_age(value: Field, _: Table) -> str | None:
    if value.tag != "S":
        return _unacceptable(value)
    return None if re.fullmatch(r"0*[1-9][0-9]*[YMDhms]", str(value.value)) else "invalid_max_age"


_CQ = ("classic", "quorum")
_QS = ("quorum", "stream")
_LOCATORS = ("client-local", "balanced", "random", "least-leaders", "min-masters")

# Name -> (the queue types that know it, its check), in the order in which RabbitMQ looks at them.
QUEUE_ARGUMENTS: Final[Mapping[str, tuple[tuple[str, ...], Check]]] = {
    "x-expires": (_CQ, _integer(1, TEN_YEARS_MS)),
    "x-message-ttl": (_CQ, _integer(0, TEN_YEARS_MS)),
    "x-dead-letter-exchange": (_CQ, _string(None)),
    "x-dead-letter-routing-key": (_CQ, _dead_letter_routing_key),
    "x-dead-letter-strategy": (("quorum",), _string(("at-most-once", "at-least-once"), "invalid_dlx_strategy")),
    "x-max-length": (_CQ, _integer(0)),
    "x-max-length-bytes": (QUEUE_TYPES, _integer(0)),
    "x-max-in-memory-length": (("quorum",), _integer(0)),
    "x-max-in-memory-bytes": (("quorum",), _integer(0)),
    "x-max-priority": (("classic",), _integer(0, 255, "max_value_exceeded")),
    "x-overflow": (_CQ, _string(("drop-head", "reject-publish", "reject-publish-dlx"), "invalid_overflow")),
    "x-queue-mode": (("classic",), _string(("default", "lazy"), "\"unsupported queue mode '{}'\"")),
    "x-queue-version": (("classic",), _queue_version),
    "x-single-active-consumer": (_CQ, _boolean),
    "x-consumer-timeout": (_CQ, _integer(0)),
    "x-queue-type": (QUEUE_TYPES, _queue_type),
    "x-quorum-initial-group-size": (("quorum",), _integer(1)),
    "x-max-age": (("stream",), _max_age),
    "x-stream-max-segment-size-bytes": (("stream",), _segment_size),
    "x-initial-cluster-size": (("stream",), _integer(1)),
    "x-queue-leader-locator": (QUEUE_TYPES, _string(_LOCATORS, "invalid_queue_locator_arg")),
    "x-delivery-limit": (("quorum",), _anything),
}
