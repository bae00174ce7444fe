"""The ladder from the protocol header to connection.open-ok, and methods that are out of place on it."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from leveret_protocol import constants, methods
from leveret_protocol.fields import Field, Table, plain
from leveret_protocol.methods import Channel, Connection, Frame, Queue, encode_method, make
from tests.harness import BrokerHarness, Client, raw_frame

SILENT_SECONDS = 3.0  # RabbitMQ: TCP is reset this much later, nothing is sent

CONNECTION_METHODS = [cls for cls in methods.METHODS.values() if methods.method_ids(cls)[0] == 10]


def at_start(client: Client) -> None:
    client.send_header()


def at_tuning(client: Client) -> None:
    client.log_in()


def at_opening(client: Client) -> None:
    client.log_in()
    client.tune_ok()


def at_running(client: Client) -> None:
    at_opening(client)
    client.open_vhost()
    client.received()


def at_closing(client: Client) -> None:
    """The broker has sent connection.close."""
    at_running(client)
    client.send(make(Connection.SecureOk), channel=0)
    client.received()


State = Callable[[Client], None]
BEFORE_TUNE_OK: list[State] = [at_start, at_tuning]
EXPECTED: dict[State, set[type[Frame]]] = {
    at_start: {Connection.StartOk},
    at_tuning: {Connection.TuneOk},
    at_opening: {Connection.Open},
    at_running: {Connection.Close, Connection.UpdateSecret},
}


def out_of_place(*states: State) -> list[Any]:
    """Each of the states with each method that is not expected in it."""
    return [
        pytest.param(state, cls, id=f"{cls.name} {state.__name__}")
        for state in states
        for cls in CONNECTION_METHODS
        if cls not in EXPECTED[state]
    ]


def test_the_steps_are_answered_in_turn(harness: BrokerHarness) -> None:
    client = harness.tcp()
    client.send_bytes(constants.PROTOCOL_HEADER)
    client.expect(Connection.Start, channel=0)
    client.start_ok()
    client.expect(Connection.Tune, channel=0)
    client.tune_ok()
    client.assert_silent()
    assert not client.connection.handshake_done
    client.open_vhost()
    assert client.expect(Connection.OpenOk, channel=0).known_hosts == ""
    assert client.connection.handshake_done


def test_the_whole_handshake_may_come_in_one_piece(harness: BrokerHarness) -> None:
    """RabbitMQ: CON-13."""
    client = harness.tcp()
    pieces = [
        encode_method(0, make(Connection.StartOk, mechanism="PLAIN", response="\0guest\0guest", locale="en_US")),
        encode_method(0, make(Connection.TuneOk, channel_max=2047, frame_max=131072, heartbeat=0)),
        encode_method(0, make(Connection.Open, virtual_host="/")),
        encode_method(1, make(Channel.Open)),
        encode_method(1, make(Queue.Declare, queue="q")),
    ]
    client.send_bytes(constants.PROTOCOL_HEADER + b"".join(pieces))
    answers = [type(it.method) for it in client.received()]
    assert answers == [Connection.Start, Connection.Tune, Connection.OpenOk, Channel.OpenOk, Queue.DeclareOk]


def test_the_handshake_may_come_byte_by_byte(harness: BrokerHarness) -> None:
    client = harness.tcp()
    start_ok = encode_method(0, make(Connection.StartOk, mechanism="PLAIN", response="\0guest\0guest", locale="en_US"))
    for byte in constants.PROTOCOL_HEADER + start_ok:
        client.send_bytes(bytes([byte]))
    assert [type(it.method) for it in client.received()] == [Connection.Start, Connection.Tune]


@pytest.mark.parametrize("header", [b"GET / HT", b"AMQP\x01\x01\x08\x00", b"AMQP\x00\x01\x00\x00", b"AMQP\x03\x01\0\0"])
def test_another_protocol_is_answered_with_ours_and_the_end(harness: BrokerHarness, header: bytes) -> None:
    """RabbitMQ: CON-1, CON-2."""
    client = harness.tcp()
    client.send_bytes(header)
    assert client.received_bytes() == b"AMQP\x00\x00\x09\x01"
    assert client.connection.drop_after_seconds == 0


def test_seven_bytes_of_header_are_answered_with_nothing(harness: BrokerHarness) -> None:
    client = harness.tcp()
    client.send_bytes(b"GET / H")
    assert client.received_bytes() == b""
    assert client.connection.drop_after_seconds is None


def test_start_names_versions_mechanisms_and_capabilities(harness: BrokerHarness) -> None:
    """RabbitMQ: CON-4, CON-5. Clients switch features on by these."""
    start = harness.tcp().send_header()
    assert (start.version_major, start.version_minor, start.locales) == (0, 9, "en_US")
    assert start.mechanisms.split(" ") == ["PLAIN", "AMQPLAIN"]
    properties = cast(Table, start.server_properties)
    assert list(properties) == sorted(properties)
    assert plain(properties["product"]) == "RabbitMQ"
    assert plain(properties["cluster_name"]) == harness.node.name
    assert list(cast(Table, properties["capabilities"].value).items()) == [
        (name, Field("t", True))
        for name in (
            "publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify",
            "connection.blocked", "consumer_priorities", "authentication_failure_close", "per_consumer_qos",
            "direct_reply_to",
        )
    ]  # fmt: skip


@pytest.mark.parametrize(("state", "cls"), out_of_place(*BEFORE_TUNE_OK))
def test_before_tune_ok_a_method_out_of_place_ends_in_silence(
    harness: BrokerHarness, state: State, cls: type[Frame]
) -> None:
    """RabbitMQ: nothing is sent, TCP is reset after three seconds (section 1.6)."""
    client = harness.tcp()
    state(client)
    client.send(make(cls), channel=0)
    client.assert_silent()
    assert client.connection.drop_after_seconds == SILENT_SECONDS


@pytest.mark.parametrize(("state", "cls"), out_of_place(at_opening, at_running))
def test_after_tune_ok_a_method_out_of_place_closes_the_connection(
    harness: BrokerHarness, state: State, cls: type[Frame]
) -> None:
    """RabbitMQ: section 1.6; the text names the state."""
    client = harness.tcp()
    state(client)
    client.send(make(cls), channel=0)
    name = state.__name__.removeprefix("at_")
    client.expect_connection_close(f"CHANNEL_ERROR - unexpected method in connection state {name}", cls)


@pytest.mark.parametrize("cls", CONNECTION_METHODS, ids=lambda cls: cls.name)
def test_once_the_broker_closes_only_close_and_close_ok_are_looked_at(harness: BrokerHarness, cls: type[Frame]) -> None:
    """RabbitMQ: CLS-2."""
    client = harness.tcp()
    at_closing(client)
    client.send(make(cls), channel=0)
    received = [type(it.method) for it in client.received()]
    assert received == ([Connection.CloseOk] if cls is Connection.Close else [])
    is_over = client.connection.drop_after_seconds == 0
    assert is_over == (cls is Connection.CloseOk)


@pytest.mark.parametrize("state", BEFORE_TUNE_OK, ids=lambda state: state.__name__)
def test_before_tune_ok_a_frame_on_a_channel_ends_in_silence(harness: BrokerHarness, state: State) -> None:
    client = harness.tcp()
    state(client)
    client.send(make(Channel.Open), channel=1)
    client.assert_silent()
    assert client.connection.drop_after_seconds == SILENT_SECONDS


def test_after_tune_ok_a_frame_on_a_channel_is_unexpected(harness: BrokerHarness) -> None:
    """RabbitMQ: section 1.6, with an octet of its reserved field as clients send it."""
    client = harness.tcp()
    at_opening(client)
    client.send_bytes(raw_frame(1, 1, bytes([0, 20, 0, 10, 1, 48])))
    client.expect_connection_close("UNEXPECTED_FRAME - type 1, all octets = <<0,20,0,10,1,48>>", None)


def test_heartbeats_between_the_steps_are_ignored(harness: BrokerHarness) -> None:
    """RabbitMQ: CON-14."""
    client = harness.tcp()
    client.send_header()
    client.send_bytes(constants.HEARTBEAT_FRAME)
    client.start_ok()
    client.expect(Connection.Tune, channel=0)
    client.send_bytes(constants.HEARTBEAT_FRAME)
    client.tune_ok()
    client.send_bytes(constants.HEARTBEAT_FRAME)
    client.open_vhost()
    client.expect(Connection.OpenOk, channel=0)


def test_a_start_ok_of_8192_bytes_is_taken_and_a_larger_one_dropped(harness: BrokerHarness) -> None:
    """RabbitMQ: CON-15, the side of 4.1. Long tokens as passwords need it."""
    for size, is_taken in ((8192, True), (8193, False)):
        client = harness.tcp()
        client.send_header()
        fields = {"mechanism": "PLAIN", "response": "\0guest\0guest"}
        smallest = len(encode_method(0, make(Connection.StartOk, **fields))) - constants.FRAME_OVERHEAD
        token = Field("S", "x" * (size - smallest - len(b"\x05tokenS....")))
        client.send(make(Connection.StartOk, client_properties={"token": token}, **fields), channel=0)
        assert bool(client.received()) == is_taken
        assert client.connection.drop_after_seconds == (None if is_taken else SILENT_SECONDS)


@pytest.mark.parametrize("vhost", ["nosuch", "", "/x"])
def test_a_missing_vhost_is_refused(harness: BrokerHarness, vhost: str) -> None:
    """RabbitMQ: section 1.5."""
    client = harness.tcp()
    at_opening(client)
    client.open_vhost(vhost)
    client.expect_connection_close(f"NOT_ALLOWED - vhost {vhost} not found", Connection.Open)
    assert not client.connection.handshake_done


def test_vhosts_are_worlds_of_their_own(harness: BrokerHarness) -> None:
    harness.add_vhost("a/b")
    here, there = harness.connect(), harness.connect(vhost="a/b")
    here.declare("q")
    assert not there.has_queue("q")
    there.refused(make(Queue.Purge, queue="q"), "NOT_FOUND - no queue 'q' in vhost 'a/b'")


def test_update_secret_is_answered(client: Client) -> None:
    """RabbitMQ: UPD-1."""
    client.call(make(Connection.UpdateSecret, new_secret="new", reason="old"), Connection.UpdateSecretOk, channel=0)
    client.declare("q")


def test_a_handshake_that_is_lost_half_way_leaves_nothing_behind(harness: BrokerHarness) -> None:
    for state in (at_start, at_tuning, at_opening):
        client = harness.tcp()
        state(client)
        client.lose()
        client.lose()
        client.send(make(Connection.Open, virtual_host="/"), channel=0)
        client.assert_silent()


def test_the_name_is_peer_and_local_address(client: Client) -> None:
    """RabbitMQ: UPD-3."""
    peer, arrow, local = client.connection.name.split(" ")
    assert (peer.split(":")[0], arrow, local) == ("127.0.0.1", "->", "127.0.0.1:5672")
