"""basic.qos: how many deliveries may be unacked at once, for a consumer and for a channel."""

import pytest

from leveret_protocol.methods import Basic, make
from tests.harness import BrokerHarness, Client


@pytest.fixture
def client(client: Client) -> Client:
    """With a queue and ten messages in it."""
    client.declare("q")
    client.send_bytes(b"".join(client.published("", "q", b"%d" % number) for number in range(10)))
    return client


def bodies(client: Client) -> str:
    """All in one: "012" are three messages."""
    return b"".join(client.bodies()).decode()


def by_tag(client: Client) -> dict[str, str]:
    received: dict[str, str] = {}
    for delivery in client.deliveries():
        assert isinstance(delivery.method, Basic.Deliver)
        tag = str(delivery.method.consumer_tag)
        received[tag] = received.get(tag, "") + delivery.body.decode()
    return received


def test_a_prefetch_size_is_not_implemented(client: Client) -> None:
    """RabbitMQ: B-27."""
    client.send(make(Basic.Qos, prefetch_size=1))
    client.expect_connection_close("NOT_IMPLEMENTED - prefetch_size!=0 (1)", Basic.Qos)


def test_a_quorum_queue_refuses_consumers_of_a_limited_channel(client: Client) -> None:
    """RabbitMQ: B-32; basic.get is not limited."""
    client.declare("quorum", durable=True, arguments={"x-queue-type": "quorum"})
    client.publish("", "quorum", b"x")
    client.qos(1, global_=True)
    assert client.get("quorum").body == b"x"
    client.send(make(Basic.Consume, queue="quorum"))
    client.expect_connection_close(
        "NOT_IMPLEMENTED - queue 'quorum' in vhost '/' does not support global qos", Basic.Consume
    )


def test_without_a_limit_all_comes(client: Client) -> None:
    client.consume("q")
    assert bodies(client) == "0123456789"


def test_a_consumer_gets_no_more_than_its_prefetch(client: Client) -> None:
    client.qos(3)
    client.consume("q")
    assert bodies(client) == "012"
    assert client.counts("q") == (7, 1)


@pytest.mark.parametrize("settle", ["ack", "reject", "nack"])
def test_each_settled_message_makes_room_for_one(client: Client, settle: str) -> None:
    """RabbitMQ: B-31."""
    client.qos(3)
    client.consume("q")
    client.deliveries()
    for tag, expected in ((2, "3"), (1, "4"), (4, "5")):
        if settle == "ack":
            client.ack(tag)
        elif settle == "reject":
            client.reject(tag, requeue=False)
        else:
            client.nack(tag, requeue=False)
        assert bodies(client) == expected


def test_a_multiple_ack_makes_room_for_all(client: Client) -> None:
    client.qos(4)
    client.consume("q")
    client.deliveries()
    client.ack(3, multiple=True)
    assert bodies(client) == "456"
    client.ack(0, multiple=True)
    assert bodies(client) == "789"


def test_messages_that_are_published_later_find_the_room_as_well(client: Client) -> None:
    client.declare("new")
    client.qos(2)
    client.consume("new")
    client.send_bytes(b"".join(client.published("", "new", b"%d" % number) for number in range(4)))
    assert bodies(client) == "01"
    client.ack(1)
    assert bodies(client) == "2"


def test_the_prefetch_holds_for_consumers_started_afterwards(client: Client) -> None:
    """RabbitMQ: B-28. Each has its own."""
    client.qos(1)
    client.consume("q", "one")
    assert bodies(client) == "0"
    client.qos(3)
    client.consume("q", "three")
    assert by_tag(client) == {"three": "123"}
    client.qos(0)
    client.consume("q", "all")
    assert by_tag(client) == {"all": "456789"}


def test_the_prefetch_of_one_channel_is_not_that_of_another(client: Client) -> None:
    client.qos(1)
    client.consume("q", channel=2)
    assert bodies(client) == "0123456789"


def test_consumers_without_acks_are_not_limited(client: Client) -> None:
    """RabbitMQ: B-16."""
    client.qos(1)
    client.qos(1, global_=True)
    client.consume("q", no_ack=True)
    assert bodies(client) == "0123456789"


def test_a_consumer_that_is_full_is_skipped(client: Client) -> None:
    """RabbitMQ: B-31."""
    client.declare("new")
    client.qos(1)
    client.consume("new", "one")
    client.qos(0)
    client.consume("new", "two")
    for number in range(5):
        client.publish("", "new", b"%d" % number)
    assert by_tag(client) == {"one": "0", "two": "1234"}


def test_a_consumer_that_has_room_again_takes_its_turn(client: Client) -> None:
    client.declare("new")
    client.qos(1)
    for tag in ("a", "b"):
        client.consume("new", tag)
    for number in range(2):
        client.publish("", "new", b"%d" % number)
    assert by_tag(client) == {"a": "0", "b": "1"}
    client.ack(2)
    client.ack(1)
    for number in range(2, 5):
        client.publish("", "new", b"%d" % number)
    assert by_tag(client) == {"b": "2", "a": "3"}


def test_getting_is_not_limited_and_makes_no_room(client: Client) -> None:
    """RabbitMQ: B-24."""
    client.qos(1)
    client.consume("q")
    assert bodies(client) == "0"
    tag = client.get("q", no_ack=False).delivery_tag
    client.ack(tag)
    client.assert_silent()
    client.qos(1, global_=True)
    client.ack(client.get("q", no_ack=False).delivery_tag)
    client.assert_silent()


class TestChannelLimit:
    """basic.qos with global=true."""

    def test_it_is_shared_by_all_consumers_of_the_channel(self, client: Client) -> None:
        """RabbitMQ: B-29."""
        client.qos(3, global_=True)
        client.consume("q", "a")
        client.consume("q", "b")
        assert len(bodies(client)) == 3
        client.ack(1)
        client.ack(2)
        assert bodies(client) == "34"
        client.assert_silent()

    def test_it_covers_consumers_of_several_queues(self, client: Client) -> None:
        client.declare("new")
        client.qos(2, global_=True)
        client.consume("new", "new")
        client.consume("q", "old")
        assert by_tag(client) == {"old": "01"}
        client.publish("", "new", b"n")
        client.assert_silent()
        client.ack(1)
        assert len(bodies(client)) == 1

    def test_it_does_not_concern_other_channels(self, client: Client) -> None:
        client.qos(1, global_=True)
        client.consume("q", channel=2)
        assert bodies(client) == "0123456789"

    def test_it_is_in_force_at_once(self, client: Client) -> None:
        """RabbitMQ: B-29, also for consumers that are there already."""
        client.declare("new")
        client.consume("new")
        client.qos(1, global_=True)
        client.publish("", "new", b"1")
        client.publish("", "new", b"2")
        assert bodies(client) == "1"

    def test_a_message_needs_room_in_both(self, client: Client) -> None:
        """RabbitMQ: B-29."""
        client.qos(2)
        client.consume("q", "a")
        assert bodies(client) == "01"
        client.qos(3, global_=True)
        client.consume("q", "b")
        assert by_tag(client) == {"b": "2"}
        client.ack(1)
        assert len(bodies(client)) == 1

    def test_count_0_removes_it(self, client: Client) -> None:
        """RabbitMQ: B-29."""
        client.qos(2, global_=True)
        client.consume("q")
        assert bodies(client) == "01"
        client.send(make(Basic.Qos, prefetch_count=0, global_=True))
        assert len(client.received()) == 1 + 8

    def test_a_higher_one_lets_more_come(self, client: Client) -> None:
        client.qos(2, global_=True)
        client.consume("q")
        assert bodies(client) == "01"
        client.send(make(Basic.Qos, prefetch_count=5, global_=True))
        assert [it.body for it in client.received() if isinstance(it.method, Basic.Deliver)] == [b"2", b"3", b"4"]

    def test_any_prefetch_for_consumers_removes_it(self, client: Client) -> None:
        """RabbitMQ: B-30, a surprise: existing consumers are released."""
        client.qos(4, global_=True)
        client.consume("q", "a")
        client.consume("q", "b")
        assert len(bodies(client)) == 4
        client.send(make(Basic.Qos, prefetch_count=2))
        deliveries = [it for it in client.received() if isinstance(it.method, Basic.Deliver)]
        assert len(deliveries) == 6

    def test_what_a_cancelled_consumer_holds_still_counts(self, client: Client) -> None:
        client.qos(2, global_=True)
        client.consume("q", "a")
        assert bodies(client) == "01"
        client.cancel("a")
        client.consume("q", "b")
        client.assert_silent()
        client.ack(1)
        assert bodies(client) == "2"

    def test_what_is_requeued_makes_room_as_well(self, client: Client) -> None:
        client.qos(2, global_=True)
        client.consume("q", "a")
        assert bodies(client) == "01"
        client.nack(2, multiple=True)
        assert bodies(client) == "01"

    def test_what_was_held_of_a_deleted_queue_makes_room(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("new")
        client.qos(1, global_=True)
        client.consume("new", "new")
        client.publish("", "new", b"n")
        assert bodies(client) == "n"
        client.consume("q", "old")
        client.assert_silent()
        client.send(make(Basic.Cancel, consumer_tag="new"))
        client.received()
        client.ack(1)
        assert bodies(client) == "0"


def test_round_robin_goes_on_where_the_channel_limit_stopped_it(client: Client) -> None:
    """RabbitMQ: B-29: not the consumer that acked, but the one whose turn it is."""
    client.declare("turns")
    client.qos(2, global_=True)
    for tag in ("a", "b", "c"):
        client.consume("turns", consumer_tag=tag)
    for body in (b"1", b"2", b"3", b"4"):
        client.publish("", "turns", body)
    assert by_tag(client) == {"a": "1", "b": "2"}
    client.ack(1)
    assert by_tag(client) == {"c": "3"}
