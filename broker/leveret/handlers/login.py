"""SASL: what a client's response says about who it is."""

from __future__ import annotations

from collections.abc import Callable

from leveret_protocol.erlang_text import binary, decimals
from leveret_protocol.errors import ConnectionDropped
from leveret_protocol.fields import TYPE_NAMES, Field, Table
from leveret_protocol.tables import MalformedTable, decode_table

# RabbitMQ: a login that fails without an answer ends the TCP connection after this time (CON-8, CON-9).
FAILURE_SECONDS = 3.0


BLANK_PASSWORD = (
    "attempted to log in with a blank password, which is prohibited by the internal authN backend. To use TLS/x509 "
    "certificate-based authentication, see the rabbitmq_auth_mechanism_ssl plugin and configure the client to use the "
    "EXTERNAL authentication mechanism. Alternatively change the password for the user to be non-blank."
)


class MalformedResponse(ConnectionDropped):
    """told: what RabbitMQ tells of it in events; None: nothing."""

    def __init__(self, mechanism: str, told: str | None) -> None:
        super().__init__(f"malformed {mechanism} response", FAILURE_SECONDS)
        self.told = told


def plain(response: bytes) -> tuple[str, str]:
    """Exactly NUL user NUL password; an authorisation id is refused (RabbitMQ: CON-10)."""
    parts = response.split(b"\0")
    if len(parts) != 3 or parts[0]:
        raise MalformedResponse("PLAIN", f"response {binary(response)} invalid")
    return _text(parts[1]), _text(parts[2])


def amqplain(response: bytes) -> tuple[str, str]:
    """A field table without its length, with LOGIN and PASSWORD (RabbitMQ: CON-11)."""
    try:
        table, _ = decode_table(len(response).to_bytes(4, "big") + response, 0, len(response) + 4)
    except MalformedTable:
        raise MalformedResponse("AMQPLAIN", None) from None
    return _credential(table, "LOGIN"), _credential(table, "PASSWORD")


MECHANISMS: dict[str, Callable[[bytes], tuple[str, str]]] = {"PLAIN": plain, "AMQPLAIN": amqplain}


def credentials(mechanism: str, response: str) -> tuple[str, str]:
    """User name and password (RabbitMQ: CON-9). Raises ConnectionDropped: unknown mechanism; MalformedResponse."""
    parse = MECHANISMS.get(mechanism)
    if parse is None:
        raise ConnectionDropped(f"unknown authentication mechanism {mechanism!r}", FAILURE_SECONDS)
    return parse(response.encode("utf-8", "surrogateescape"))


def refusal(name: str, password: str) -> str:
    """Why the credentials were refused, as RabbitMQ tells it to its log and in events, never to the client."""
    return f"user '{name}' - invalid credentials" if password else f"user '{name}' {BLANK_PASSWORD}"


def _credential(table: Table, name: str) -> str:
    match table.get(name):
        case Field(value=bytes() as octets):
            return _text(octets)
        case Field(value=str() as text):
            return text
        case None:
            raise MalformedResponse("AMQPLAIN", f"AMQPLAIN auth info {_raw(table)} is missing LOGIN or PASSWORD field")
    problem = "uses unsupported type for LOGIN or PASSWORD field"
    raise MalformedResponse("AMQPLAIN", f"AMQPLAIN auth info {_raw(table)} {problem}")


def _raw(table: Table) -> str:
    """As Erlang's `~w` prints the table; tables in it are not taken apart."""
    entries = (
        f"{{{decimals(name.encode())},{TYPE_NAMES[item.tag]},{_raw_value(item)}}}" for name, item in table.items()
    )
    return f"[{','.join(entries)}]"


def _raw_value(field: Field) -> str:
    value = field.value.encode("utf-8", "surrogateescape") if isinstance(field.value, str) else field.value
    return decimals(value) if isinstance(value, bytes) else str(value)


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
