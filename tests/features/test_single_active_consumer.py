"""x-single-active-consumer: one consumer gets all messages, until it goes."""

import pytest

from leveret_protocol.methods import Basic, Queue, make
from tests.harness import BrokerHarness, Client, Received

SINGLE_ACTIVE = {"x-single-active-consumer": True}
TEXT = "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"


@pytest.fixture(autouse=True)
def queue(client: Client) -> None:
    client.declare("q", arguments=SINGLE_ACTIVE)


def publish(client: Client, *bodies: bytes) -> None:
    for body in bodies:
        client.publish("", "q", body)


def told(deliveries: list[Received]) -> list[tuple[str, bytes]]:
    """Consumer tag and body."""
    methods = [it.method for it in deliveries]
    tags = [str(method.consumer_tag) for method in methods if isinstance(method, Basic.Deliver)]
    return list(zip(tags, [it.body for it in deliveries], strict=True))


def test_only_the_first_one_gets_messages(client: Client, other: Client) -> None:
    """RabbitMQ: section 2.5."""
    client.consume("q", "first")
    client.consume("q", "second", channel=2)
    other.consume("q", "third")
    publish(client, b"1", b"2", b"3")
    assert told(client.deliveries()) == [("first", b"1"), ("first", b"2"), ("first", b"3")]
    other.assert_silent()
    assert client.counts("q") == (0, 3)


@pytest.mark.parametrize("value", [False, True])
def test_the_argument_has_to_be_true(client: Client, value: bool) -> None:
    client.declare("r", arguments={"x-single-active-consumer": value})
    for tag in ("a", "b"):
        client.consume("r", tag)
    for _ in range(2):
        client.publish("", "r", b"x")
    assert [tag for tag, _ in told(client.deliveries())] == (["a", "a"] if value else ["a", "b"])


def test_a_backlog_waits_for_the_active_one(client: Client) -> None:
    """The prefetch of the active one is the pace of all; the others have room and get nothing."""
    client.qos(2)
    client.consume("q", "first")
    client.consume("q", "second", channel=2)
    publish(client, b"1", b"2", b"3", b"4")
    assert told(client.deliveries()) == [("first", b"1"), ("first", b"2")]
    client.ack(1)
    assert told(client.deliveries()) == [("first", b"3")]
    assert client.counts("q") == (1, 2)


def test_a_waiting_one_with_a_higher_priority_does_not_push_it_aside(client: Client) -> None:
    """RabbitMQ: not on classic queues."""
    client.consume("q", "first")
    client.consume("q", "second", channel=2, arguments={"x-priority": 10})
    publish(client, b"1")
    assert told(client.deliveries()) == [("first", b"1")]


def test_a_waiting_one_may_cancel(client: Client) -> None:
    client.consume("q", "first")
    client.consume("q", "second")
    client.cancel("second")
    publish(client, b"1")
    assert told(client.deliveries()) == [("first", b"1")]
    assert client.counts("q") == (0, 1)


def test_none_of_them_may_be_exclusive(client: Client) -> None:
    """RabbitMQ: B-14: not even alone."""
    client.refused(make(Basic.Consume, queue="q", exclusive=True), TEXT)
    client.consume("q")
    client.refused(make(Basic.Consume, queue="q", exclusive=True), TEXT)


def test_basic_get_is_allowed(client: Client, other: Client) -> None:
    """RabbitMQ: on classic queues."""
    client.qos(1)
    client.consume("q")
    publish(client, b"1", b"2")
    client.deliveries()
    assert other.get("q").body == b"2"


def test_a_priority_queue_may_have_one_too(client: Client, other: Client) -> None:
    client.declare("p", arguments=SINGLE_ACTIVE | {"x-max-priority": 5})
    client.qos(1)
    client.consume("p", "first")
    other.consume("p", "second")
    for priority in (0, 1, 5):
        client.publish("", "p", b"%d" % priority, priority=priority)
    assert told(client.deliveries()) == [("first", b"0")]
    client.close_channel()
    assert told(other.deliveries()) == [("second", b"5"), ("second", b"1"), ("second", b"0")]


def test_an_auto_delete_queue_goes_with_the_last_of_them(client: Client) -> None:
    client.declare("a", auto_delete=True, arguments=SINGLE_ACTIVE)
    for tag in ("first", "second"):
        client.consume("a", tag)
    client.cancel("first")
    assert client.has_queue("a")
    client.cancel("second")
    assert not client.has_queue("a")


class TestSuccession:
    def test_the_next_one_takes_over_when_the_active_one_cancels(self, harness: BrokerHarness, client: Client) -> None:
        client.consume("q", "first")
        client.consume("q", "second", channel=2)
        client.cancel("first")
        publish(client, b"1")
        harness.run_work()
        assert told(client.deliveries()) == [("second", b"1")]

    def test_the_ready_ones_come_to_it_at_once(self, harness: BrokerHarness, client: Client) -> None:
        """RabbitMQ 4.x; 3.10 leaves them until something else happens."""
        client.qos(1)
        client.consume("q", "first")
        client.consume("q", "second", channel=2)
        publish(client, b"1", b"2", b"3")
        client.deliveries()
        client.cancel("first")
        harness.run_work()
        assert told(client.deliveries()) == [("second", b"2"), ("second", b"3")]
        client.nack(1)
        assert told(client.deliveries()) == [("second", b"1")]

    def test_it_is_the_one_that_has_waited_longest(self, harness: BrokerHarness, client: Client) -> None:
        """RabbitMQ: among equal priorities."""
        for tag in ("a", "b", "c"):
            client.consume("q", tag)
        for gone, active in (("a", "b"), ("b", "c")):
            client.cancel(gone)
            publish(client, b"x")
            harness.run_work()
            assert told(client.deliveries()) == [(active, b"x")]

    def test_it_is_the_one_with_the_highest_priority(self, harness: BrokerHarness, client: Client) -> None:
        """RabbitMQ: then the longest waiting."""
        for tag, priority in (("active", 0), ("low", -1), ("late", 0), ("high", 5), ("high, later", 5)):
            client.consume("q", tag, arguments={"x-priority": priority})
        for gone, active in (("active", "high"), ("high", "high, later"), ("high, later", "late"), ("late", "low")):
            client.cancel(gone)
            publish(client, b"x")
            harness.run_work()
            assert told(client.deliveries()) == [(active, b"x")]

    def test_a_newcomer_is_the_last_in_line(self, harness: BrokerHarness, client: Client) -> None:
        client.consume("q", "a")
        client.consume("q", "b", channel=2)
        client.cancel("a")
        client.consume("q", "a")
        publish(client, b"x")
        harness.run_work()
        assert told(client.deliveries()) == [("b", b"x")]

    def test_when_all_are_gone_the_next_one_to_come_is_active(self, client: Client) -> None:
        client.consume("q", "a")
        client.cancel("a")
        publish(client, b"1")
        client.consume("q", "b")
        client.consume("q", "c")
        publish(client, b"2")
        assert told(client.deliveries()) == [("b", b"1"), ("b", b"2")]

    def test_its_prefetch_is_its_own(self, harness: BrokerHarness, client: Client) -> None:
        client.consume("q", "unlimited")
        client.qos(1, channel=2)
        client.consume("q", "one at a time", channel=2)
        client.close_channel(1)
        publish_on_2 = client.published("", "q", b"x", channel=2) * 3
        client.send_bytes(publish_on_2)
        harness.run_work()
        assert told(client.deliveries()) == [("one at a time", b"x")]
        client.ack(1, channel=2)
        assert told(client.deliveries()) == [("one at a time", b"x")]

    def test_deleting_the_queue_tells_all_of_them(self, client: Client, other: Client) -> None:
        client.consume("q", "first")
        other.consume("q", "second")
        client.send(make(Queue.Delete, queue="q"))
        assert [type(it.method) for it in client.received()] == [Queue.DeleteOk, Basic.Cancel]
        assert other.expect(Basic.Cancel).consumer_tag == "second"


class TestUnacked:
    """What the old one holds stays with its channel, and comes to the new one when it is given back."""

    def test_after_a_cancel_it_can_still_be_acked(self, harness: BrokerHarness, client: Client) -> None:
        client.consume("q", "first")
        client.consume("q", "second", channel=2)
        publish(client, b"1")
        client.deliveries()
        client.cancel("first")
        client.ack(1)
        harness.run_work()
        client.assert_silent()
        assert client.counts("q") == (0, 1)

    def test_a_closing_channel_gives_back_first(self, harness: BrokerHarness, client: Client, other: Client) -> None:
        """The order is kept: that is what people have such queues for."""
        client.qos(2)
        client.consume("q", "first")
        other.consume("q", "second")
        publish(client, b"1", b"2", b"3")
        client.deliveries()
        client.close_channel()
        harness.run_work()
        deliveries = other.deliveries()
        assert [it.body for it in deliveries] == [b"1", b"2", b"3"]
        assert [it.redelivered for it in deliveries] == [True, True, False]

    def test_several_consumers_of_one_channel_end_together(
        self, harness: BrokerHarness, client: Client, other: Client
    ) -> None:
        """None of the others on it becomes the active one on the way."""
        client.qos(1)
        for tag in ("first", "second"):
            client.consume("q", tag)
        other.consume("q", "third")
        publish(client, b"1", b"2")
        client.deliveries()
        client.close_channel()
        harness.run_work()
        client.assert_silent()
        deliveries = other.deliveries()
        assert [(it.body, it.redelivered) for it in deliveries] == [(b"1", True), (b"2", False)]

    @pytest.mark.parametrize("end", [Client.close, Client.lose])
    def test_all_channels_of_a_connection_end_together(
        self, harness: BrokerHarness, client: Client, other: Client, end: object
    ) -> None:
        """Its other channels have consumers too; nothing is delivered to what is about to end."""
        assert callable(end)
        client.qos(1)
        client.qos(1, channel=2)
        client.consume("q", "first")
        client.consume("q", "second", channel=2)
        other.consume("q", "third")
        publish(client, b"1", b"2", b"3")
        client.deliveries()
        end(client)
        harness.run_work()
        deliveries = other.deliveries()
        assert [(it.body, it.redelivered) for it in deliveries] == [(b"1", True), (b"2", False), (b"3", False)]

    def test_a_requeue_by_the_old_one_goes_to_the_new_one(self, harness: BrokerHarness, client: Client) -> None:
        client.consume("q", "first")
        client.consume("q", "second", channel=2)
        publish(client, b"1")
        client.deliveries()
        client.cancel("first")
        client.nack(1)
        harness.run_work()
        assert told(client.deliveries()) == [("second", b"1")]


def test_a_slow_reader_stays_the_active_one(client: Client, other: Client) -> None:
    """Its connection takes no more output for a while: everybody waits for it."""
    client.consume("q", "first")
    other.consume("q", "second")
    client.connection.pause_deliveries()
    other.publish("", "q", b"1")
    other.assert_silent()
    client.assert_silent()
    client.connection.resume_deliveries()
    assert told(client.deliveries()) == [("first", b"1")]
