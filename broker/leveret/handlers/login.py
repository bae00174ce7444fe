"""SASL: what a client's response says about who it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from leveret.auth.access_control import AccessControl, Admitted, Credentials, Refused
from leveret.handlers import connection_events
from leveret.handlers.tls_session import TLSSession
from leveret_protocol.erlang_text import binary, decimals
from leveret_protocol.errors import AMQPError, ConnectionDropped, ReplyCode
from leveret_protocol.fields import TYPE_NAMES, Field, Table
from leveret_protocol.methods import Connection as ConnectionMethods
from leveret_protocol.tables import MalformedTable, decode_table

if TYPE_CHECKING:
    from leveret.handlers.connection import Connection

# RabbitMQ: a login that fails without an answer ends the TCP connection after this time (CON-8, CON-9).
FAILURE_SECONDS = 3.0


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


WITH_PASSWORD: dict[str, Callable[[bytes], tuple[str, str]]] = {"PLAIN": plain, "AMQPLAIN": amqplain}


def offered(control: AccessControl, tls: TLSSession | None) -> list[str]:
    """The mechanisms that connection.start names. With TLS, but without a certificate, EXTERNAL is refused later."""
    return [mechanism for mechanism in control.mechanisms if mechanism != "EXTERNAL" or tls is not None]


def log_in(connection: Connection, control: AccessControl, method: ConnectionMethods.StartOk) -> Admitted:
    """What start-ok comes to; observers are told of it.

    Raises: ConnectionDropped: the mechanism is not offered; MalformedResponse (RabbitMQ: CON-9); Refused; Unanswered.
    """
    tell = connection.node.events.tell
    if method.mechanism not in offered(control, connection.tls):
        raise ConnectionDropped(f"unknown authentication mechanism {method.mechanism!r}", FAILURE_SECONDS)
    name = None
    try:
        if method.mechanism == "EXTERNAL":
            credentials = _certified(control, connection.tls)
        else:
            parse = WITH_PASSWORD[method.mechanism]
            credentials = Credentials(*parse(method.response.encode("utf-8", "surrogateescape")))
        name = credentials.name
        admitted = control.log_in(credentials, connection.peer_host, connection.answers)
    except MalformedResponse as error:
        if error.told is not None:
            tell("user.authentication.failure", connection_events.login, connection, None, error.told)
        raise
    except Refused as error:
        tell("user.authentication.failure", connection_events.login, connection, name, str(error))
        raise
    connection.answers.clear()  # there may be a password among the questions
    tell("user.authentication.success", connection_events.login, connection, name)
    return admitted


def refusal(mechanism: str) -> AMQPError:
    """What the client is told, for whatever reason it is not let in (RabbitMQ: CON-8)."""
    text = f"Login was refused using authentication mechanism {mechanism}. For details see the broker logfile."
    return AMQPError(ReplyCode.ACCESS_REFUSED, text, 0, 0)


def _certified(control: AccessControl, tls: TLSSession | None) -> Credentials:
    """The user of a certificate (RabbitMQ: rabbit_auth_mechanism_ssl)."""
    if tls is None or tls.certificate is None:
        return Credentials(None, None, "connection peer presented no TLS (x.509) certificate")
    name: str | None
    match control.certificate_name:
        case "common_name":
            name = ",".join(tls.certificate.common_names)
        case "subject_alternative_name":
            kind, index = control.alternative_name
            names = [value for of_kind, value in tls.certificate.alternative_names if of_kind == kind]
            name = names[index] if index < len(names) else None
        case _:
            name = tls.certificate.subject
    return Credentials(name or None, None, "no name found")


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
