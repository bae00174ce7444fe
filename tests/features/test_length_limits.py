"""x-max-length, x-max-length-bytes and x-overflow."""

from collections.abc import Callable

import pytest

from leveret.core.settings import QueueSettings
from leveret_protocol.methods import Basic, Confirm, Queue, Tx, make
from tests.harness import BrokerHarness, Client

TO_DEAD = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}


def test_the_oldest_leave_a_full_queue(client: Client) -> None:
    """RabbitMQ: LEN-2."""
    client.declare("q", arguments={"x-max-length": 2})
    for body in (b"1", b"2", b"3"):
        client.publish("", "q", body)
    assert client.drain("q") == [b"2", b"3"]


def test_bytes_of_bodies_are_counted(client: Client) -> None:
    """RabbitMQ: LEN-1, LEN-2: a body beyond the limit empties the queue, itself included."""
    client.declare("q", arguments={"x-max-length-bytes": 10})
    client.publish("", "q", b"12345")
    client.publish("", "q", b"67890")
    assert client.counts("q") == (2, 0)
    client.publish("", "q", b"x" * 11)
    assert client.counts("q") == (0, 0)


def test_what_leaves_is_dead_lettered_as_maxlen(client: Client) -> None:
    client.declare("dead")
    client.declare(
        "q", arguments={"x-max-length": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    )
    client.publish("", "q", b"1")
    client.publish("", "q", b"2")
    letter = client.get("dead")
    assert (letter.body, letter.headers["x-death"][0]["reason"]) == (b"1", "maxlen")


def test_unacked_messages_are_free_until_they_come_back(client: Client) -> None:
    """RabbitMQ: LEN-1."""
    client.declare("q", arguments={"x-max-length": 2})
    tags = []
    for body in (b"1", b"2"):
        client.publish("", "q", body)
        tags.append(client.get("q", no_ack=False).delivery_tag)
    client.publish("", "q", b"3")
    client.publish("", "q", b"4")
    assert client.counts("q") == (2, 0)
    client.nack(tags[-1], multiple=True, requeue=True)
    assert client.drain("q") == [b"3", b"4"]


def test_what_a_limit_brings_to_the_head_expires(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: TTL-2; at once if its time is over, else when it is."""
    client.declare("q", arguments={"x-max-length": 3})
    client.publish("", "q", b"keep")
    client.publish("", "q", b"expired", expiration="1000")
    client.publish("", "q", b"expires", expiration="3000")
    harness.advance(2)
    assert client.counts("q") == (3, 0)
    client.publish("", "q", b"new")
    assert client.counts("q") == (2, 0)
    harness.advance(1)
    assert client.drain("q") == [b"new"]


def test_reject_publish_nacks_the_new_one(client: Client) -> None:
    """RabbitMQ: LEN-4, CFM-5."""
    client.declare("q", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    client.call(make(Confirm.Select), Confirm.SelectOk)
    client.publish("", "q", b"1")
    client.expect(Basic.Ack)
    client.publish("", "q", b"2")
    assert client.expect(Basic.Nack).delivery_tag == 2
    assert client.drain("q") == [b"1"]


def test_reject_publish_dlx_also_dead_letters(client: Client) -> None:
    """RabbitMQ: LEN-5."""
    client.declare("dead")
    arguments = {"x-max-length": 0, "x-overflow": "reject-publish-dlx", "x-dead-letter-exchange": ""}
    client.declare("q", arguments=arguments | {"x-dead-letter-routing-key": "dead"})
    client.publish("", "q", b"1")
    assert (client.drain("q"), client.drain("dead")) == ([], [b"1"])


def test_a_refusal_makes_the_commit_partial(client: Client) -> None:
    """RabbitMQ: TX-4: the accepted ones stay."""
    client.declare("other")
    client.declare("q", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    client.call(make(Tx.Select), Tx.SelectOk)
    client.publish("", "other", b"1")
    client.publish("", "q", b"2")
    client.send(make(Tx.Commit))
    client.expect_channel_close("PRECONDITION_FAILED - partial tx completion", Tx.Commit)
    assert client.counts("other", channel=2) == (1, 0)


def test_a_long_chain_of_full_queues_passes_everything_on(client: Client) -> None:
    """However many queues give a message up one after the other, the last one gets it."""
    links = 250
    for number in range(links):
        to_next = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"q{number + 1}"}
        client.declare(f"q{number}", arguments={"x-max-length": 0} | to_next)
    client.declare(f"q{links}")
    client.publish("", "q0", b"x")
    letter = client.get(f"q{links}")
    assert (letter.body, len(letter.headers["x-death"])) == (b"x", links)


def reasons(client: Client) -> list[tuple[bytes, str]]:
    """Body and reason of the death of everything in `dead`."""
    letters = [client.get("dead") for _ in range(client.counts("dead")[0])]
    return [(letter.body, letter.headers["x-death"][0]["reason"]) for letter in letters]


def test_a_limit_of_0_keeps_what_a_consumer_takes_at_once(client: Client) -> None:
    """RabbitMQ: LEN-3."""
    client.declare("q", arguments={"x-max-length": 0})
    client.qos(1)
    client.consume("q")
    client.publish("", "q", b"1")
    client.publish("", "q", b"2")
    assert client.bodies() == [b"1"]
    client.ack(1)
    client.assert_silent()


def test_a_queue_that_refuses_everything_does_not_look_for_consumers(client: Client) -> None:
    """RabbitMQ: LEN-4."""
    client.declare("q", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    client.consume("q")
    client.publish("", "q", b"1", mandatory=True)
    client.assert_silent()


def test_the_byte_limit_refuses_what_does_not_fit(client: Client) -> None:
    """RabbitMQ: LEN-4; a smaller one may still do."""
    client.declare("q", arguments={"x-max-length-bytes": 10, "x-overflow": "reject-publish"})
    for body in (b"123456", b"12345", b"1234", b""):
        client.publish("", "q", body)
    assert client.drain("q") == [b"123456", b"1234", b""]


def test_whichever_limit_is_reached_first_holds(client: Client) -> None:
    client.declare("q", arguments={"x-max-length": 2, "x-max-length-bytes": 10})
    for body in (b"1", b"2", b"3"):
        client.publish("", "q", body)
    assert client.counts("q") == (2, 0)
    client.publish("", "q", b"123456789")
    assert client.drain("q") == [b"3", b"123456789"]


def test_one_queue_of_several_that_refuses_makes_a_nack(client: Client) -> None:
    """RabbitMQ: CFM-5: the others keep it."""
    client.declare("full", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    client.declare("roomy")
    for queue in ("full", "roomy"):
        client.bind(queue, "amq.fanout")
    client.call(make(Confirm.Select), Confirm.SelectOk)
    client.publish("amq.fanout", "", b"x")
    client.expect(Basic.Nack)
    assert client.drain("roomy") == [b"x"]


class TestRequeue:
    """RabbitMQ: LEN-1: what comes back counts again."""

    def test_what_is_too_much_goes_before_anything_is_delivered_again(self, client: Client) -> None:
        """Seen with 3.10.8: the two that come back stand at the head, so they go."""
        client.declare("dead")
        client.declare("q", arguments=TO_DEAD | {"x-max-length": 2})
        client.qos(2)
        client.consume("q")
        for body in (b"1", b"2", b"3", b"4"):
            client.publish("", "q", body)
        assert client.bodies() == [b"1", b"2"]
        client.nack(2, multiple=True)
        assert client.bodies() == [b"3", b"4"]
        assert reasons(client) == [(b"1", "maxlen"), (b"2", "maxlen")]

    def test_one_that_has_room_is_delivered_again(self, client: Client) -> None:
        client.declare("q", arguments={"x-max-length": 2})
        client.qos(1)
        client.consume("q")
        client.publish("", "q", b"1")
        client.publish("", "q", b"2")
        client.deliveries()
        client.nack(1)
        assert client.bodies() == [b"1"]

    def test_a_queue_that_refuses_takes_everything_back(self, client: Client) -> None:
        """Seen with 3.10.8."""
        client.declare("q", arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
        for body in (b"1", b"2"):
            client.publish("", "q", body)
        tag = [client.get("q", no_ack=False).delivery_tag for _ in range(2)][-1]
        for body in (b"3", b"4"):
            client.publish("", "q", body)
        client.nack(tag, multiple=True)
        client.publish("", "q", b"5")
        assert client.drain("q") == [b"1", b"2", b"3", b"4"]


class TestWithTimeToLive:
    def test_expired_messages_behind_the_head_count(self, harness: BrokerHarness, client: Client) -> None:
        """RabbitMQ: TTL-2, LEN-1."""
        client.declare("q", arguments={"x-max-length": 2})
        client.publish("", "q", b"live")
        client.publish("", "q", b"old", expiration="50")
        harness.advance(1)
        client.publish("", "q", b"new")
        assert client.drain("q") == [b"new"]

    def test_what_has_no_time_and_no_room_dies_for_want_of_room(self, client: Client) -> None:
        """Seen with 3.10.8."""
        client.declare("dead")
        client.declare("q", arguments=TO_DEAD | {"x-max-length": 0, "x-message-ttl": 0})
        client.publish("", "q", b"x")
        assert reasons(client) == [(b"x", "maxlen")]

    @pytest.mark.parametrize("expiration", ["0", "60"])
    def test_what_pushed_the_head_out_has_only_its_own_time(
        self, harness: BrokerHarness, client: Client, expiration: str
    ) -> None:
        """Seen with 3.10.8."""
        client.declare("dead")
        client.declare("q", arguments=TO_DEAD | {"x-max-length": 1})
        client.publish("", "q", b"live")
        client.publish("", "q", b"short", expiration=expiration)
        harness.advance(0.06)
        assert reasons(client) == [(b"live", "maxlen"), (b"short", "expired")]

    def test_what_expired_makes_room_again(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("q", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        client.publish("", "q", b"1", expiration="50")
        client.publish("", "q", b"2")
        harness.advance(0.05)
        client.publish("", "q", b"3")
        assert client.drain("q") == [b"3"]


# What may happen to six bytes in `q`; none of them is ready afterwards.


def got(_harness: BrokerHarness, client: Client) -> None:
    client.get("q")


def got_and_acked(_harness: BrokerHarness, client: Client) -> None:
    client.ack(client.get("q", no_ack=False).delivery_tag)


def delivered(_harness: BrokerHarness, client: Client) -> None:
    client.send(make(Basic.Consume, queue="q", consumer_tag="c", no_ack=True), make(Basic.Cancel, consumer_tag="c"))
    client.received()


def requeued_and_got(_harness: BrokerHarness, client: Client) -> None:
    client.nack(client.get("q", no_ack=False).delivery_tag)
    client.get("q")


def purged(_harness: BrokerHarness, client: Client) -> None:
    client.call(make(Queue.Purge, queue="q"), Queue.PurgeOk)


def expired(harness: BrokerHarness, _client: Client) -> None:
    harness.advance(60)


def requeued_and_expired(harness: BrokerHarness, client: Client) -> None:
    tag = client.get("q", no_ack=False).delivery_tag
    harness.advance(60)
    client.nack(tag)


def pushed_out(_harness: BrokerHarness, client: Client) -> None:
    client.publish("", "q", bytes(11))


def rejected_and_purged(_harness: BrokerHarness, client: Client) -> None:
    tag = client.get("q", no_ack=False).delivery_tag
    client.call(make(Queue.Purge, queue="q"), Queue.PurgeOk)
    client.reject(tag, requeue=False)


WAYS = [
    got, got_and_acked, delivered, requeued_and_got, purged, expired, requeued_and_expired, pushed_out,
    rejected_and_purged,
]  # fmt: skip


@pytest.mark.parametrize("leave", WAYS)
@pytest.mark.parametrize("arguments", [{}, {"x-max-priority": 3}])
def test_a_queue_of_ten_bytes_takes_ten_bytes_after(
    harness: BrokerHarness, client: Client, leave: Callable[[BrokerHarness, Client], None], arguments: dict[str, int]
) -> None:
    """RabbitMQ: LEN-1: of the bodies that are ready."""
    client.declare("q", arguments=arguments | {"x-max-length-bytes": 10, "x-message-ttl": 60000})
    client.publish("", "q", b"123456", priority=2)
    leave(harness, client)
    assert client.counts("q") == (0, 0)
    client.publish("", "q", b"12345", priority=1)
    client.publish("", "q", b"67890")
    assert client.counts("q") == (2, 0)
    client.publish("", "q", b"!")
    assert client.drain("q") == [b"67890", b"!"]


def test_a_limit_that_comes_later_holds_on_every_way_in(harness: BrokerHarness, client: Client, other: Client) -> None:
    """Connections remember the ways of their messages; without limits a queue has a quicker one."""
    client.declare("q")
    for publisher in (client, other):
        publisher.publish("", "q", b"1")
    harness.node.vhost("/").queues["q"].apply(QueueSettings(max_length=1))
    for publisher in (client, other):
        publisher.publish("", "q", b"2")
        assert client.counts("q") == (1, 0)
    harness.node.vhost("/").queues["q"].apply(QueueSettings())
    client.publish("", "q", b"3")
    assert client.drain("q") == [b"2", b"3"]


def test_a_limit_of_bytes_that_comes_while_a_backlog_is_delivered(harness: BrokerHarness, client: Client) -> None:
    """What the rest of it weighs is known when it is gone."""
    client.declare("q")
    client.send_bytes(client.published("", "q", b"x") * 1000)
    client.consume("q", "tag", no_ack=True)
    harness.node.vhost("/").queues["q"].apply(QueueSettings(max_length_bytes=900))
    harness.run_work()
    assert len(client.deliveries()) == 1000
    client.cancel("tag")
    client.send_bytes(client.published("", "q", b"x") * 901)
    assert client.counts("q") == (900, 0)
