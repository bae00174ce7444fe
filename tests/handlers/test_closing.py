"""How a connection ends: by the client, by the broker, by an operator, and by the loss of TCP."""

import pytest

from leveret_protocol import constants
from leveret_protocol.methods import Basic, Channel, Connection, Queue, encode_method, make
from tests.harness import BrokerHarness, Client, assert_told, raw_frame


def close_method() -> Connection.Close:
    return make(Connection.Close, reply_code=200, reply_text="bye")


def test_all_that_was_sent_before_close_is_carried_out(client: Client, other: Client) -> None:
    """RabbitMQ: CLS-1."""
    other.declare("q")
    client.send_bytes(client.published("", "q", b"x") * 200 + encode_method(0, close_method()))
    client.expect(Connection.CloseOk, channel=0)
    assert other.counts("q") == (200, 0)


def test_exclusive_queues_are_gone_before_close_ok(client: Client, other: Client) -> None:
    """RabbitMQ: CLS-1. The shell has not even ended TCP yet."""
    client.declare("mine", exclusive=True)
    client.call(close_method(), Connection.CloseOk, channel=0)
    assert not other.has_queue("mine")


@pytest.mark.parametrize(("heartbeat", "seconds"), [(0, 30), (5, 5), (60, 30)])
def test_after_close_ok_the_client_has_some_time_to_end_tcp(
    harness: BrokerHarness, heartbeat: int, seconds: int
) -> None:
    """RabbitMQ: CLS-1, at most the heartbeat and at most 30 s."""
    client = harness.connect(heartbeat=heartbeat)
    client.call(close_method(), Connection.CloseOk, channel=0)
    assert client.connection.drop_after_seconds == seconds


def test_after_close_ok_nothing_is_listened_to(client: Client, other: Client) -> None:
    client.call(close_method(), Connection.CloseOk, channel=0)
    client.send(make(Queue.Declare, queue="q"))
    client.send_bytes(b"garbage")
    client.assert_silent()
    assert not other.has_queue("q")


@pytest.mark.parametrize(("heartbeat", "seconds"), [(0, 30), (5, 5)])
def test_the_broker_waits_for_close_ok_and_then_ends_at_once(
    harness: BrokerHarness, heartbeat: int, seconds: int
) -> None:
    """RabbitMQ: CLS-2."""
    client = harness.connect(heartbeat=heartbeat)
    client.send(make(Channel.Open))
    client.expect(Connection.Close, channel=0)
    assert client.connection.drop_after_seconds == seconds
    client.send(make(Connection.CloseOk), channel=0)
    assert client.connection.drop_after_seconds == 0


def test_while_the_broker_closes_every_frame_is_discarded_unlooked_at(client: Client, other: Client) -> None:
    """RabbitMQ: CLS-2, also frames of types that do not exist."""
    client.send_bytes(
        encode_method(1, make(Channel.Open))
        + encode_method(5, make(Channel.Open))
        + encode_method(5, make(Queue.Declare, queue="q"))
        + encode_method(1, make(Queue.Declare, queue="q"))
        + client.published("", "q", b"x")
        + raw_frame(99, 5, b"what")
        + raw_frame(1, 0, b"\0\x0a")
        + encode_method(0, make(Connection.Open, virtual_host="/"))
    )
    client.expect(Connection.Close, channel=0)
    assert not other.has_queue("q")
    client.call(close_method(), Connection.CloseOk, channel=0)
    assert client.connection.drop_after_seconds != 0
    client.send(make(Connection.CloseOk), channel=0)
    assert client.connection.drop_after_seconds == 0


def test_what_a_refused_connection_held_is_given_back_at_once(client: Client, other: Client) -> None:
    other.declare("q")
    other.publish("", "q", b"x")
    client.declare("mine", exclusive=True)
    client.get("q", no_ack=False)
    client.send(make(Channel.Open))
    assert other.get("q").redelivered
    assert not other.has_queue("mine")


def test_an_operator_closes_with_a_reason(client: Client) -> None:
    """RabbitMQ: CLS-5."""
    client.connection.force_close("Closed via management plugin")
    client.expect_connection_close("CONNECTION_FORCED - Closed via management plugin", None)


def test_an_operator_drops_what_is_still_in_its_handshake(harness: BrokerHarness) -> None:
    client = harness.tcp()
    client.send_header()
    client.connection.force_close("shutdown")
    client.assert_silent()
    assert client.connection.drop_after_seconds == 0


def test_the_connections_of_a_user_or_a_virtual_host_are_found_to_be_closed(harness: BrokerHarness) -> None:
    """From connection.open to the end of TCP."""
    harness.add_vhost("v")
    clients = [harness.connect(), harness.connect(vhost="v"), harness.connect(user="other", vhost="v")]
    guests, others = clients[0].connection, clients[2].connection
    connections = harness.node.connections
    assert connections.of_user("guest") == [guests, clients[1].connection]
    assert connections.of_vhost("v") == [clients[1].connection, others]
    assert [(it.name, it.user_name, it.vhost_name, it.channel_count) for it in connections.of_user("other")] == [
        ("127.0.0.1:50003 -> 127.0.0.1:5672", "other", "v", 1)
    ]
    for connection in connections.of_user("other"):
        connection.force_close("user 'other' is deleted")
    clients[2].expect_connection_close("CONNECTION_FORCED - user 'other' is deleted", None)
    assert list(connections) == [client.connection for client in clients]
    clients[2].lose()
    assert (list(connections), len(connections)) == ([guests, clients[1].connection], 2)


def test_forcing_a_connection_that_is_closing_changes_nothing(client: Client) -> None:
    client.connection.force_close("once")
    client.expect(Connection.Close, channel=0)
    client.connection.force_close("twice")
    client.assert_silent()


def test_a_defect_of_the_broker_is_told_as_an_internal_error(client: Client) -> None:
    """RabbitMQ: GEN-1, the bare text."""
    client.connection.fail()
    assert_told(client.expect(Connection.Close, channel=0), "INTERNAL_ERROR", (0, 0))


def test_losing_tcp_twice_is_losing_it_once(client: Client, other: Client) -> None:
    other.declare("q")
    other.publish("", "q", b"x")
    client.get("q", no_ack=False)
    client.lose()
    client.lose()
    assert other.counts("q") == (1, 0)
    client.send(make(Basic.Get, queue="q"))
    assert other.counts("q") == (1, 0)


def test_a_bad_frame_end_is_told_and_nothing_after_it_followed(client: Client, other: Client) -> None:
    """RabbitMQ: FRM-1."""
    frame = encode_method(1, make(Channel.Flow, active=True))
    client.send_bytes(frame[:-1] + b"\0" + encode_method(1, make(Queue.Declare, queue="q")))
    close = client.expect(Connection.Close, channel=0)
    assert_told(close, "FRAME_ERROR - type 1, all octets = <<0,20,0,20,1>>: {invalid_frame_end_marker,0}", (0, 0))
    assert client.connection.drop_after_seconds == 3.0
    client.send(make(Connection.CloseOk), channel=0)
    client.send_bytes(constants.HEARTBEAT_FRAME)
    client.assert_silent()
    assert not other.has_queue("q")
