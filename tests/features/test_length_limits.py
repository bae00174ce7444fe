"""x-max-length, x-max-length-bytes and x-overflow."""

from leveret_protocol.methods import Basic, Confirm, Tx, make
from tests.harness import BrokerHarness, Client


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


def test_what_comes_back_is_over_the_limit_before_a_consumer_can_have_it(client: Client) -> None:
    """RabbitMQ: LEN-1."""
    client.declare("q", arguments={"x-max-length": 2})
    client.qos(2)
    client.consume("q")
    for body in (b"1", b"2", b"3", b"4"):
        client.publish("", "q", body)
    assert client.bodies() == [b"1", b"2"]
    client.nack(2, multiple=True, requeue=True)
    assert client.bodies() == [b"3", b"4"]


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
    links = 400
    for number in range(links):
        to_next = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"q{number + 1}"}
        client.declare(f"q{number}", arguments={"x-max-length": 0} | to_next)
    client.declare(f"q{links}")
    client.publish("", "q0", b"x")
    letter = client.get(f"q{links}")
    assert (letter.body, len(letter.headers["x-death"])) == (b"x", links)
