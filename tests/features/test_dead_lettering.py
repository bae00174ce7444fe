"""Dead-lettering: what a queue gives up goes on, and its headers say why."""

from typing import Any

from leveret_protocol.fields import Field
from tests.harness import Client, Received

TO_DEAD = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}


def rejected_letter(client: Client, **properties: Any) -> Received:
    """Publish to `work`, reject it, and take what came into `dead`."""
    client.publish("", "work", b"x", **properties)
    client.reject(client.get("work", no_ack=False).delivery_tag, requeue=False)
    return client.get("dead")


def test_a_rejected_message_carries_its_death(client: Client) -> None:
    """RabbitMQ: DLX-4, DLX-6."""
    client.declare("dead")
    client.declare("work", arguments=TO_DEAD)
    letter = rejected_letter(client, message_id="m")
    (death,) = letter.headers.pop("x-death")
    assert death == {
        "count": 1, "reason": "rejected", "queue": "work", "time": 1_700_000_000, "exchange": "",
        "routing-keys": ["work"],
    }  # fmt: skip
    story = {f"x-{which}-death-{what}" for which in ("first", "last") for what in ("reason", "queue", "exchange")}
    assert story <= set(letter.headers)
    assert (letter.body, letter.properties.message_id) == (b"x", "m")


def test_expiration_is_removed_and_remembered(client: Client) -> None:
    """RabbitMQ: DLX-3, DLX-4."""
    client.declare("dead")
    client.declare("work", arguments=TO_DEAD)
    letter = rejected_letter(client, expiration="60000")
    assert letter.properties.expiration is None
    assert letter.headers["x-death"][0]["original-expiration"] == "60000"


def test_requeued_messages_are_not_dead(client: Client) -> None:
    client.declare("dead")
    client.declare("work", arguments=TO_DEAD)
    client.publish("", "work", b"x")
    client.reject(client.get("work", no_ack=False).delivery_tag, requeue=True)
    assert (client.counts("work"), client.counts("dead")) == ((1, 0), (0, 0))


def test_dying_again_counts_in_the_same_entry(client: Client) -> None:
    """RabbitMQ: DLX-5; a rejection may go round for ever (DLX-7)."""
    client.declare("work", arguments={"x-dead-letter-exchange": ""})
    client.publish("", "work", b"x")
    for count in (1, 2, 3):
        client.reject(client.get("work", no_ack=False).delivery_tag, requeue=False)
        letter = client.get("work", no_ack=False)
        assert [death["count"] for death in letter.headers["x-death"]] == [count]
        client.reject(letter.delivery_tag, requeue=True)


def test_a_cycle_without_a_rejection_ends(client: Client) -> None:
    """RabbitMQ: DLX-7: what a full queue pushes out does not come back into it."""
    client.declare("full", arguments={"x-dead-letter-exchange": "", "x-max-length": 1})
    client.publish("", "full", b"1")
    client.publish("", "full", b"2")
    assert client.drain("full") == [b"2"]


def test_a_published_history_is_not_believed(client: Client) -> None:
    """RabbitMQ: DLX-8, VER-13 (4.0)."""
    client.declare("dead")
    client.declare("work", arguments=TO_DEAD)
    forged = {"count": Field("l", 5), "reason": "rejected", "queue": "work"}
    letter = rejected_letter(client, headers={"x-death": [forged]})
    assert [death["count"] for death in letter.headers["x-death"]] == [1]


def test_a_missing_dead_letter_exchange_drops_silently(client: Client) -> None:
    """RabbitMQ: DLX-1."""
    client.declare("work", arguments={"x-dead-letter-exchange": "nosuch"})
    client.publish("", "work", b"x")
    client.reject(client.get("work", no_ack=False).delivery_tag, requeue=False)
    assert client.counts("work") == (0, 0)


def test_acks_for_a_deleted_queue_do_not_dead_letter(client: Client) -> None:
    """RabbitMQ: QU-35."""
    client.declare("dead")
    client.declare("work", arguments=TO_DEAD, auto_delete=True)
    client.consume("work", consumer_tag="c")
    client.publish("", "work", b"x")
    (delivery,) = client.received()
    client.cancel("c")
    client.reject(delivery.delivery_tag, requeue=False)
    assert client.counts("dead") == (0, 0)
