"""Many of everything: connections, channels, declares. What a peer took is free again when it has gone."""

from collections.abc import Callable

import pytest

from leveret_protocol import constants
from leveret_protocol.fields import table
from leveret_protocol.methods import Basic, Channel, Confirm, Connection, Queue, Tx, encode_method, make
from tests.harness import BrokerHarness, Client
from tests.hostile.leftovers import assert_nothing_stays

CONNECTIONS = 2000
DECLARES = 10_000


def channel_opens(numbers: range) -> bytes:
    return b"".join(encode_method(number, make(Channel.Open)) for number in numbers)


def test_every_channel_number_on_ten_connections_is_free_again(harness: BrokerHarness) -> None:
    """CHANNEL_MAX. RabbitMQ: CH-3."""
    all_opens = channel_opens(range(1, constants.CHANNEL_MAX + 1))

    def open_them() -> None:
        peers = [harness.connect(channels=()) for _ in range(10)]
        for peer in peers:
            peer.send_bytes(all_opens)
            peer.received_bytes()
            assert peer.connection.channel_count == constants.CHANNEL_MAX
        for peer in peers:
            peer.lose()

    assert_nothing_stays(open_them)


def test_one_channel_more_ends_the_connection(client: Client) -> None:
    client.send_bytes(channel_opens(range(3, constants.CHANNEL_MAX + 1)))
    client.received_bytes()
    client.send(make(Channel.Open), channel=constants.CHANNEL_MAX + 1)
    client.expect_connection_close(
        "NOT_ALLOWED - number of channels opened (2047) has reached the negotiated channel_max (2047)", None
    )


def test_channels_that_the_broker_closed_count_until_close_ok(harness: BrokerHarness) -> None:
    """Else a peer that never answers could have any number of them, one refused after the other."""
    peer = harness.connect(channel_max=10, channels=())
    for number in range(1, 11):
        peer.open(number)
        peer.send(make(Queue.Declare, queue="absent", passive=True), channel=number)
        peer.expect(Channel.Close, channel=number)
    peer.send(make(Channel.Open), channel=11)
    peer.expect_connection_close(
        "NOT_ALLOWED - number of channels opened (10) has reached the negotiated channel_max (10)", None
    )


HANDSHAKE: list[Callable[[Client], object]] = [
    Client.send_header,
    Client.start_ok,
    Client.tune_ok,
    Client.open_vhost,
    lambda client: client.send(make(Channel.Open), make(Queue.Declare, exclusive=True)),
]


@pytest.mark.parametrize("steps", [0, 1, 3, 5])
def test_connections_at_once_are_free_again(harness: BrokerHarness, steps: int) -> None:
    """2,000 of them, each as far in the handshake; with all five steps each has an exclusive queue."""
    queues = harness.node.vhosts["/"].queues

    def connect() -> None:
        peers = [harness.tcp() for _ in range(CONNECTIONS)]
        for peer in peers:
            for step in HANDSHAKE[:steps]:
                step(peer)
                peer.received_bytes()
        assert len(queues) == (CONNECTIONS if steps == 5 else 0)
        for peer in peers:
            peer.lose()
        assert not queues

    assert_nothing_stays(connect)


@pytest.mark.parametrize(
    "declare",
    [make(Queue.Declare, exclusive=True), make(Queue.Declare, queue="q", exclusive=True)],
    ids=["new names", "one name"],
)
def test_ten_thousand_declares_are_free_again(harness: BrokerHarness, declare: Queue.Declare) -> None:
    data = encode_method(1, declare) * (DECLARES // 10)

    def declare_them() -> None:
        peer = harness.connect()
        for _ in range(10):
            peer.send_bytes(data)
            assert len(peer.received()) == DECLARES // 10
        peer.lose()
        harness.run_work()
        assert not harness.node.vhosts["/"].queues

    assert_nothing_stays(declare_them)


def test_everything_that_a_peer_can_hold_is_free_again(harness: BrokerHarness) -> None:
    """Unacknowledged messages, consumers, a transaction, confirms to be told, half a content, in one connection."""

    def hold() -> None:
        owner = harness.connect()
        owner.declare("q")
        owner.send_bytes(owner.published("", "q", bytes(100)) * 100)
        peer = harness.connect(channels=range(1, 6))
        peer.qos(50)
        peer.consume("q")
        harness.run_work()
        assert len(peer.deliveries()) == 50
        peer.call(make(Tx.Select), Tx.SelectOk, channel=2)
        peer.publish("", "q", b"never committed", channel=2)
        peer.call(make(Confirm.Select), Confirm.SelectOk, channel=3)
        peer.get("q", no_ack=False, channel=4)
        peer.send_bytes(peer.published("", "q", b"half", channel=3) + peer.published("", "q", b"half", channel=5)[:-3])
        peer.lose()
        harness.run_work()
        assert owner.counts("q") == (101, 0)
        owner.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
        harness.run_work()
        owner.close()

    assert_nothing_stays(hold)


class TestPublishToADeletedQueue:
    """The queue may go in slices, for it has a backlog; nobody can get at it meanwhile."""

    BACKLOG = 5000

    def backlog(self, client: Client, **arguments: str) -> None:
        client.declare("q", arguments=table(arguments))
        client.send_bytes(client.published("", "q", b"x") * self.BACKLOG)

    @pytest.mark.parametrize("dead_letters_to", ["", "amq.fanout"])
    def test_it_is_unroutable_at_once(self, harness: BrokerHarness, client: Client, dead_letters_to: str) -> None:
        arguments = {"x-dead-letter-exchange": dead_letters_to} if dead_letters_to else {}

        def publish() -> None:
            owner, peer = harness.connect(), harness.connect()
            self.backlog(owner, **arguments)
            peer.call(make(Confirm.Select), Confirm.SelectOk)
            owner.send(make(Queue.Delete, queue="q"))
            peer.publish("", "q", b"late", mandatory=True)
            assert [type(it.method) for it in peer.received()] == [Basic.Return, Basic.Ack]
            harness.run_work()
            peer.publish("", "q", b"later", mandatory=True)
            assert [type(it.method) for it in peer.received()] == [Basic.Return, Basic.Ack]
            owner.expect(Queue.DeleteOk)
            owner.close()
            peer.close()

        assert_nothing_stays(publish)

    def test_a_new_queue_of_the_name_has_none_of_the_old_messages(self, harness: BrokerHarness, client: Client) -> None:
        self.backlog(client)
        client.send(make(Queue.Delete, queue="q"), make(Queue.Declare, queue="q"))
        client.publish("", "q", b"new")
        harness.run_work()
        client.received()
        assert client.drain("q") == [b"new"]

    def test_its_consumers_are_cancelled_and_what_they_hold_is_gone(
        self, harness: BrokerHarness, client: Client
    ) -> None:
        def delete() -> None:
            owner, consumer = harness.connect(), harness.connect()
            self.backlog(owner)
            consumer.consume("q", "tag")
            harness.run_work()
            owner.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
            harness.run_work()
            *_, last = consumer.received()
            assert isinstance(last.method, Basic.Cancel)
            consumer.ack(0, multiple=True)
            consumer.assert_silent()
            owner.close()
            consumer.close()

        assert_nothing_stays(delete)


def test_two_that_close_at_once_are_both_answered(client: Client) -> None:
    client.send(make(Connection.Close, reply_code=200, reply_text="Goodbye"), channel=0)
    client.send(make(Connection.Close, reply_code=200, reply_text="Goodbye"), channel=0)
    assert [type(it.method) for it in client.received()] == [Connection.CloseOk]
