"""x-max-priority: the highest priority first."""

import pytest

from leveret_protocol.fields import Field
from leveret_protocol.methods import Queue, make
from tests.harness import BrokerHarness, Client


def publish(client: Client, *priorities: int | None, queue: str = "q") -> None:
    """One message for each; its body is its number and its priority."""
    for number, priority in enumerate(priorities):
        client.publish("", queue, f"{number}:{priority}".encode(), priority=priority)


def texts(bodies: list[bytes]) -> list[str]:
    return [body.decode() for body in bodies]


def test_the_highest_come_first_and_equals_in_their_order(client: Client) -> None:
    """RabbitMQ: PRI-1: none is 0, above the maximum is the maximum."""
    client.declare("q", arguments={"x-max-priority": 5})
    publish(client, None, 0, 1, 5, 9, 3, 5)
    assert client.counts("q") == (7, 0)
    assert texts(client.drain("q")) == ["3:5", "4:9", "6:5", "5:3", "2:1", "0:None", "1:0"]


@pytest.mark.parametrize("tag", "bBsuIilL")
def test_the_maximum_may_be_an_integer_of_any_width(client: Client, tag: str) -> None:
    client.declare("q", arguments={"x-max-priority": Field(tag, 2)})
    publish(client, 0, 1, 2)
    assert texts(client.drain("q")) == ["2:2", "1:1", "0:0"]


def test_a_maximum_of_0_is_one_of_1(client: Client) -> None:
    """RabbitMQ: from 4.0 (QA-2); 3.10.8 has one level then."""
    client.declare("q", arguments={"x-max-priority": 0})
    publish(client, 0, 1, 2, 0, 255)
    assert texts(client.drain("q")) == ["1:1", "2:2", "4:255", "0:0", "3:0"]


def test_a_maximum_of_255_tells_all_priorities_apart(client: Client) -> None:
    client.declare("q", arguments={"x-max-priority": 255})
    publish(client, 254, 255, 0, 253)
    assert texts(client.drain("q")) == ["1:255", "0:254", "3:253", "2:0"]


def test_without_the_argument_priorities_mean_nothing(client: Client) -> None:
    client.declare("q")
    publish(client, 0, 9, 5)
    assert texts(client.drain("q")) == ["0:0", "1:9", "2:5"]


def test_the_priority_arrives_as_published(client: Client) -> None:
    client.declare("q", arguments={"x-max-priority": 5})
    publish(client, 200, None)
    assert [client.get("q").properties.priority for _ in range(2)] == [200, None]


class TestConsumers:
    def test_a_backlog_comes_by_priority(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("q", arguments={"x-max-priority": 2})
        bodies = [b"%d" % (number % 3) for number in range(900)]
        client.send_bytes(b"".join(client.published("", "q", body, priority=int(body)) for body in bodies))
        client.consume("q", no_ack=True)
        harness.run_work()
        assert client.bodies() == sorted(bodies, reverse=True)

    def test_a_higher_one_overtakes_a_backlog_that_is_being_delivered(
        self, harness: BrokerHarness, client: Client
    ) -> None:
        client.declare("q", arguments={"x-max-priority": 1})
        client.send_bytes(client.published("", "q", b"low") * 600)
        client.consume("q", no_ack=True)
        first = len(client.deliveries())
        client.publish("", "q", b"high", priority=1)
        harness.run_work()
        assert client.bodies() == [b"high"] + [b"low"] * (600 - first)

    def test_what_a_consumer_holds_stays_with_it(self, client: Client) -> None:
        """RabbitMQ: PRI-2."""
        client.declare("q", arguments={"x-max-priority": 5})
        client.qos(2)
        client.consume("q")
        publish(client, 0, 0, 0, 5)
        assert texts(client.bodies()) == ["0:0", "1:0"]
        client.ack(1)
        assert texts(client.bodies()) == ["3:5"]

    def test_a_message_goes_straight_to_a_consumer_with_room(self, client: Client) -> None:
        client.declare("q", arguments={"x-max-priority": 5})
        client.consume("q")
        publish(client, 0, 5)
        assert texts(client.bodies()) == ["0:0", "1:5"]


class TestRequeue:
    def test_it_comes_back_to_its_old_place_within_its_priority(self, client: Client) -> None:
        """RabbitMQ: B-38, seen with 3.10.8 for priorities."""
        client.declare("q", arguments={"x-max-priority": 5})
        publish(client, 1, 2, 1, 2, 1, 2)
        for tag in [client.get("q", no_ack=False).delivery_tag for _ in range(6)][::-1]:
            client.nack(tag)
        got = [client.get("q") for _ in range(6)]
        assert [it.body.decode() for it in got] == ["1:2", "3:2", "5:2", "0:1", "2:1", "4:1"]
        assert all(it.redelivered for it in got)

    def test_it_stands_before_what_was_never_out_but_behind_higher_ones(self, client: Client) -> None:
        client.declare("q", arguments={"x-max-priority": 5})
        publish(client, 1, 1)
        got = client.get("q", no_ack=False)
        publish(client, 1, 2)
        client.nack(got.delivery_tag)
        assert texts(client.drain("q")) == ["1:2", "0:1", "1:1", "0:1"]

    def test_all_priorities_of_a_closing_channel_come_back(self, client: Client) -> None:
        client.declare("q", arguments={"x-max-priority": 5})
        client.consume("q", channel=2)
        publish(client, 3, 1, 2)
        client.deliveries()
        client.close_channel(2)
        assert texts(client.drain("q")) == ["0:3", "2:2", "1:1"]


class TestLimits:
    def test_a_full_queue_gives_up_the_highest(self, client: Client) -> None:
        """RabbitMQ: LEN-2: its head goes."""
        client.declare("dead")
        client.declare("q", arguments={
            "x-max-priority": 5, "x-max-length": 2,
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead",
        })  # fmt: skip
        publish(client, 5, 4, 1, 0)
        assert texts(client.drain("q")) == ["2:1", "3:0"]
        assert texts(client.drain("dead")) == ["0:5", "1:4"]

    def test_a_new_message_of_the_highest_priority_is_given_up_itself(self, client: Client) -> None:
        client.declare("q", arguments={"x-max-priority": 5, "x-max-length": 2})
        publish(client, 0, 0, 5)
        assert texts(client.drain("q")) == ["0:0", "1:0"]

    def test_bytes_are_counted_over_all_priorities(self, client: Client) -> None:
        client.declare("q", arguments={"x-max-priority": 5, "x-max-length-bytes": 6})
        publish(client, 0, 5)
        assert client.counts("q") == (2, 0)
        publish(client, 1)
        assert texts(client.drain("q")) == ["0:1", "0:0"]

    def test_reject_publish_refuses_the_new_one_whatever_its_priority(self, client: Client) -> None:
        client.declare("q", arguments={"x-max-priority": 5, "x-max-length": 1, "x-overflow": "reject-publish"})
        publish(client, 0, 5)
        assert texts(client.drain("q")) == ["0:0"]


def test_purge_takes_all_priorities(client: Client) -> None:
    client.declare("q", arguments={"x-max-priority": 5})
    publish(client, 0, 3, 5)
    got = client.get("q", no_ack=False)
    assert client.call(make(Queue.Purge, queue="q"), Queue.PurgeOk).message_count == 2
    assert client.counts("q") == (0, 0)
    publish(client, 1)
    client.nack(got.delivery_tag)
    assert texts(client.drain("q")) == ["2:5", "0:1"]


def test_deleting_it_takes_all_priorities(harness: BrokerHarness, client: Client) -> None:
    client.declare("q", arguments={"x-max-priority": 5})
    publish(client, 0, 3, 5)
    assert client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk).message_count == 3
    harness.run_work()
    client.declare("q", arguments={"x-max-priority": 5})
    assert client.counts("q") == (0, 0)


def test_a_dead_letter_keeps_its_priority(client: Client) -> None:
    """RabbitMQ: DLX-3."""
    client.declare("dead", arguments={"x-max-priority": 5})
    client.declare("q", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    publish(client, 1, 5, 3)
    for _ in range(3):
        client.reject(client.get("q", no_ack=False).delivery_tag, requeue=False)
    assert texts(client.drain("dead")) == ["1:5", "2:3", "0:1"]
