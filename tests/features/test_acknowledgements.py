"""basic.ack, reject, nack and recover: which tags they mean, and what becomes of the messages."""

from collections.abc import Callable

import pytest

from leveret_protocol.methods import Basic, Frame, Queue, Tx, make
from tests.harness import Client

Settling = Callable[[int, bool], Frame]


def ack(tag: int, multiple: bool) -> Frame:
    return make(Basic.Ack, delivery_tag=tag, multiple=multiple)


def nack(tag: int, multiple: bool) -> Frame:
    return make(Basic.Nack, delivery_tag=tag, multiple=multiple)


def nack_requeue(tag: int, multiple: bool) -> Frame:
    return make(Basic.Nack, delivery_tag=tag, multiple=multiple, requeue=True)


def unknown(tag: int) -> str:
    return f"PRECONDITION_FAILED - unknown delivery tag {tag}"


@pytest.fixture
def client(client: Client) -> Client:
    """With ten messages, 0 to 9, in a queue."""
    client.declare("q")
    client.send_bytes(b"".join(client.published("", "q", b"%d" % number) for number in range(10)))
    return client


def take(client: Client, count: int) -> list[int]:
    """Get that many; answers their tags."""
    return [client.get("q", no_ack=False).delivery_tag for _ in range(count)]


def ready(client: Client) -> str:
    """What other channels would get now."""
    return b"".join(client.drain("q", channel=2)).decode()


def outstanding(client: Client) -> str:
    """What the channel gives back when it ends."""
    ready(client)
    client.close_channel()
    return ready(client)


@pytest.mark.parametrize("settling", [ack, nack, nack_requeue], ids=lambda settling: settling.__name__)
class TestUnknownTags:
    """RabbitMQ: B-34."""

    def test_above_the_last(self, client: Client, settling: Settling) -> None:
        take(client, 1)
        client.refused(settling(2, False), unknown(2))

    def test_above_the_last_even_with_multiple(self, client: Client, settling: Settling) -> None:
        take(client, 3)
        client.refused(settling(99, True), unknown(99))

    def test_zero_without_multiple(self, client: Client, settling: Settling) -> None:
        take(client, 1)
        client.refused(settling(0, False), unknown(0))

    def test_twice(self, client: Client, settling: Settling) -> None:
        take(client, 2)
        client.send(settling(1, False))
        client.refused(settling(1, False), unknown(1))

    def test_twice_with_multiple(self, client: Client, settling: Settling) -> None:
        """RabbitMQ: B-35: it must itself be outstanding."""
        take(client, 4)
        client.send(settling(2, False))
        client.send(settling(4, True))
        client.refused(settling(4, True), unknown(4))

    def test_settled_although_lower_ones_are_not(self, client: Client, settling: Settling) -> None:
        take(client, 3)
        client.send(settling(3, False))
        client.refused(settling(3, True), unknown(3))

    def test_without_acks(self, client: Client, settling: Settling) -> None:
        client.get("q", no_ack=True)
        client.refused(settling(1, False), unknown(1))

    def test_of_another_channel(self, client: Client, settling: Settling) -> None:
        take(client, 1)
        client.refused(settling(1, False), unknown(1), channel=2)

    def test_2_to_the_64(self, client: Client, settling: Settling) -> None:
        client.refused(settling(2**64 - 1, True), unknown(2**64 - 1))


def test_reject_of_an_unknown_tag(client: Client) -> None:
    """RabbitMQ: B-34, 60/90."""
    client.refused(make(Basic.Reject, delivery_tag=7), unknown(7))


def test_the_refusal_gives_back_what_the_channel_held(client: Client) -> None:
    take(client, 3)
    client.refused(ack(99, False), unknown(99))
    assert ready(client) == "0123456789"


def test_ack_settles_one(client: Client) -> None:
    take(client, 4)
    client.ack(2)
    assert outstanding(client) == "023"


def test_ack_multiple_settles_all_up_to_the_tag(client: Client) -> None:
    """RabbitMQ: B-35."""
    take(client, 5)
    client.ack(2)
    client.ack(4, multiple=True)
    assert outstanding(client) == "4"


def test_ack_multiple_out_of_order_leaves_nothing_behind(client: Client) -> None:
    take(client, 6)
    client.ack(3, multiple=True)
    client.ack(5)
    client.ack(6, multiple=True)
    assert outstanding(client) == ""


def test_tag_0_with_multiple_is_everything(client: Client) -> None:
    """RabbitMQ: B-36; fine when there is nothing."""
    take(client, 4)
    client.ack(0, multiple=True)
    client.ack(0, multiple=True)
    client.nack(0, multiple=True)
    client.assert_silent()
    assert outstanding(client) == ""


def test_tags_go_on_after_everything_was_acked(client: Client) -> None:
    take(client, 2)
    client.ack(0, multiple=True)
    assert take(client, 2) == [3, 4]
    client.ack(4, multiple=True)
    assert outstanding(client) == ""


def test_acks_are_for_deliveries_of_all_queues_of_the_channel(client: Client) -> None:
    client.declare("other")
    client.publish("", "other", b"o")
    client.get("other", no_ack=False)
    take(client, 1)
    client.ack(2, multiple=True)
    assert outstanding(client) == ""
    assert client.counts("other", channel=2) == (0, 0)


@pytest.mark.parametrize("requeue", [True, False])
def test_reject_means_one_message(client: Client, requeue: bool) -> None:
    """RabbitMQ: B-38, B-40."""
    take(client, 3)
    client.reject(2, requeue=requeue)
    assert client.counts("q") == (8 if requeue else 7, 0)
    assert ready(client) == ("13456789" if requeue else "3456789")


def test_requeued_messages_go_back_to_their_place(client: Client) -> None:
    """RabbitMQ: B-38: with 0 to 3 out, nack of 1 makes the next gets 1, 4, 5."""
    take(client, 4)
    client.nack(2)
    assert [client.get("q").body for _ in range(3)] == [b"1", b"4", b"5"]


def test_rejecting_in_reverse_restores_the_order(client: Client) -> None:
    """RabbitMQ: B-38."""
    for tag in reversed(take(client, 6)):
        client.reject(tag, requeue=True)
    assert ready(client) == "0123456789"


def test_nack_multiple_puts_all_back_in_order(client: Client) -> None:
    take(client, 5)
    client.nack(4, multiple=True)
    assert ready(client) == "012356789"


def test_nack_without_requeue_drops(client: Client) -> None:
    """RabbitMQ: B-40."""
    take(client, 5)
    client.nack(4, multiple=True, requeue=False)
    assert ready(client) == "56789"
    assert outstanding(client) == "4"


def test_a_requeued_message_may_come_to_the_same_consumer_at_once(client: Client) -> None:
    """RabbitMQ: B-39."""
    client.consume("q", "tag")
    client.deliveries()
    client.reject(3, requeue=True)
    (again,) = client.deliveries()
    assert (again.body, again.delivery_tag, again.redelivered) == (b"2", 11, True)


def test_a_requeued_message_goes_to_the_next_consumer_in_turn(client: Client, other: Client) -> None:
    client.consume("q", "tag")
    client.deliveries()
    other.consume("q", "tag")
    client.publish("", "q", b"mine again")
    assert client.bodies() == [b"mine again"]
    client.nack(1)
    assert other.bodies() == [b"0"]


def test_purging_leaves_what_is_out(client: Client) -> None:
    take(client, 2)
    client.nack(2)
    assert client.call(make(Queue.Purge, queue="q"), Queue.PurgeOk).message_count == 9
    assert outstanding(client) == "0"


class TestRecover:
    def test_all_outstanding_comes_again_after_recover_ok(self, client: Client) -> None:
        """RabbitMQ: B-42, with new tags."""
        client.consume("q", "tag")
        client.deliveries()
        client.ack(1)
        client.send(make(Basic.Recover, requeue=True))
        first, *again = client.received()
        assert isinstance(first.method, Basic.RecoverOk)
        assert [it.body for it in again] == [b"%d" % number for number in range(1, 10)]
        assert [it.delivery_tag for it in again] == list(range(11, 20))
        assert all(it.redelivered for it in again)
        client.refused(ack(2, False), unknown(2))

    def test_recover_async_has_no_reply(self, client: Client) -> None:
        """RabbitMQ: B-42."""
        take(client, 3)
        client.send(make(Basic.RecoverAsync, requeue=True))
        client.assert_silent()
        assert ready(client) == "0123456789"

    def test_nothing_outstanding_is_fine(self, client: Client) -> None:
        client.call(make(Basic.Recover, requeue=True), Basic.RecoverOk)

    @pytest.mark.parametrize("cls", [Basic.Recover, Basic.RecoverAsync])
    def test_it_is_not_implemented_without_requeue(self, client: Client, cls: type[Frame]) -> None:
        """RabbitMQ: B-42, 60/110 and 60/100."""
        client.send(make(cls))
        client.expect_connection_close("NOT_IMPLEMENTED - requeue=false", cls)


class TestAcksInARow:
    """Many single acks in one read are taken together; what comes of them is the same."""

    @staticmethod
    def acks(*tags: int) -> list[Frame]:
        return [ack(tag, False) for tag in tags]

    def test_each_settles_its_own(self, client: Client) -> None:
        take(client, 6)
        client.send(*self.acks(5, 1, 3))
        assert outstanding(client) == "135"

    def test_those_before_an_unknown_one_count_and_those_after_it_do_not(self, client: Client) -> None:
        take(client, 6)
        client.send(*self.acks(1, 2, 77, 3))
        client.expect_channel_close(unknown(77), Basic.Ack)
        assert ready(client) == "23456789"

    def test_consumers_get_their_room_back(self, client: Client) -> None:
        client.qos(3)
        client.consume("q")
        assert client.bodies() == [b"0", b"1", b"2"]
        client.send(*self.acks(1, 2))
        assert client.bodies() == [b"3", b"4"]
        client.send(*self.acks(4, 3, 5))
        assert client.bodies() == [b"5", b"6", b"7"]

    def test_in_a_transaction_they_wait_for_the_commit(self, client: Client) -> None:
        client.call(make(Tx.Select), Tx.SelectOk)
        take(client, 4)
        client.send(*self.acks(1, 2))
        client.call(make(Tx.Rollback), Tx.RollbackOk)
        client.send(*self.acks(1, 3))
        client.call(make(Tx.Commit), Tx.CommitOk)
        assert outstanding(client) == "13"
