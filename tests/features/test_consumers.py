"""basic.consume and basic.cancel: tags, turns, exclusive use, and the end of a consumer."""

import re

import pytest

from leveret_protocol.methods import Basic, Queue, encode_method, make
from tests.harness import BrokerHarness, Client


def consume(queue: str = "q", **fields: object) -> Basic.Consume:
    return make(Basic.Consume, queue=queue, **fields)


def test_an_empty_tag_is_made_by_the_broker(client: Client) -> None:
    """RabbitMQ: B-9."""
    client.declare("q")
    tags = {client.consume("q"), client.consume("q")}
    assert len(tags) == 2
    assert all(re.fullmatch(r"amq\.ctag-[A-Za-z0-9_-]{22}", tag) for tag in tags)


def test_a_tag_is_unique_on_its_channel_and_free_after_cancel(client: Client, other: Client) -> None:
    """RabbitMQ: B-10."""
    client.declare("q")
    for channel in (1, 2):
        assert client.consume("q", "tag", channel=channel) == "tag"
    other.consume("q", "tag")
    client.cancel("tag")
    client.consume("q", "tag")
    client.send(consume(consumer_tag="tag"))
    client.expect_connection_close("NOT_ALLOWED - attempt to reuse consumer tag 'tag'", Basic.Consume)


def test_a_tag_is_free_after_the_broker_cancelled(client: Client, other: Client) -> None:
    """RabbitMQ: B-10."""
    client.declare("q")
    client.consume("q", "tag")
    other.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
    client.expect(Basic.Cancel)
    client.declare("q")
    client.consume("q", "tag")


def test_consume_ok_comes_before_the_first_delivery(client: Client) -> None:
    """RabbitMQ: B-11."""
    client.declare("q")
    client.publish("", "q", b"waits")
    client.send(consume())
    assert [type(it.method) for it in client.received()] == [Basic.ConsumeOk, Basic.Deliver]


def test_with_nowait_deliveries_begin_without_consume_ok(client: Client) -> None:
    """RabbitMQ: B-11; the deliveries tell the tag."""
    client.declare("q")
    client.publish("", "q", b"waits")
    client.send(consume(nowait=True))
    (delivery,) = client.deliveries()
    assert isinstance(delivery.method, Basic.Deliver)
    assert str(delivery.method.consumer_tag).startswith("amq.ctag-")


def test_a_delivery_says_where_it_comes_from(client: Client) -> None:
    client.declare("q")
    client.bind("q", "amq.topic", "a.*")
    client.consume("q", "tag")
    client.publish("amq.topic", "a.b", b"x", message_id="7")
    (delivery,) = client.deliveries()
    assert isinstance(delivery.method, Basic.Deliver)
    method = delivery.method
    assert (method.consumer_tag, method.exchange, method.routing_key) == ("tag", "amq.topic", "a.b")
    assert (method.delivery_tag, method.redelivered) == (1, False)
    assert (delivery.body, delivery.properties.message_id) == (b"x", "7")


def test_delivery_tags_count_per_channel_over_all_that_is_handed_out(client: Client) -> None:
    """RabbitMQ: B-21: deliveries with and without acks, and gets."""
    for queue in ("acked", "unacked", "got"):
        client.declare(queue)
    client.consume("acked", no_ack=True)
    client.consume("unacked")
    client.publish("", "acked")
    client.publish("", "unacked")
    assert [it.delivery_tag for it in client.deliveries()] == [1, 2]
    client.publish("", "got")
    assert client.get("got").delivery_tag == 3
    client.publish("", "got")
    assert client.get("got", channel=2).delivery_tag == 1


def test_a_missing_queue_is_refused(client: Client) -> None:
    """RabbitMQ: B-17."""
    client.refused(consume(), "NOT_FOUND - no queue 'q' in vhost '/'")


def test_a_connection_gets_its_own_messages_whatever_no_local_says(client: Client) -> None:
    """RabbitMQ: B-15."""
    client.declare("q")
    client.consume("q", no_local=True)
    client.publish("", "q", b"mine")
    assert client.bodies() == [b"mine"]


def test_consumers_of_a_queue_take_turns(client: Client) -> None:
    """RabbitMQ: B-20."""
    client.declare("q")
    for tag in ("a", "b", "c"):
        client.consume("q", tag)
    for _ in range(6):
        client.publish("", "q")
    assert tags(client) == ["a", "b", "c", "a", "b", "c"]


def test_consumers_of_a_queue_take_turns_without_acks(client: Client) -> None:
    client.declare("q")
    for tag in ("a", "b", "c"):
        client.consume("q", tag, no_ack=True)
    for _ in range(6):
        client.publish("", "q")
    assert tags(client) == ["a", "b", "c", "a", "b", "c"]


def tags(*clients: Client) -> list[str]:
    """The consumer tags of the deliveries that have come."""
    deliveries = [it.method for client in clients for it in client.deliveries()]
    return [str(method.consumer_tag) for method in deliveries if isinstance(method, Basic.Deliver)]


class TestCancel:
    def test_after_cancel_ok_nothing_comes(self, client: Client) -> None:
        """RabbitMQ: B-12."""
        client.declare("q")
        client.consume("q", "tag")
        client.cancel("tag")
        client.publish("", "q", b"x")
        client.assert_silent()
        assert client.counts("q") == (1, 0)

    def test_an_unknown_tag_is_no_error(self, client: Client) -> None:
        """RabbitMQ: B-12."""
        assert client.call(make(Basic.Cancel, consumer_tag="what"), Basic.CancelOk).consumer_tag == "what"

    def test_tags_of_other_channels_are_unknown(self, client: Client) -> None:
        client.declare("q")
        client.consume("q", "tag", channel=2)
        client.cancel("tag")
        assert client.counts("q") == (0, 1)

    def test_what_was_delivered_stays_unacked_and_can_be_acked(self, client: Client) -> None:
        """RabbitMQ: B-12."""
        client.declare("q")
        client.consume("q", "tag")
        client.publish("", "q", b"x")
        (delivery,) = client.deliveries()
        client.cancel("tag")
        assert client.counts("q") == (0, 0)
        client.ack(delivery.delivery_tag)
        client.assert_silent()
        client.close_channel()
        assert client.counts("q", channel=2) == (0, 0)

    def test_others_get_what_it_would_have_got(self, client: Client) -> None:
        client.declare("q")
        client.consume("q", "a")
        client.consume("q", "b")
        client.cancel("a")
        for _ in range(3):
            client.publish("", "q")
        assert tags(client) == ["b", "b", "b"]

    def test_cancel_ok_from_a_client_ends_its_consumer(self, client: Client) -> None:
        """RabbitMQ: from 4.3 (VER-32)."""
        client.declare("q")
        client.consume("q", "tag")
        client.send(make(Basic.CancelOk, consumer_tag="tag"))
        client.assert_silent()
        assert client.counts("q") == (0, 0)


class TestCancelByTheBroker:
    def test_consumers_are_told_that_their_queue_is_deleted(self, client: Client, other: Client) -> None:
        """RabbitMQ: B-13."""
        client.declare("q")
        client.consume("q", "tag")
        other.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
        cancel = client.expect(Basic.Cancel)
        assert (cancel.consumer_tag, cancel.nowait) == ("tag", True)

    @pytest.mark.parametrize("capabilities", [{}, {"consumer_cancel_notify": False}])
    def test_clients_that_did_not_ask_for_it_are_not_told(
        self, harness: BrokerHarness, capabilities: dict[str, bool]
    ) -> None:
        """RabbitMQ: B-13."""
        client = harness.connect(capabilities=capabilities)
        client.declare("q")
        client.consume("q", "tag")
        client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
        client.declare("q")
        client.consume("q", "tag")

    def test_all_connections_are_told(self, harness: BrokerHarness, client: Client, other: Client) -> None:
        client.declare("q")
        third = harness.connect()
        for consumer in (other, third):
            consumer.consume("q", "tag")
        client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
        for consumer in (other, third):
            assert consumer.expect(Basic.Cancel).consumer_tag == "tag"

    def test_consumers_of_an_exclusive_queue_are_not_told_when_its_connection_ends(
        self, client: Client, other: Client
    ) -> None:
        """They can only be its own."""
        client.declare("q", exclusive=True)
        client.consume("q", "tag")
        client.close()
        assert not other.has_queue("q")

    def test_an_auto_delete_queue_that_goes_has_nobody_to_tell(self, client: Client, other: Client) -> None:
        client.declare("q", auto_delete=True)
        client.consume("q", "tag")
        client.cancel("tag")
        client.assert_silent()
        assert not other.has_queue("q")

    def test_other_consumers_of_the_channel_go_on(self, client: Client, other: Client) -> None:
        """Also under a limit that the deleted queue's messages had used up, once those are settled."""
        for queue in ("gone", "left"):
            client.declare(queue)
        client.qos(1, global_=True)
        client.consume("gone", "g")
        client.consume("left", "l")
        client.publish("", "gone")
        client.publish("", "left")
        assert tags(client) == ["g"]
        other.call(make(Queue.Delete, queue="gone"), Queue.DeleteOk)
        client.expect(Basic.Cancel)
        client.ack(1)
        assert tags(client) == ["l"]

    def test_the_channel_that_deletes_gets_delete_ok_first(self, client: Client) -> None:
        """RabbitMQ: QU-32."""
        client.declare("q")
        client.consume("q", "a")
        client.consume("q", "b")
        client.send(make(Queue.Delete, queue="q"))
        assert [type(it.method) for it in client.received()] == [Queue.DeleteOk, Basic.Cancel, Basic.Cancel]

    def test_a_cancelled_consumer_is_told_once(self, client: Client) -> None:
        client.declare("q")
        client.consume("q", "tag")
        client.send(make(Queue.Delete, queue="q"), make(Basic.Cancel, consumer_tag="tag"))
        assert [type(it.method) for it in client.received()] == [Queue.DeleteOk, Basic.Cancel, Basic.CancelOk]

    def test_what_it_held_can_still_be_acked(self, client: Client, other: Client) -> None:
        """RabbitMQ: QU-35."""
        client.declare("q")
        client.consume("q", "tag")
        client.publish("", "q", b"1")
        client.publish("", "q", b"2")
        client.publish("", "q", b"3")
        client.deliveries()
        other.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
        client.expect(Basic.Cancel)
        client.ack(1)
        client.nack(2)
        client.reject(3, requeue=False)
        client.assert_silent()
        client.declare("q")
        assert client.counts("q") == (0, 0)


class TestExclusive:
    TEXT = "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"

    def test_nobody_consumes_beside_an_exclusive_consumer(self, client: Client, other: Client) -> None:
        """RabbitMQ: B-14."""
        client.declare("q")
        client.consume("q", "tag", exclusive=True)
        client.refused(consume(), self.TEXT, channel=2)
        other.refused(consume(), self.TEXT)
        other.refused(consume(exclusive=True), self.TEXT)

    def test_nobody_becomes_exclusive_beside_others(self, client: Client, other: Client) -> None:
        """RabbitMQ: B-14."""
        client.declare("q")
        client.consume("q", "tag")
        client.refused(consume(exclusive=True), self.TEXT, channel=2)
        other.refused(consume(exclusive=True), self.TEXT)

    def test_getting_is_not_affected(self, client: Client, other: Client) -> None:
        """RabbitMQ: B-14."""
        client.declare("q")
        client.qos(1)
        client.consume("q", "tag", exclusive=True)
        client.publish("", "q", b"1")
        client.publish("", "q", b"2")
        assert other.get("q").body == b"2"

    def test_a_channel_that_is_refused_may_try_again(self, client: Client, other: Client) -> None:
        client.declare("q")
        other.consume("q", "tag", exclusive=True)
        client.refused(consume(consumer_tag="mine"), self.TEXT)
        other.close_channel()
        client.consume("q", "mine", exclusive=True)
        client.publish("", "q", b"x")
        assert client.bodies() == [b"x"]

    def test_a_queue_of_the_same_name_is_another_queue(self, client: Client, other: Client) -> None:
        client.declare("q")
        other.consume("q", "tag", exclusive=True)
        client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
        client.declare("q")
        client.consume("q", "tag", exclusive=True)

    def test_it_ends_with_its_consumer(self, client: Client, other: Client) -> None:
        client.declare("q")
        client.consume("q", "tag", exclusive=True)
        client.cancel("tag")
        other.consume("q", "tag", exclusive=True)
        other.lose()
        client.consume("q", "tag")

    def test_a_refused_consumer_gets_nothing(self, client: Client, other: Client) -> None:
        client.declare("q")
        client.consume("q", "tag", exclusive=True)
        other.refused(consume(), self.TEXT)
        client.publish("", "q", b"x")
        assert client.bodies() == [b"x"]
        other.assert_silent()


class TestBacklog:
    def test_a_long_backlog_comes_in_slices_and_in_order(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("q")
        bodies = [b"%d" % number for number in range(1000)]
        client.send_bytes(b"".join(client.published("", "q", body) for body in bodies))
        client.consume("q", no_ack=True)
        first = client.bodies()
        assert 0 < len(first) < 1000
        assert harness.run_work() > 1
        assert first + client.bodies() == bodies

    def test_what_is_published_meanwhile_stays_behind_it(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("q")
        client.send_bytes(client.published("", "q", b"old") * 600)
        client.consume("q", no_ack=True)
        client.publish("", "q", b"new")
        harness.run_work()
        assert client.bodies() == [b"old"] * 600 + [b"new"]

    def test_a_consumer_that_goes_meanwhile_leaves_the_rest(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("q")
        client.send_bytes(client.published("", "q", b"x") * 1000)
        client.consume("q", "tag", no_ack=True)
        taken = len(client.deliveries())
        client.cancel("tag")
        harness.run_work()
        client.assert_silent()
        assert client.counts("q") == (1000 - taken, 0)

    def test_a_queue_deleted_meanwhile_delivers_no_more(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("q")
        client.send_bytes(client.published("", "q", b"x") * 1000)
        client.consume("q", "tag", no_ack=True)
        client.deliveries()
        client.send(make(Queue.Delete, queue="q"))
        client.received()
        harness.run_work()
        client.assert_silent()

    def test_large_messages_make_smaller_slices(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("q")
        for _ in range(20):
            client.publish("", "q", bytes(100_000))
        client.consume("q", no_ack=True)
        assert len(client.deliveries()) < 20
        harness.run_work()
        client.deliveries()
        assert client.counts("q")[0] == 0

    def test_purging_a_backlog_is_done_at_once(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("q")
        client.send_bytes(client.published("", "q", b"x") * 10_000)
        assert client.call(make(Queue.Purge, queue="q"), Queue.PurgeOk).message_count == 10_000
        client.publish("", "q", b"new")
        harness.run_work()
        assert client.drain("q") == [b"new"]


def test_publish_and_consume_in_one_piece(client: Client) -> None:
    client.declare("q")
    client.send_bytes(client.published("", "q", b"1") + encode_method(1, consume()) + client.published("", "q", b"2"))
    first, *deliveries = client.received()
    assert isinstance(first.method, Basic.ConsumeOk)
    assert [it.body for it in deliveries] == [b"1", b"2"]
