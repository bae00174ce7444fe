"""What is told of connections and logins: the details that RabbitMQ's event exchange has of them (XT-24)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from leveret.core.event_details import USER, details, printed
from leveret.handlers.tls_session import TLSSession
from leveret_protocol.fields import Field, Table, plain

if TYPE_CHECKING:
    from leveret.handlers.connection import Connection

PROTOCOL = "{0,9,1}"


def connection_created(
    connection: Connection, vhost_name: str, channel_max: int, frame_max: int, node_name: str
) -> Table:
    """connection.open went through. Without TLS the details of it are empty, as they are in RabbitMQ."""
    host, port = _address(connection.local)
    peer_host, peer_port = _address(connection.peer)
    user_name = connection.user.name
    return {
        **_name_of_its_own(connection),
        **details(
            {
                "type": "network", "pid": connection.pid, "name": connection.name, "port": port,
                "peer_port": peer_port, "host": host, "peer_host": peer_host, **_certificate(connection.tls),
                "auth_mechanism": connection.mechanism, **_tls(connection.tls), "protocol": PROTOCOL,
                "user": user_name, "vhost": vhost_name, "timeout": connection.heartbeat_seconds,
                "frame_max": frame_max, "channel_max": channel_max,
                "client_properties": printed(connection.client_properties), "connected_at": connection.connected_at_ms,
                "node": node_name, USER: user_name,
            }
        ),
    }  # fmt: skip


def connection_closed(connection: Connection, node_name: str) -> Table:
    """Its TCP connection has ended, however far it had come."""
    return {
        **_name_of_its_own(connection),
        **details(
            {
                "name": connection.name,
                "pid": connection.pid,
                "node": node_name,
                "client_properties": printed(connection.client_properties),
            }
        ),
    }


def login(connection: Connection, user_name: str | None, error: str | None = None) -> Table:
    """Of user.authentication.success and, with an error, of user.authentication.failure.

    user_name: None if the response was malformed. RabbitMQ has the error as an Erlang string, an array of characters.
    """
    host, _ = _address(connection.local)
    peer_host, peer_port = _address(connection.peer)
    named = {} if user_name is None else {"name": user_name}
    failed = {} if error is None else {"error": [ord(character) for character in error]}
    return details(
        {
            "connection_type": "network", **named, "host": host, "connection_name": connection.name,
            "peer_host": peer_host, "peer_port": peer_port, "protocol": PROTOCOL,
            "auth_mechanism": connection.mechanism, "ssl": connection.tls is not None, **failed,
        }
    )  # fmt: skip


def _certificate(tls: TLSSession | None) -> dict[str, object]:
    certificate = None if tls is None else tls.certificate
    subject, issuer, validity = ("", "", "") if certificate is None else (
        certificate.subject, certificate.issuer, certificate.validity
    )  # fmt: skip
    return {
        "ssl": tls is not None, "peer_cert_subject": subject, "peer_cert_issuer": issuer,
        "peer_cert_validity": validity,
    }  # fmt: skip


def _tls(tls: TLSSession | None) -> dict[str, object]:
    key_exchange, cipher, digest = ("", "", "") if tls is None else tls.suite_parts()
    return {
        "ssl_protocol": "" if tls is None else tls.protocol, "ssl_key_exchange": key_exchange, "ssl_cipher": cipher,
        "ssl_hash": digest,
    }  # fmt: skip


def _name_of_its_own(connection: Connection) -> Table:
    name = connection.client_properties.get("connection_name")
    return {} if name is None else {"user_provided_name": Field("S", str(plain(name)))}


def _address(end: str) -> tuple[str, int]:
    """Host and port of one end, `127.0.0.1:5672` or `[::1]:5672`. The host is an Erlang tuple, `{127,0,0,1}`."""
    host, _, port = end.rpartition(":")
    address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    size = 1 if address.version == 4 else 2
    packed = address.packed
    numbers = [int.from_bytes(packed[at : at + size], "big") for at in range(0, len(packed), size)]
    return f"{{{','.join(map(str, numbers))}}}", int(port)
