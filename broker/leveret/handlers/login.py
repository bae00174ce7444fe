"""SASL: what a client's response says about who it is."""

from __future__ import annotations

from collections.abc import Callable

from leveret_protocol.errors import ConnectionDropped
from leveret_protocol.fields import Field
from leveret_protocol.tables import MalformedTable, decode_table

# RabbitMQ: a login that fails without an answer ends the TCP connection after this time (CON-8, CON-9).
FAILURE_SECONDS = 3.0


def plain(response: bytes) -> tuple[str, str]:
    """Exactly NUL user NUL password; an authorisation id is refused (RabbitMQ: CON-10)."""
    parts = response.split(b"\0")
    if len(parts) != 3 or parts[0]:
        raise _malformed("PLAIN")
    return _text(parts[1]), _text(parts[2])


def amqplain(response: bytes) -> tuple[str, str]:
    """A field table without its length, with LOGIN and PASSWORD (RabbitMQ: CON-11)."""
    try:
        table, _ = decode_table(len(response).to_bytes(4, "big") + response, 0, len(response) + 4)
    except MalformedTable:
        raise _malformed("AMQPLAIN") from None
    return _credential(table.get("LOGIN")), _credential(table.get("PASSWORD"))


MECHANISMS: dict[str, Callable[[bytes], tuple[str, str]]] = {"PLAIN": plain, "AMQPLAIN": amqplain}


def credentials(mechanism: str, response: str) -> tuple[str, str]:
    """User name and password. Raises ConnectionDropped: unknown mechanism or malformed response (RabbitMQ: CON-9)."""
    parse = MECHANISMS.get(mechanism)
    if parse is None:
        raise ConnectionDropped(f"unknown authentication mechanism {mechanism!r}", FAILURE_SECONDS)
    return parse(response.encode("utf-8", "surrogateescape"))


def _credential(field: Field | None) -> str:
    if field is not None and isinstance(field.value, bytes):
        return _text(field.value)
    if field is not None and isinstance(field.value, str):
        return field.value
    raise _malformed("AMQPLAIN")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _malformed(mechanism: str) -> ConnectionDropped:
    return ConnectionDropped(f"malformed {mechanism} response", FAILURE_SECONDS)
