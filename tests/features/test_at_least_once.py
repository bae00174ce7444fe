"""x-dead-letter-strategy at-least-once: a quorum queue keeps what has died in it until every target has taken it."""

from typing import Any

import pytest

from leveret.core.at_least_once import ON_THEIR_WAY_MAX, RETRY_SECONDS
from leveret.core.quorum_queue import QuorumQueue
from leveret_protocol.methods import Basic, Confirm, Exchange, Queue, make
from tests.harness import BrokerHarness, Client

AT_LEAST_ONCE = {
    "x-queue-type": "quorum",
    "x-overflow": "reject-publish",
    "x-dead-letter-strategy": "at-least-once",
    "x-dead-letter-exchange": "dlx",
}
FULL_AT_ONE = {"x-max-length": 1, "x-overflow": "reject-publish"}


@pytest.fixture
def source(client: Client) -> str:
    """A queue `q` that keeps its dead until the exchange `dlx` is there and leads somewhere."""
    client.declare("q", durable=True, arguments=AT_LEAST_ONCE)
    return "q"


def kept(harness: BrokerHarness, queue: str = "q") -> tuple[int, int]:
    """Messages and bytes of dead letters that the queue keeps."""
    found = harness.node.vhost("/").queues[queue]
    assert isinstance(found, QuorumQueue)
    assert found.dead_letters is not None
    return found.dead_letters.message_count, found.dead_letters.message_bytes


def die(client: Client, *bodies: bytes, queue: str = "q") -> None:
    for body in bodies:
        client.publish("", queue, body)
        client.reject(client.get(queue, no_ack=False).delivery_tag, requeue=False)


def declare_target(client: Client, name: str = "dead", **arguments: Any) -> None:
    client.declare(name, arguments=arguments)
    client.declare_exchange("dlx", "fanout")
    client.bind(name, "dlx")


def set_policy(harness: BrokerHarness, **definition: object) -> None:
    named = {name.replace("_", "-"): value for name, value in definition.items()}
    harness.node.vhost("/").policies.set("p", pattern="^q$", definition=named)


# -- a way there is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["rejected", "expired", "delivery_limit"])
def test_a_message_that_arrives_is_kept_no_longer(harness: BrokerHarness, client: Client, reason: str) -> None:
    """With the same headers as at most once."""
    declare_target(client)
    client.declare("q", durable=True, arguments=AT_LEAST_ONCE | {"x-delivery-limit": 1})
    if reason == "expired":
        client.publish("", "q", b"x", expiration="0")
    else:
        client.publish("", "q", b"x")
        client.reject(client.get("q", no_ack=False).delivery_tag, requeue=True)
        client.reject(client.get("q", no_ack=False).delivery_tag, requeue=reason == "delivery_limit")
    assert (client.counts("q"), kept(harness)) == ((0, 0), (0, 0))
    letter = client.get("dead")
    (death,) = letter.headers["x-death"]
    assert (death["reason"], death["queue"], death["exchange"], death["routing-keys"]) == (reason, "q", "", ["q"])
    assert (letter.headers["x-first-death-reason"], letter.properties.expiration) == (reason, None)
    assert "x-delivery-count" not in letter.headers


def test_one_that_is_refused_by_one_of_two_is_kept_for_that_one(
    harness: BrokerHarness, client: Client, source: str
) -> None:
    """RabbitMQ: many_target_queues in rabbit_fifo_dlx_integration_SUITE; nobody gets it twice."""
    declare_target(client, "full", **FULL_AT_ONE)
    declare_target(client, "other")
    die(client, b"1", b"2")
    assert (client.counts("full"), client.counts("other"), kept(harness)) == ((1, 0), (2, 0), (1, 1))
    harness.advance(RETRY_SECONDS)
    assert kept(harness) == (1, 1)
    client.get("full")
    harness.advance(RETRY_SECONDS)
    assert kept(harness) == (0, 0)
    assert (client.drain("full"), client.drain("other")) == ([b"2"], [b"1", b"2"])


# -- no way there is --------------------------------------------------------------------------------------------------


def test_one_without_a_way_is_neither_ready_nor_out(harness: BrokerHarness, client: Client, source: str) -> None:
    """RabbitMQ: dlx_missing in rabbit_fifo_dlx_integration_SUITE."""
    die(client, b"12", b"345")
    assert (client.counts("q"), kept(harness)) == ((0, 0), (2, 5))
    client.send(make(Basic.Get, queue="q"))
    client.expect(Basic.GetEmpty)
    client.consume("q")
    harness.advance(10 * RETRY_SECONDS)
    assert (client.deliveries(), kept(harness)) == ([], (2, 5))


def test_a_binding_opens_the_way_at_once(harness: BrokerHarness, client: Client, source: str) -> None:
    """RabbitMQ waits for its timer. The exchange alone leads nowhere."""
    die(client, b"1", b"2")
    client.declare_exchange("dlx", "fanout")
    client.declare("dead")
    harness.run_work()
    assert kept(harness) == (2, 2)
    client.bind("dead", "dlx")
    harness.run_work()
    assert kept(harness) == (0, 0)
    assert client.drain("dead") == [b"1", b"2"]


def test_a_queue_declared_anew_is_the_way_on(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: target_quorum_queue_delete_create."""
    arguments = AT_LEAST_ONCE | {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    client.declare("q", durable=True, arguments=arguments)
    die(client, b"1")
    client.declare("dead")
    harness.run_work()
    assert client.drain("dead") == [b"1"]
    client.call(make(Queue.Delete, queue="dead"), Queue.DeleteOk)
    die(client, b"2")
    assert kept(harness) == (1, 1)
    client.declare("dead")
    harness.run_work()
    assert client.drain("dead") == [b"2"]


def test_nothing_is_tried_any_more_once_all_have_arrived(harness: BrokerHarness, client: Client, source: str) -> None:
    die(client, b"1")
    declare_target(client)
    harness.run_work()
    client.declare("another")
    assert not harness.node.has_work()


def test_the_time_of_death_is_told_and_not_that_of_arrival(harness: BrokerHarness, client: Client, source: str) -> None:
    died_at = int(harness.now_seconds)
    die(client, b"1")
    harness.advance(100)
    declare_target(client)
    harness.run_work()
    assert client.get("dead").headers["x-death"][0]["time"] == died_at


def test_a_target_that_refused_and_is_bound_no_more_holds_nothing_up(
    harness: BrokerHarness, client: Client, source: str
) -> None:
    declare_target(client, "full", **FULL_AT_ONE)
    declare_target(client, "other")
    die(client, b"1", b"2")
    client.call(make(Queue.Unbind, queue="full", exchange="dlx"), Queue.UnbindOk)
    harness.run_work()
    assert kept(harness) == (0, 0)
    assert client.drain("other") == [b"1", b"2"]


def test_many_that_wait_arrive_in_their_order(harness: BrokerHarness, client: Client, source: str) -> None:
    """More than are on their way at once."""
    bodies = [b"%d" % number for number in range(10 * ON_THEIR_WAY_MAX)]
    die(client, *bodies)
    assert kept(harness)[0] == len(bodies)
    declare_target(client)
    assert harness.run_work() > 1
    assert (kept(harness), client.drain("dead")) == ((0, 0), bodies)


def test_one_that_dies_behind_those_that_wait_does_not_overtake_them(
    harness: BrokerHarness, client: Client, source: str
) -> None:
    bodies = [b"%d" % number for number in range(2 * ON_THEIR_WAY_MAX)]
    die(client, *bodies)
    declare_target(client)
    harness.node.run_slice()
    assert kept(harness)[0] == ON_THEIR_WAY_MAX
    die(client, b"last")
    assert kept(harness)[0] == ON_THEIR_WAY_MAX + 1
    harness.run_work()
    assert client.drain("dead") == [*bodies, b"last"]


def test_one_without_a_way_does_not_stop_the_next(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: 32 may be on their way at once."""
    client.declare("q", durable=True, arguments=AT_LEAST_ONCE | {"x-dead-letter-exchange": "amq.headers"})
    client.declare("dead")
    client.bind("dead", "amq.headers", arguments={"kind": "good"})
    for kind in ("bad", "good"):
        client.publish("", "q", kind.encode(), headers={"kind": kind})
        client.reject(client.get("q", no_ack=False).delivery_tag, requeue=False)
    assert (client.drain("dead"), kept(harness)) == ([b"good"], (1, 3))


# -- cycles -----------------------------------------------------------------------------------------------------------


def test_one_that_would_come_back_without_a_rejection_is_kept(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: cycle in rabbit_fifo_dlx_integration_SUITE; at most once, it would be dropped (DLX-7)."""
    client.declare("q", durable=True, arguments=AT_LEAST_ONCE | {"x-dead-letter-exchange": ""})
    client.publish("", "q", b"1", expiration="0")
    harness.advance(10 * RETRY_SECONDS)
    assert (client.counts("q"), kept(harness)) == ((0, 0), (1, 1))
    client.declare("dead")
    set_policy(harness, dead_letter_routing_key="dead")
    harness.run_work()
    assert (client.drain("dead"), kept(harness)) == ([b"1"], (0, 0))


def test_one_that_was_rejected_may_come_back(harness: BrokerHarness, client: Client) -> None:
    client.declare("q", durable=True, arguments=AT_LEAST_ONCE | {"x-dead-letter-exchange": ""})
    die(client, b"1")
    assert (client.counts("q"), kept(harness)) == ((1, 0), (0, 0))


def test_two_queues_that_are_full_of_each_others_dead_lose_nothing(harness: BrokerHarness, client: Client) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        arguments = AT_LEAST_ONCE | {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": other}
        client.declare(name, durable=True, arguments=arguments | {"x-max-length": 1})
    for name in ("a", "b"):
        client.publish("", name, name.encode())
    tags = [client.get(name, no_ack=False).delivery_tag for name in ("a", "b")]
    for name in ("a", "b"):
        client.publish("", name, b"1")
        client.publish("", name, b"2")
    for tag in tags:
        client.reject(tag, requeue=False)
    assert [kept(harness, name) for name in ("a", "b")] == [(1, 1), (1, 1)]
    assert [client.drain(name) for name in ("a", "b")] == [[b"1", b"2"], [b"1", b"2"]]
    harness.advance(RETRY_SECONDS)
    assert [client.drain(name) for name in ("a", "b")] == [[b"b"], [b"a"]]
    assert [kept(harness, name) for name in ("a", "b")] == [(0, 0), (0, 0)]


# -- when it does not hold --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"x-overflow": "drop-head"},
        {"x-overflow": "reject-publish-dlx"},
        {"x-dead-letter-strategy": "at-most-once"},
    ],
)
def test_without_reject_publish_it_is_at_most_once(client: Client, changed: dict[str, str]) -> None:
    """RabbitMQ: QQ-5."""
    client.declare("q", durable=True, arguments=AT_LEAST_ONCE | changed)
    die(client, b"1")
    declare_target(client)
    die(client, b"2")
    assert client.drain("dead") == [b"2"]


def test_without_an_exchange_there_are_no_dead_letters(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: rabbit_quorum_queue `dlh`."""
    arguments = {name: value for name, value in AT_LEAST_ONCE.items() if name != "x-dead-letter-exchange"}
    client.declare("q", durable=True, arguments=arguments)
    die(client, b"1")
    queue = harness.node.vhost("/").queues["q"]
    assert isinstance(queue, QuorumQueue)
    assert queue.dead_letters is None


def test_another_strategy_loses_what_was_kept(harness: BrokerHarness, client: Client, source: str) -> None:
    """RabbitMQ: switch_strategy in rabbit_fifo_dlx_integration_SUITE."""
    die(client, b"1")
    set_policy(harness, overflow="drop-head")
    declare_target(client)
    harness.advance(10 * RETRY_SECONDS)
    harness.run_work()
    assert client.counts("dead") == (0, 0)
    die(client, b"2")
    assert client.drain("dead") == [b"2"]


def test_a_policy_can_ask_for_it(harness: BrokerHarness, client: Client) -> None:
    client.declare("q", durable=True, arguments={"x-queue-type": "quorum"})
    set_policy(harness, overflow="reject-publish", dead_letter_strategy="at-least-once", dead_letter_exchange="dlx")
    die(client, b"1")
    assert kept(harness) == (1, 1)
    client.declare("elsewhere")
    set_policy(
        harness, overflow="reject-publish", dead_letter_strategy="at-least-once", dead_letter_exchange="",
        dead_letter_routing_key="elsewhere",
    )  # fmt: skip
    assert (client.drain("elsewhere"), kept(harness)) == ([b"1"], (0, 0))


# -- the queue itself -------------------------------------------------------------------------------------------------


def test_what_is_kept_counts_for_its_length(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: reject_publish_source_queue_max_length; confirms are those of the queue that was published to."""
    client.declare("q", durable=True, arguments=AT_LEAST_ONCE | {"x-max-length": 1, "x-message-ttl": 0})
    client.call(make(Confirm.Select), Confirm.SelectOk)
    for _ in range(2):
        client.publish("", "q", b"x")
        client.expect(Basic.Ack)
    client.publish("", "q", b"x")
    client.expect(Basic.Nack)
    assert (client.counts("q"), kept(harness)) == ((0, 0), (2, 2))
    declare_target(client)
    harness.run_work()
    client.publish("", "q", b"x")
    client.expect(Basic.Ack)


def test_what_is_refused_takes_no_turn(harness: BrokerHarness, client: Client, source: str) -> None:
    """It does not count among the messages of which every third is a normal one (PRI-3)."""
    die(client, b"dead")
    set_policy(harness, max_length=0)
    client.consume("q", "c", channel=2)
    client.publish("", "q", b"refused")
    client.cancel("c", channel=2)
    harness.node.vhost("/").policies.clear("p")
    client.publish("", "q", b"normal")
    for body in (b"high 1", b"high 2"):
        client.publish("", "q", body, priority=9)
    assert client.drain("q") == [b"high 1", b"normal", b"high 2"]


def test_what_is_kept_counts_for_its_bytes(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: reject_publish_source_queue_max_length_bytes."""
    client.declare("q", durable=True, arguments=AT_LEAST_ONCE | {"x-max-length-bytes": 3, "x-message-ttl": 0})
    client.call(make(Confirm.Select), Confirm.SelectOk)
    client.publish("", "q", b"xxxx")
    client.expect(Basic.Ack)
    client.publish("", "q", b"x")
    client.expect(Basic.Nack)
    assert kept(harness) == (1, 4)


def test_purge_leaves_what_is_kept(harness: BrokerHarness, client: Client, source: str) -> None:
    """RabbitMQ: rabbit_fifo `purge`."""
    die(client, b"1")
    client.publish("", "q", b"2")
    assert client.call(make(Queue.Purge, queue="q"), Queue.PurgeOk).message_count == 1
    assert kept(harness) == (1, 1)
    declare_target(client)
    harness.run_work()
    assert client.drain("dead") == [b"1"]


def test_delete_drops_what_is_kept_and_counts_only_what_is_ready(
    harness: BrokerHarness, client: Client, source: str
) -> None:
    """RabbitMQ: QU-31, QU-35."""
    die(client, b"1")
    client.publish("", "q", b"2")
    assert client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk).message_count == 1
    declare_target(client)
    harness.advance(10 * RETRY_SECONDS)
    harness.run_work()
    assert client.counts("dead") == (0, 0)


def test_delete_drops_those_that_wait_too(harness: BrokerHarness, client: Client, source: str) -> None:
    die(client, *[b"x"] * 2 * ON_THEIR_WAY_MAX)
    declare_target(client)
    harness.node.run_slice()
    client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
    harness.run_work()
    assert client.counts("dead") == (ON_THEIR_WAY_MAX, 0)


def test_what_is_kept_does_not_keep_the_queue(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: rabbit_fifo `is_expired`."""
    client.declare("q", durable=True, arguments=AT_LEAST_ONCE | {"x-expires": 5000})
    die(client, b"1")
    harness.advance(6)
    assert not client.has_queue("q")


def test_an_exchange_that_goes_closes_the_way_again(harness: BrokerHarness, client: Client, source: str) -> None:
    declare_target(client)
    die(client, b"1")
    client.call(make(Exchange.Delete, exchange="dlx"), Exchange.DeleteOk)
    die(client, b"2")
    assert (client.drain("dead"), kept(harness)) == ([b"1"], (1, 1))
