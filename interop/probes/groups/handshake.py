"""Protocol header and login."""

from __future__ import annotations

import struct

from interop.probes import wire
from interop.probes.peer import CLIENT_PROPERTIES
from interop.probes.probe import Conversation, probe

DROP_SECONDS = 8.0  # RabbitMQ drops after 3 s what it does not answer
HANDSHAKE_SECONDS = 14.0  # its handshake timeout is 10 s
WITHOUT_CAPABILITIES: dict[str, object] = {"capabilities": {}}


def _dropped(c: Conversation) -> None:
    c.read_until_closed(DROP_SECONDS)


# Protocol header


@probe("CON-4", "CON-5", login=False)
def protocol_header_0_9_1(c: Conversation) -> None:
    c.send_bytes(wire.PROTOCOL_HEADER, "AMQP 0 0 9 1")
    c.read()


@probe("1.1", login=False)
def protocol_header_0_9(c: Conversation) -> None:
    c.send_bytes(b"AMQP\x01\x01\x00\x09", "AMQP 1 1 0 9")
    c.read()


@probe("1.1", "VER-39", login=False)
def protocol_header_0_8(c: Conversation) -> None:
    c.send_bytes(b"AMQP\x01\x01\x08\x00", "AMQP 1 1 8 0")
    c.read()


@probe("1.1", "VER-39", login=False)
def protocol_header_0_8_as_0_9(c: Conversation) -> None:
    c.send_bytes(b"AMQP\x01\x01\x09\x01", "AMQP 1 1 9 1")
    c.read()


@probe("1.1", "CON-1", "CON-2", "VER-23", login=False)
def protocol_headers_refused(c: Conversation) -> None:
    for header in (
        b"AMQP\x03\x01\x00\x00",
        b"AMQP\x00\x01\x00\x00",
        b"AMQP\x02\x01\x00\x00",
        b"AMQP\x00\x00\x09\x02",
        b"AMQP\x00\x00\x0a\x00",
        b"AMQP\x00\x00\x09\x00",
        b"AMQP\x00\x00\x08\x00",
        b"AMQP\x01\x01\x00\x0a",
        b"AMQP\x01\x00\x00\x09",
        b"amqp\x00\x00\x09\x01",
        b"GET / HT",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"\x00\x00\x00\x00\x00\x00\x00\x00",
    ):
        other = c.another(login=False)
        other.send_bytes(header, repr(header))
        other.read_until_closed(DROP_SECONDS)


@probe("CON-1", login=False)
def refused_protocol_header_with_more_behind_it(c: Conversation) -> None:
    c.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "an HTTP request")
    c.read_until_closed(DROP_SECONDS)


@probe("1.1", login=False)
def protocol_header_in_pieces(c: Conversation) -> None:
    for octet in wire.PROTOCOL_HEADER:
        c.transmit(bytes([octet]))
    c.read()


@probe("1.1", "CON-3", login=False, slow=True)
def half_a_protocol_header(c: Conversation) -> None:
    c.send_bytes(b"AMQP", "half a header")
    c.read_until_closed(HANDSHAKE_SECONDS)


@probe("CON-3", login=False, slow=True)
def nothing_sent_at_all(c: Conversation) -> None:
    c.read_until_closed(HANDSHAKE_SECONDS)


@probe("CON-3", login=False, slow=True)
def silent_after_connection_start(c: Conversation) -> None:
    c.send_bytes(wire.PROTOCOL_HEADER, "AMQP 0 0 9 1")
    c.read()
    c.read_until_closed(HANDSHAKE_SECONDS)


@probe("CON-3", login=False, slow=True)
def silent_after_connection_tune(c: Conversation) -> None:
    c.header_to_tune()
    c.read_until_closed(HANDSHAKE_SECONDS)


@probe("CON-3", login=False, slow=True)
def silent_after_tune_ok(c: Conversation) -> None:
    c.header_to_tune()
    c.tune_ok()
    c.read_until_closed(HANDSHAKE_SECONDS)


# Login


@probe("CON-16", "CON-20", "CH-5", login=False)
def a_whole_handshake(c: Conversation) -> None:
    c.send_bytes(wire.PROTOCOL_HEADER, "AMQP 0 0 9 1")
    c.read()
    c.start_ok()
    c.read()
    c.tune_ok()
    c.call("connection.open", 0, virtual_host="/")
    c.handshake_done = True
    c.call("channel.open")
    c.call("channel.close", reply_code=200, reply_text="bye")
    c.call("connection.close", 0, reply_code=200, reply_text="bye")
    c.hang_up()


@probe("CON-13", login=False)
def pipelined_handshake(c: Conversation) -> None:
    q = c.name("q")
    c.send_bytes(wire.PROTOCOL_HEADER, "AMQP 0 0 9 1")
    with c.quiet():
        c.start_ok()
        c.tune_ok()
    c.send("connection.open", 0, virtual_host="/")
    c.send("channel.open")
    c.send("queue.declare", queue=q)
    c.handshake_done = True
    c.read(5)


@probe("CON-14", login=False)
def heartbeats_between_the_steps_of_the_handshake(c: Conversation) -> None:
    heartbeat = wire.frame(wire.HEARTBEAT, 0, b"")
    c.send_bytes(wire.PROTOCOL_HEADER, "AMQP 0 0 9 1")
    c.transmit(heartbeat)
    with c.quiet():
        c.read()
        c.start_ok()
    c.transmit(heartbeat)
    c.read()
    c.transmit(heartbeat)
    c.tune_ok()
    c.transmit(heartbeat)
    c.call("connection.open", 0, virtual_host="/")
    c.handshake_done = True


@probe("CON-7", login=False)
def the_locale_is_not_checked(c: Conversation) -> None:
    c.header_to_tune(locale="xx_YY")
    c.tune_ok()
    c.call("connection.open", 0, virtual_host="/")
    c.handshake_done = True


@probe("CON-8", login=False, slow=True)
def wrong_password_with_the_capability(c: Conversation) -> None:
    _start_ok(c, response="\0guest\0wrong")
    c.read()
    c.note("close-ok is not sent")
    _dropped(c)


@probe("CON-8", login=False, slow=True)
def wrong_password_with_the_capability_and_close_ok(c: Conversation) -> None:
    _start_ok(c, response="\0guest\0wrong")
    c.read()
    c.send("connection.close-ok", 0)
    _dropped(c)


@probe("CON-8", login=False, slow=True)
def wrong_password_without_the_capability(c: Conversation) -> None:
    _start_ok(c, response="\0guest\0wrong", client_properties=WITHOUT_CAPABILITIES)
    _dropped(c)


@probe("CON-7", "CON-8", login=False, slow=True)
def wrong_password_with_a_capability_that_is_no_boolean(c: Conversation) -> None:
    _start_ok(
        c, response="\0guest\0wrong", client_properties={"capabilities": {"authentication_failure_close": "true"}}
    )
    _dropped(c)


@probe("CON-8", login=False)
def unknown_user(c: Conversation) -> None:
    _start_ok(c, response="\0nobody\0guest")
    c.read()
    c.hang_up()


@probe("CON-8", "CON-11", login=False)
def wrong_password_with_amqplain(c: Conversation) -> None:
    _start_ok(c, mechanism="AMQPLAIN", response=_amqplain(LOGIN="guest", PASSWORD="wrong"))
    c.read()
    c.hang_up()


@probe("CON-9", login=False, slow=True)
def unknown_mechanism(c: Conversation) -> None:
    _start_ok(c, mechanism="BOGUS")
    _dropped(c)


@probe("CON-9", login=False, slow=True)
def mechanism_external_is_not_offered(c: Conversation) -> None:
    _start_ok(c, mechanism="EXTERNAL", response="")
    _dropped(c)


@probe("CON-9", login=False, slow=True)
def mechanism_rabbit_cr_demo_is_not_offered(c: Conversation) -> None:
    _start_ok(c, mechanism="RABBIT-CR-DEMO", response="guest")
    _dropped(c)


@probe("CON-9", login=False, slow=True)
def mechanism_names_are_case_sensitive(c: Conversation) -> None:
    _start_ok(c, mechanism="plain")
    _dropped(c)


@probe("CON-10", login=False, slow=True)
def plain_with_an_authorisation_id(c: Conversation) -> None:
    _start_ok(c, response="guest\0guest\0guest")
    _dropped(c)


@probe("CON-10", login=False, slow=True)
def plain_with_a_third_nul(c: Conversation) -> None:
    _start_ok(c, response="\0guest\0guest\0")
    _dropped(c)


@probe("CON-10", login=False, slow=True)
def plain_with_an_empty_response(c: Conversation) -> None:
    _start_ok(c, response="")
    _dropped(c)


@probe("CON-10", login=False, slow=True)
def plain_with_one_nul(c: Conversation) -> None:
    _start_ok(c, response="\0guest")
    _dropped(c)


@probe("CON-11", login=False)
def amqplain(c: Conversation) -> None:
    _start_ok(c, mechanism="AMQPLAIN", response=_amqplain(LOGIN="guest", PASSWORD="guest"))
    c.read()


@probe("CON-11", login=False)
def amqplain_in_other_order_with_more_keys(c: Conversation) -> None:
    _start_ok(c, mechanism="AMQPLAIN", response=_amqplain(PASSWORD="guest", X=1, LOGIN="guest"))
    c.read()


@probe("CON-11", login=False, slow=True)
def amqplain_with_binary_values(c: Conversation) -> None:
    _start_ok(c, mechanism="AMQPLAIN", response=_amqplain(LOGIN=b"guest", PASSWORD=b"guest"))
    c.read_until_closed(DROP_SECONDS)


@probe("CON-11", login=False, slow=True)
def amqplain_with_a_length_prefix(c: Conversation) -> None:
    table = _amqplain(LOGIN="guest", PASSWORD="guest")
    _start_ok(c, mechanism="AMQPLAIN", response=struct.pack(">I", len(table)) + table)
    _dropped(c)


@probe("CON-11", login=False, slow=True)
def amqplain_without_a_password(c: Conversation) -> None:
    _start_ok(c, mechanism="AMQPLAIN", response=_amqplain(LOGIN="guest"))
    _dropped(c)


@probe("CON-15", "VER-3", login=False, slow=True)
def start_ok_of_5000_bytes(c: Conversation) -> None:
    _start_ok(c, client_properties=CLIENT_PROPERTIES | {"token": "x" * 5000})
    _dropped(c)


@probe("CON-15", login=False, slow=True)
def start_ok_of_20000_bytes(c: Conversation) -> None:
    _start_ok(c, client_properties=CLIENT_PROPERTIES | {"token": "x" * 20000})
    _dropped(c)


def _start_ok(c: Conversation, **arguments: object) -> None:
    with c.quiet():
        c.send_bytes(wire.PROTOCOL_HEADER, "")
        c.read_one()
    c.start_ok(**arguments)


def _amqplain(**values: object) -> bytes:
    return wire.encode("table", values)[4:]
