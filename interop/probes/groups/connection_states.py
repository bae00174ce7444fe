"""Tuning, connection.open, and methods in the wrong state of the connection."""

from __future__ import annotations

from interop.probes import wire
from interop.probes.probe import Conversation, probe

DROP_SECONDS = 8.0  # RabbitMQ drops after 3 s what it does not answer


def _dropped(c: Conversation) -> None:
    c.read_until_closed(DROP_SECONDS)


# Tuning


@probe("CON-17", "CON-18", "VER-2", login=False, slow=True)
def tune_ok_with_channel_max_0(c: Conversation) -> None:
    c.header_to_tune()
    c.tune_ok(channel_max=0)
    c.read_until_refused(DROP_SECONDS)


@probe("CON-17", "CON-18", "VER-2", login=False, slow=True)
def tune_ok_with_channel_max_2048(c: Conversation) -> None:
    c.header_to_tune()
    c.tune_ok(channel_max=2048)
    c.read_until_refused(DROP_SECONDS)


@probe("CON-17", "CON-18", "VER-2", login=False, slow=True)
def tune_ok_with_frame_max_0(c: Conversation) -> None:
    c.header_to_tune()
    c.tune_ok(frame_max=0)
    c.read_until_refused(DROP_SECONDS)


@probe("CON-17", "CON-18", "VER-2", login=False, slow=True)
def tune_ok_with_frame_max_131073(c: Conversation) -> None:
    c.header_to_tune()
    c.tune_ok(frame_max=131073)
    c.read_until_refused(DROP_SECONDS)


@probe("CON-17", "CON-18", "VER-2", login=False, slow=True)
def tune_ok_with_frame_max_4095(c: Conversation) -> None:
    c.header_to_tune()
    c.tune_ok(frame_max=4095)
    c.read_until_refused(DROP_SECONDS)


@probe("CON-17", "VER-3", login=False)
def tune_ok_with_the_least_limits(c: Conversation) -> None:
    c.header_to_tune()
    c.tune_ok(channel_max=1, frame_max=4096, heartbeat=65535)
    c.call("connection.open", 0, virtual_host="/")
    c.handshake_done = True


# connection.open


def _open(c: Conversation, virtual_host: str | bytes, **arguments: object) -> None:
    c.header_to_tune()
    c.tune_ok()
    c.call("connection.open", 0, virtual_host=virtual_host, **arguments)


@probe("1.5", login=False)
def open_of_a_missing_vhost(c: Conversation) -> None:
    _open(c, "nosuch")


@probe("1.5", login=False)
def open_of_an_empty_vhost(c: Conversation) -> None:
    _open(c, "")


@probe("CON-21", login=False)
def vhost_names_are_literal(c: Conversation) -> None:
    _open(c, "/nosuch/%2F")


@probe("1.5", "GEN-3", login=False)
def open_of_a_missing_vhost_with_a_long_name(c: Conversation) -> None:
    _open(c, "v" * 255)


@probe("CON-20", login=False)
def the_old_fields_of_open_are_ignored(c: Conversation) -> None:
    _open(c, "/", capabilities="something", insist=True)
    c.handshake_done = True


# Methods in the wrong state


@probe("1.6", login=False, slow=True)
def tune_ok_before_start_ok(c: Conversation) -> None:
    c.send_bytes(wire.PROTOCOL_HEADER, "AMQP 0 0 9 1")
    with c.quiet():
        c.read_one()
    c.tune_ok()
    _dropped(c)


@probe("1.6", login=False, slow=True)
def open_before_start_ok(c: Conversation) -> None:
    c.send_bytes(wire.PROTOCOL_HEADER, "AMQP 0 0 9 1")
    with c.quiet():
        c.read_one()
    c.send("connection.open", 0, virtual_host="/")
    _dropped(c)


@probe("1.6", login=False, slow=True)
def open_before_tune_ok(c: Conversation) -> None:
    c.header_to_tune()
    c.send("connection.open", 0, virtual_host="/")
    _dropped(c)


@probe("1.6", login=False, slow=True)
def second_start_ok(c: Conversation) -> None:
    c.header_to_tune()
    with c.quiet():
        c.start_ok()
    _dropped(c)


@probe("1.6", login=False, slow=True)
def channel_open_before_tune_ok(c: Conversation) -> None:
    c.header_to_tune()
    c.send("channel.open", 1)
    _dropped(c)


@probe("1.6", login=False, slow=True)
def close_before_tune_ok(c: Conversation) -> None:
    c.header_to_tune()
    c.send("connection.close", 0, reply_code=200)
    _dropped(c)


@probe("1.6", login=False)
def close_before_open(c: Conversation) -> None:
    c.header_to_tune()
    c.tune_ok()
    c.send("connection.close", 0, reply_code=200)
    c.read()


@probe("1.6", login=False)
def channel_open_before_open(c: Conversation) -> None:
    c.header_to_tune()
    c.tune_ok()
    c.send("channel.open", 1, out_of_band="0")
    c.read()


@probe("1.6")
def methods_that_are_not_due_on_a_running_connection(c: Conversation) -> None:
    for name, arguments in (
        ("connection.open", {"virtual_host": "/"}),
        ("connection.tune-ok", {"channel_max": 1}),
        ("connection.start", {}),
        ("connection.start-ok", {}),
        ("connection.secure", {}),
        ("connection.secure-ok", {}),
        ("connection.tune", {}),
        ("connection.open-ok", {}),
        ("connection.close-ok", {}),
        ("connection.update-secret-ok", {}),
        ("connection.blocked", {"reason": "no"}),
        ("connection.unblocked", {}),
        ("channel.open", {}),
        ("channel.close-ok", {}),
        ("exchange.declare", {}),
        ("basic.qos", {}),
        ("tx.select", {}),
    ):
        other = c.another()
        other.send(name, 0, **arguments)
        other.read()
        other.finish()


@probe("1.6")
def publish_on_channel_0(c: Conversation) -> None:
    c.send("basic.publish", 0)
    c.read()


@probe("1.6")
def connection_methods_on_channel_1(c: Conversation) -> None:
    for name in (
        "connection.close",
        "connection.open",
        "connection.close-ok",
        "connection.update-secret",
        "connection.start-ok",
    ):
        other = c.another()
        other.send(name, 1)
        other.read()
        other.finish()


@probe("1.6", "CH-1")
def connection_method_on_an_unopened_channel(c: Conversation) -> None:
    c.send("connection.close", 2, reply_code=200)
    c.read()


@probe("UPD-1")
def update_secret(c: Conversation) -> None:
    c.call("connection.update-secret", 0, new_secret="anything", reason="expired")
