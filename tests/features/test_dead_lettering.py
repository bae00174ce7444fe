"""Dead-lettering: what a queue gives up goes on, and its headers say why."""

from typing import Any

import pytest

from leveret_protocol.fields import Field
from leveret_protocol.methods import Basic, Confirm, Queue, Tx, make
from tests.harness import BrokerHarness, Client, Received

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


# -- all reasons


def to(queue: str, **more: object) -> dict[str, object]:
    """Arguments that dead-letter to that queue. more: as `x_message_ttl`."""
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue} | named


def reject(client: Client, queue: str) -> None:
    client.reject(client.get(queue, no_ack=False).delivery_tag, requeue=False)


# What it takes for a message in a queue to die: the queue's argument, and what is to be done.
ARGUMENTS = {"rejected": {}, "expired": {"x_message_ttl": 1000}, "maxlen": {"x_max_length": 0}}


def let_die(harness: BrokerHarness, client: Client, queue: str, reason: str) -> None:
    if reason == "rejected":
        reject(client, queue)
    elif reason == "expired":
        harness.advance(1)


@pytest.mark.parametrize("reason", ARGUMENTS)
def test_the_entry_of_each_reason(harness: BrokerHarness, client: Client, reason: str) -> None:
    """RabbitMQ: DLX-4, DLX-6; the fields in their order, with their types."""
    client.declare("dead")
    client.declare("work", arguments=to("dead", **ARGUMENTS[reason]))
    client.bind("work", "amq.topic", "a.#")
    harness.advance(0.5)
    client.publish("amq.topic", "a.b", b"x", headers={"z": 1})
    let_die(harness, client, "work", reason)
    headers = client.get("dead").properties.headers
    assert headers is not None
    assert list(headers) == [
        "x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason", "x-last-death-exchange",
        "x-last-death-queue", "x-last-death-reason", "z",
    ]  # fmt: skip
    died_at = 1_700_000_000 + (reason == "expired")
    death = {
        "count": Field("l", 1), "reason": Field("S", reason), "queue": Field("S", "work"),
        "time": Field("T", died_at), "exchange": Field("S", "amq.topic"),
        "routing-keys": Field("A", [Field("S", "a.b")]),
    }  # fmt: skip
    assert headers["x-death"] == Field("A", [Field("F", death)])
    assert isinstance(headers["x-death"].value, list)
    assert list(headers["x-death"].value[0].value) == list(death)
    for which in ("first", "last"):
        told = [headers[f"x-{which}-death-{what}"] for what in ("reason", "queue", "exchange")]
        assert told == [Field("S", reason), Field("S", "work"), Field("S", "amq.topic")]


@pytest.mark.parametrize("reason", ARGUMENTS)
def test_everything_else_of_the_message_stays(harness: BrokerHarness, client: Client, reason: str) -> None:
    """RabbitMQ: DLX-3."""
    client.declare("dead")
    client.declare("work", arguments=to("dead", **ARGUMENTS[reason]))
    properties = {
        "content_type": "text/plain", "content_encoding": "utf-8", "delivery_mode": 2, "priority": 3,
        "correlation_id": "c", "reply_to": "r", "message_id": "m", "timestamp": 7, "type": "t",
        "user_id": "guest", "app_id": "a",
    }  # fmt: skip
    client.publish("", "work", b"body", **properties)
    let_die(harness, client, "work", reason)
    letter = client.get("dead")
    assert letter.body == b"body"
    assert {name: getattr(letter.properties, name) for name in properties} == properties
    assert isinstance(letter.method, Basic.GetOk)
    assert (letter.method.exchange, letter.method.routing_key, letter.redelivered) == ("", "dead", False)


def test_a_message_that_dies_in_three_queues(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: DLX-4: the newest first; DLX-6: the first death for good, the last one each time."""
    client.declare("end")
    client.declare("one", arguments=to("two"))
    client.declare("two", arguments=to("three", x_message_ttl=1000))
    client.declare("three", arguments=to("end", x_max_length=0))
    client.publish("", "one", b"x", expiration="60000")
    reject(client, "one")
    harness.advance(1)
    headers = client.get("end").headers
    deaths = [(death["queue"], death["reason"], death["count"], death["time"]) for death in headers["x-death"]]
    assert deaths == [
        ("three", "maxlen", 1, 1_700_000_001), ("two", "expired", 1, 1_700_000_001),
        ("one", "rejected", 1, 1_700_000_000),
    ]  # fmt: skip
    assert ["original-expiration" in death for death in headers["x-death"]] == [False, False, True]
    assert (headers["x-first-death-queue"], headers["x-first-death-reason"]) == ("one", "rejected")
    assert (headers["x-last-death-queue"], headers["x-last-death-reason"]) == ("three", "maxlen")


def test_counts_grow_and_the_newest_comes_to_the_front(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: DLX-5: retry through a delay queue, as many do it. The time is that of the first death there."""
    client.declare("work", arguments=to("delay"))
    client.declare("delay", arguments=to("work", x_message_ttl=1000))
    client.publish("", "work", b"x")
    for count in (1, 2, 3):
        reject(client, "work")
        harness.advance(1)
        got = client.get("work", no_ack=False)
        deaths = [(it["queue"], it["reason"], it["count"], it["time"] - 1_700_000_000) for it in got.headers["x-death"]]
        assert deaths == [("delay", "expired", count, 1), ("work", "rejected", count, 0)]
        client.nack(got.delivery_tag)


def test_one_queue_and_two_reasons_make_two_entries(harness: BrokerHarness, client: Client) -> None:
    client.declare("work", arguments=to("pause", x_message_ttl=1000))
    client.declare("pause", arguments=to("work"))
    client.publish("", "work", b"x")
    reject(client, "work")
    reject(client, "pause")
    harness.advance(1)
    deaths = client.get("pause").headers["x-death"]
    assert [(it["queue"], it["reason"]) for it in deaths] == [
        ("work", "expired"), ("pause", "rejected"), ("work", "rejected"),
    ]  # fmt: skip


# -- cycles


@pytest.mark.parametrize("reason", ARGUMENTS)
def test_a_queue_that_dead_letters_to_itself(harness: BrokerHarness, client: Client, reason: str) -> None:
    """RabbitMQ: DLX-7: a rejected message comes back, any other is gone."""
    client.declare("self", arguments=to("self", **ARGUMENTS[reason]))
    client.publish("", "self", b"x")
    let_die(harness, client, "self", reason)
    assert client.drain("self") == ([b"x"] if reason == "rejected" else [])


@pytest.mark.parametrize("reason", ["expired", "maxlen"])
def test_a_circle_of_two_without_a_rejection_ends(harness: BrokerHarness, client: Client, reason: str) -> None:
    """RabbitMQ: DLX-7."""
    for queue, next_queue in (("a", "b"), ("b", "a")):
        client.declare(queue, arguments=to(next_queue, **ARGUMENTS[reason]))
    client.publish("", "a", b"x")
    harness.advance(10)
    assert (client.counts("a"), client.counts("b")) == ((0, 0), (0, 0))


def test_a_rejection_on_the_way_makes_it_go_round_for_ever(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: DLX-7: however many deaths there are beside it."""
    client.declare("a", arguments=to("b", x_message_ttl=1000))
    client.declare("b", arguments=to("a"))
    client.publish("", "a", b"x")
    for count in (1, 2, 3):
        harness.advance(1)
        got = client.get("b", no_ack=False)
        assert [death["count"] for death in got.headers["x-death"]] == [count, count - 1][: 1 + (count > 1)]
        client.reject(got.delivery_tag, requeue=False)


def test_a_rejection_before_it_came_here_first_does_not_count(harness: BrokerHarness, client: Client) -> None:
    """Rejected in `a`, then round and round between `b` and `c` without a rejection."""
    client.declare("a", arguments=to("b"))
    client.declare("b", arguments=to("c", x_message_ttl=1000))
    client.declare("c", arguments=to("b", x_message_ttl=1000))
    client.publish("", "a", b"x")
    reject(client, "a")
    harness.advance(1)
    assert client.counts("c") == (1, 0)
    harness.advance(10)
    assert (client.counts("b"), client.counts("c")) == ((0, 0), (0, 0))


def test_other_queues_of_the_same_route_still_get_it(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: DLX-7: it is dropped for that queue alone."""
    client.declare_exchange("dlx", "fanout")
    for queue in ("work", "log"):
        arguments = {"x-message-ttl": 1000, "x-dead-letter-exchange": "dlx"} if queue == "work" else {}
        client.declare(queue, arguments=arguments)
        client.bind(queue, "dlx")
    client.publish("", "work", b"x")
    harness.advance(1)
    assert (client.drain("work"), client.drain("log")) == ([], [b"x"])


# -- routes


def test_all_keys_of_the_message_are_its_keys_again(client: Client) -> None:
    """RabbitMQ: DLX-1, CT-15: also those of BCC, of which no header tells; and so at its second death."""
    for exchange in ("dlx", "dlx2"):
        client.declare_exchange(exchange)
    client.declare("work", arguments={"x-dead-letter-exchange": "dlx"})
    client.declare("again", arguments={"x-dead-letter-exchange": "dlx2"})
    client.bind("again", "dlx", "blind")
    for queue, exchange in (("first", "dlx"), ("second", "dlx2")):
        for key in ("work", "copy", "blind"):
            client.declare(f"{queue} {key}")
            client.bind(f"{queue} {key}", exchange, key)
    client.publish("", "work", b"x", headers={"CC": ["copy"], "BCC": ["blind"]})
    reject(client, "work")
    reject(client, "again")
    for queue in ("first", "second"):
        for key in ("work", "copy", "blind"):
            letter = client.get(f"{queue} {key}")
            assert isinstance(letter.method, Basic.GetOk)
            assert (letter.method.routing_key, letter.headers["CC"], "BCC" in letter.headers) == (
                "work", ["copy"], False,
            )  # fmt: skip
            assert all(death["routing-keys"] == ["work", "copy"] for death in letter.headers["x-death"])


def test_a_key_of_the_queue_replaces_them_all(client: Client) -> None:
    """RabbitMQ: DLX-1, DLX-3: also for its second death."""
    for exchange in ("dlx", "dlx2"):
        client.declare_exchange(exchange)
    client.declare("work", arguments={"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "k"})
    client.declare("again", arguments={"x-dead-letter-exchange": "dlx2"})
    client.declare("end")
    client.bind("again", "dlx", "k")
    client.bind("end", "dlx2", "k")
    for key in ("work", "copy", "blind"):
        client.declare(f"not {key}")
        client.bind(f"not {key}", "dlx", key)
        client.bind(f"not {key}", "dlx2", key)
    client.publish("", "work", b"x", headers={"CC": ["copy"], "BCC": ["blind"], "mine": 1})
    reject(client, "work")
    reject(client, "again")
    letter = client.get("end")
    assert ("CC" in letter.headers, letter.headers["mine"]) == (False, 1)
    assert [death["routing-keys"] for death in letter.headers["x-death"]] == [["k"], ["work", "copy"]]
    assert [client.counts(f"not {key}")[0] for key in ("work", "copy", "blind")] == [0, 0, 0]


def test_an_internal_exchange_and_an_alternate_take_dead_letters(client: Client) -> None:
    """RabbitMQ: DLX-2."""
    client.declare("end")
    client.declare_exchange("last resort", "fanout", internal=True)
    client.bind("end", "last resort")
    client.declare_exchange("dlx", internal=True, arguments={"alternate-exchange": "last resort"})
    client.declare("work", arguments={"x-dead-letter-exchange": "dlx"})
    client.publish("", "work", b"x")
    reject(client, "work")
    assert client.drain("end") == [b"x"]


def test_headers_of_the_message_are_routed_by_and_so_are_those_of_its_death(client: Client) -> None:
    for queue, name in (("mine", "k"), ("reason", "x-first-death-reason")):
        client.declare(queue)
        value = 1 if name == "k" else "rejected"
        client.bind(queue, "amq.headers", arguments={"x-match": "any-with-x", name: value})
    client.declare("work", arguments={"x-dead-letter-exchange": "amq.headers"})
    client.publish("", "work", b"x", headers={"k": 1})
    reject(client, "work")
    assert (client.drain("mine"), client.drain("reason")) == ([b"x"], [b"x"])


def test_a_queue_that_refuses_dead_letters_loses_them(client: Client) -> None:
    """Seen with 3.10.8: nobody is told."""
    client.declare("dead", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    client.declare("work", arguments=TO_DEAD)
    client.publish("", "work", b"x")
    reject(client, "work")
    client.assert_silent()
    assert (client.counts("work"), client.counts("dead")) == ((0, 0), (0, 0))


# -- what does and what does not


def test_nack_of_several_dead_letters_them_in_order(client: Client) -> None:
    """RabbitMQ: DLX-10, B-40."""
    client.declare("dead")
    client.declare("work", arguments=TO_DEAD)
    for body in (b"1", b"2", b"3"):
        client.publish("", "work", body)
        last = client.get("work", no_ack=False)
    client.nack(last.delivery_tag, multiple=True, requeue=False)
    assert client.drain("dead") == [b"1", b"2", b"3"]


def test_purging_and_deleting_do_not(client: Client) -> None:
    """RabbitMQ: section 4.7."""
    client.declare("dead")
    client.declare("work", arguments=TO_DEAD)
    client.publish("", "work", b"purged")
    client.call(make(Queue.Purge, queue="work"), Queue.PurgeOk)
    client.publish("", "work", b"deleted")
    client.call(make(Queue.Delete, queue="work"), Queue.DeleteOk)
    assert client.counts("dead") == (0, 0)


def test_acking_and_dying_with_the_owner_do_not(client: Client, other: Client) -> None:
    client.declare("dead")
    other.declare("mine", arguments=TO_DEAD, exclusive=True)
    client.publish("", "mine", b"x")
    client.declare("work", arguments=TO_DEAD)
    client.publish("", "work", b"x")
    client.ack(client.get("work", no_ack=False).delivery_tag)
    other.close()
    assert client.counts("dead") == (0, 0)


def test_a_closing_channel_requeues_and_does_not(client: Client) -> None:
    """RabbitMQ: B-41."""
    client.declare("dead")
    client.declare("work", arguments=TO_DEAD)
    client.publish("", "work", b"x")
    client.get("work", no_ack=False, channel=2)
    client.close_channel(2)
    assert (client.counts("work"), client.counts("dead")) == ((1, 0), (0, 0))


# -- confirms and transactions


@pytest.mark.parametrize("reason", ["expired", "maxlen"])
def test_a_message_that_dies_at_once_is_confirmed_once(client: Client, reason: str) -> None:
    """RabbitMQ: TTL-4, LEN-3: its dead letter is no publish of the channel (DLX-2)."""
    client.declare("dead")
    client.declare(
        "work", arguments=to("dead", **({"x_message_ttl": 0} if reason == "expired" else {"x_max_length": 0}))
    )
    client.call(make(Confirm.Select), Confirm.SelectOk)
    client.publish("", "work", b"1", mandatory=True)
    client.publish("", "nowhere", b"2")
    assert [it.delivery_tag for it in client.received()] == [1, 2]
    assert client.drain("dead") == [b"1"]


def test_a_refused_message_is_nacked_and_dead_lettered(client: Client) -> None:
    """RabbitMQ: LEN-5: not refused by the queue of dead letters, whatever that does with it."""
    client.declare("dead", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    client.declare("work", arguments=to("dead", x_max_length=0, x_overflow="reject-publish-dlx"))
    client.call(make(Confirm.Select), Confirm.SelectOk)
    client.publish("", "work", b"1")
    assert client.expect(Basic.Nack).delivery_tag == 1
    client.declare("roomy", arguments=to("dead", x_max_length=0))
    client.publish("", "roomy", b"2")
    assert client.expect(Basic.Ack).delivery_tag == 2


def test_a_rejection_in_a_transaction_dead_letters_at_commit(client: Client) -> None:
    """RabbitMQ: TX-3, TX-5; seen with 3.10.8."""
    client.declare("dead")
    client.declare("work", arguments=TO_DEAD)
    client.publish("", "work", b"x")
    client.call(make(Tx.Select), Tx.SelectOk)
    tag = client.get("work", no_ack=False).delivery_tag
    client.reject(tag, requeue=False)
    client.call(make(Tx.Rollback), Tx.RollbackOk)
    client.reject(tag, requeue=False)
    assert client.counts("dead") == (0, 0)
    client.call(make(Tx.Commit), Tx.CommitOk)
    assert client.drain("dead") == [b"x"]


def test_a_commit_that_pushes_messages_out(client: Client) -> None:
    client.declare("dead")
    client.declare("work", arguments=to("dead", x_max_length=1))
    client.call(make(Tx.Select), Tx.SelectOk)
    for body in (b"1", b"2", b"3"):
        client.publish("", "work", body)
    assert client.counts("dead") == (0, 0)
    client.call(make(Tx.Commit), Tx.CommitOk)
    assert (client.drain("dead"), client.drain("work")) == ([b"1", b"2"], [b"3"])
