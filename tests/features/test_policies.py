"""What policies and operator policies do to live queues and exchanges."""

from typing import Any

import pytest

from leveret.core.policies import Policies
from leveret.core.settings import DELIVERY_LIMIT_DEFAULT
from leveret_protocol.methods import Basic, Confirm, Exchange, Queue, make
from tests.harness import BrokerHarness, Client


@pytest.fixture
def policies(harness: BrokerHarness) -> Policies:
    return harness.node.vhost("/").policies


@pytest.fixture
def operator_policies(harness: BrokerHarness) -> Policies:
    return harness.node.vhost("/").operator_policies


def set_policy(policies: Policies, pattern: str = "^q", apply_to: str = "queues", **definition: Any) -> None:
    """With keys of the definition in Python's spelling."""
    keys = {key.replace("_", "-"): value for key, value in definition.items()}
    policies.set("p", pattern=pattern, definition=keys, apply_to=apply_to)


def publish(client: Client, *bodies: bytes, queue: str = "q") -> None:
    for body in bodies:
        client.publish("", queue, body)


def is_refused(client: Client, queue: str = "q") -> bool:
    """Publish on channel 2, which has confirms."""
    client.publish("", queue, b"refused?", channel=2)
    (answer,) = client.received()
    return isinstance(answer.method, Basic.Nack)


# -- queues ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_a_limit_drops_from_the_head_at_once(client: Client, policies: Policies, queue_type: str) -> None:
    """RabbitMQ: POL-5."""
    client.declare("q", durable=True, arguments={"x-queue-type": queue_type})
    publish(client, b"1", b"2", b"3")
    set_policy(policies, max_length=2)
    publish(client, b"4")
    assert client.drain("q") == [b"3", b"4"]


def test_what_a_new_limit_drops_is_dead_lettered(client: Client, policies: Policies) -> None:
    client.declare("dead")
    client.declare("q")
    publish(client, b"1", b"2")
    set_policy(policies, max_length=1, dead_letter_exchange="", dead_letter_routing_key="dead")
    letter = client.get("dead")
    assert (letter.body, letter.headers["x-death"][0]["reason"]) == (b"1", "maxlen")
    assert client.drain("q") == [b"2"]


def test_a_limit_of_bytes_counts_what_is_there(client: Client, policies: Policies) -> None:
    client.declare("q")
    publish(client, b"12345", b"678")
    set_policy(policies, max_length_bytes=7)
    assert client.counts("q") == (1, 0)
    publish(client, b"9abc", b"d")
    assert client.drain("q") == [b"9abc", b"d"]


def test_a_queue_declared_later_has_it_as_well(client: Client, policies: Policies) -> None:
    set_policy(policies, max_length=1)
    client.declare("q")
    client.declare("other")
    for queue in ("q", "other"):
        publish(client, b"1", b"2", queue=queue)
    assert (client.drain("q"), client.drain("other")) == ([b"2"], [b"1", b"2"])


def test_exclusive_and_server_named_queues_have_it(client: Client, policies: Policies) -> None:
    set_policy(policies, "^(q|amq)", max_length=1)
    for queue in (client.declare("q", exclusive=True), client.declare()):
        publish(client, b"1", b"2", queue=queue)
        assert client.drain(queue) == [b"2"]


def test_clearing_it_ends_it(client: Client, policies: Policies) -> None:
    client.declare("q")
    set_policy(policies, max_length=1)
    publish(client, b"1", b"2")
    policies.clear("p")
    publish(client, b"3")
    assert client.drain("q") == [b"2", b"3"]


def test_a_changed_one_holds_for_what_it_matches_now(client: Client, policies: Policies) -> None:
    client.declare("q")
    client.declare("r")
    set_policy(policies, "q", max_length=1)
    set_policy(policies, "r", max_length=1)
    for queue in ("q", "r"):
        publish(client, b"1", b"2", queue=queue)
    assert (client.counts("q"), client.counts("r")) == ((2, 0), (1, 0))


def test_the_next_in_rank_takes_over(client: Client, policies: Policies) -> None:
    """RabbitMQ: POL-2: never two at once."""
    client.declare("q")
    policies.set("low", pattern="", definition={"max-length": 1})
    policies.set("high", pattern="", definition={"message-ttl": 1000}, priority=1)
    publish(client, b"1", b"2")
    assert client.counts("q") == (2, 0)
    policies.clear("high")
    assert client.counts("q") == (1, 0)


@pytest.mark.parametrize(("argument", "policy", "kept"), [(1, 2, 1), (2, 1, 1), (None, 1, 1), (2, None, 2)])
def test_the_smaller_limit_holds(
    client: Client, policies: Policies, argument: int | None, policy: int | None, kept: int
) -> None:
    """RabbitMQ: POL-4."""
    client.declare("q", arguments={} if argument is None else {"x-max-length": argument})
    if policy is not None:
        set_policy(policies, max_length=policy)
    publish(client, b"1", b"2", b"3")
    assert client.counts("q") == (kept, 0)


def test_a_time_to_live_holds_for_new_messages(harness: BrokerHarness, client: Client, policies: Policies) -> None:
    """RabbitMQ: TTL-5."""
    client.declare("q")
    publish(client, b"old")
    set_policy(policies, message_ttl=1000)
    publish(client, b"new")
    assert client.get("q").body == b"old"
    harness.advance(1.1)
    assert client.counts("q") == (0, 0)


def test_a_time_to_live_stays_with_a_message(harness: BrokerHarness, client: Client, policies: Policies) -> None:
    """RabbitMQ: TTL-5."""
    client.declare("q")
    set_policy(policies, message_ttl=1000)
    publish(client, b"timed")
    policies.clear("p")
    publish(client, b"lasting")
    harness.advance(1.1)
    assert client.drain("q") == [b"lasting"]


def test_the_shorter_time_to_live_holds(harness: BrokerHarness, client: Client, policies: Policies) -> None:
    client.declare("q1", arguments={"x-message-ttl": 5000})
    client.declare("q2", arguments={"x-message-ttl": 500})
    set_policy(policies, message_ttl=1000)
    publish(client, b"1", queue="q1")
    publish(client, b"2", queue="q2")
    harness.advance(0.9)
    assert (client.counts("q1"), client.counts("q2")) == ((1, 0), (0, 0))
    harness.advance(0.2)
    assert client.counts("q1") == (0, 0)


def test_an_unused_queue_expires(harness: BrokerHarness, client: Client, policies: Policies) -> None:
    client.declare("q")
    harness.advance(60)
    set_policy(policies, expires=1000)
    harness.advance(0.9)
    assert client.has_queue("q")  # which counts as use (EXP-1)
    policies.clear("p")
    harness.advance(60)
    assert client.has_queue("q")
    set_policy(policies, expires=1000)
    harness.advance(1.1)
    assert not client.has_queue("q")


@pytest.mark.parametrize(
    ("queue_type", "argument", "policy", "refuses"),
    [
        ("classic", None, "reject-publish", True),
        ("classic", "drop-head", "reject-publish", False),
        ("classic", "reject-publish", "drop-head", True),
        ("quorum", None, "reject-publish", True),
        ("quorum", "drop-head", "reject-publish", True),
        ("quorum", "reject-publish", "drop-head", False),
    ],
)
def test_who_says_what_happens_to_a_full_queue(
    client: Client, policies: Policies, queue_type: str, argument: str | None, policy: str, refuses: bool
) -> None:
    """RabbitMQ: POL-4: the argument on a classic queue; QQ-4: the policy on a quorum queue."""
    client.call(make(Confirm.Select), Confirm.SelectOk, channel=2)
    arguments: dict[str, Any] = {"x-queue-type": queue_type, "x-max-length": 0}
    client.declare("q", durable=True, arguments=arguments if argument is None else arguments | {"x-overflow": argument})
    set_policy(policies, overflow=policy)
    for _ in range(3):
        is_refused(client)
    assert is_refused(client) == refuses
    policies.clear("p")
    is_refused(client)  # a quorum queue takes one more than the limit (LEN-6)
    assert is_refused(client) == (argument == "reject-publish")


def test_reject_publish_dlx_is_not_for_quorum_queues(client: Client, policies: Policies) -> None:
    """RabbitMQ: the source of 4.2: it falls back to drop-head."""
    client.call(make(Confirm.Select), Confirm.SelectOk, channel=2)
    client.declare("q", durable=True, arguments={"x-queue-type": "quorum"})
    set_policy(policies, overflow="reject-publish-dlx", max_length=1)
    assert [is_refused(client) for _ in range(5)] == [False] * 5
    assert client.counts("q") == (1, 0)


def test_rejected_messages_go_where_the_policy_says(client: Client, policies: Policies) -> None:
    client.declare("dead")
    client.declare("q")
    publish(client, b"1", b"2")
    set_policy(policies, dead_letter_exchange="", dead_letter_routing_key="dead")
    client.reject(client.get("q", no_ack=False).delivery_tag, requeue=False)
    assert client.drain("dead") == [b"1"]
    policies.clear("p")
    client.reject(client.get("q", no_ack=False).delivery_tag, requeue=False)
    assert client.drain("dead") == []


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_for_dead_letters_the_argument_comes_first(client: Client, policies: Policies, queue_type: str) -> None:
    """RabbitMQ: POL-4, QQ-4."""
    client.declare("by argument")
    client.declare("by policy")
    arguments = {"x-queue-type": queue_type, "x-dead-letter-exchange": ""}
    client.declare("q1", durable=True, arguments=arguments | {"x-dead-letter-routing-key": "by argument"})
    client.declare("q2", durable=True, arguments=arguments)
    set_policy(policies, dead_letter_exchange="amq.fanout", dead_letter_routing_key="by policy")
    for queue in ("q1", "q2"):
        publish(client, b"x", queue=queue)
        client.reject(client.get(queue, no_ack=False).delivery_tag, requeue=False)
    assert (client.drain("by argument"), client.drain("by policy")) == ([b"x"], [b"x"])


@pytest.mark.parametrize(
    ("argument", "policy", "returns"), [(None, 1, 1), (1, 2, 1), (2, 1, 1), (-1, 2, 2), (2, -1, 2), (-1, -1, None)]
)
def test_a_delivery_limit_of_a_quorum_queue(
    client: Client, policies: Policies, argument: int | None, policy: int, returns: int | None
) -> None:
    """RabbitMQ: QQ-4. returns: how often the message comes back before it is given up; None: always."""
    arguments: dict[str, Any] = {"x-queue-type": "quorum"}
    client.declare(
        "q", durable=True, arguments=arguments if argument is None else arguments | {"x-delivery-limit": argument}
    )
    publish(client, b"x")
    set_policy(policies, delivery_limit=policy)
    count = 0
    while client.counts("q") == (1, 0) and count < 30:
        client.reject(client.get("q", no_ack=False).delivery_tag, requeue=True)
        count += 1
    assert count == (30 if returns is None else returns + 1)


def test_a_policy_with_a_key_of_another_queue_type_does_not_match(client: Client, policies: Policies) -> None:
    """RabbitMQ: POL-6."""
    client.declare("q")
    client.declare("q2", durable=True, arguments={"x-queue-type": "quorum"})
    set_policy(policies, max_length=1, delivery_limit=5)
    for queue in ("q", "q2"):
        publish(client, b"1", b"2", queue=queue)
    assert (client.counts("q"), client.counts("q2")) == ((2, 0), (1, 0))


def test_ha_policies_are_kept_without_effect(client: Client, policies: Policies) -> None:
    """RabbitMQ: VER-18."""
    client.declare("q")
    policies.set("p", pattern="", definition={"ha-mode": "exactly", "ha-params": 2, "ha-sync-mode": "automatic"})
    publish(client, b"1")
    assert client.drain("q") == [b"1"]


def test_a_consumer_notices_nothing(client: Client, policies: Policies) -> None:
    client.declare("q")
    client.consume("q", no_ack=True)
    publish(client, b"1")
    set_policy(policies, max_length=1, message_ttl=1000)
    publish(client, b"2")
    policies.clear("p")
    publish(client, b"3")
    assert client.bodies() == [b"1", b"2", b"3"]


# -- declaring again ------------------------------------------------------------------------------------------------


def test_policies_take_no_part_in_equivalence(client: Client, policies: Policies) -> None:
    """RabbitMQ: POL-5."""
    client.declare("q", arguments={"x-max-length": 5})
    client.declare_exchange("qx")
    set_policy(policies, apply_to="all", max_length=1, alternate_exchange="ae", message_ttl=1)
    client.declare("q", arguments={"x-max-length": 5})
    client.declare_exchange("qx")
    client.refused(
        make(Queue.Declare, queue="q"),
        "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in vhost '/': "
        "received none but current is the value '5' of type 'signedint'",
    )


# -- operator policies ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "policy", "operator"), [(None, None, 1), (2, None, 1), (None, 2, 1), (3, 2, 1), (1, 2, 3), (2, 1, 3)]
)
def test_the_smallest_of_three_limits_holds(
    client: Client, policies: Policies, operator_policies: Policies, argument: int | None, policy: int | None,
    operator: int,
) -> None:  # fmt: skip
    """RabbitMQ: POL-3, POL-4."""
    client.declare("q", arguments={} if argument is None else {"x-max-length": argument})
    publish(client, b"1", b"2", b"3")
    if policy is not None:
        set_policy(policies, max_length=policy)
    set_policy(operator_policies, max_length=operator)
    assert client.counts("q") == (1, 0)


def test_each_queue_gets_what_holds_for_it_alone(
    harness: BrokerHarness, client: Client, policies: Policies, operator_policies: Policies
) -> None:
    """One change concerns queues that differ in their arguments, their types, and the other policy."""
    other = {"x-queue-type": "quorum"}
    limits = {"q": 3, "q.capped": 2, "q.own": 1, "q.quorum": 3, "q.quorum.capped": 2, "q.last": 3}
    arguments = {"q.own": {"x-max-length": 1}, "q.quorum": other, "q.quorum.capped": other}
    for queue in limits:
        client.declare(queue, durable=True, arguments=arguments.get(queue))
    set_policy(operator_policies, pattern="capped$", max_length=2)
    set_policy(policies, max_length=3)
    for queue in limits:
        publish(client, b"1", b"2", b"3", b"4", queue=queue)
    assert {queue: client.counts(queue)[0] for queue in limits} == limits
    queues = harness.node.vhost("/").queues
    assert [queues[name].settings.delivery_limit for name in ("q", "q.quorum")] == [None, DELIVERY_LIMIT_DEFAULT]


def test_both_policies_hold_and_the_operators_overflow(
    harness: BrokerHarness, client: Client, policies: Policies, operator_policies: Policies
) -> None:
    """RabbitMQ: POL-3."""
    client.call(make(Confirm.Select), Confirm.SelectOk, channel=2)
    client.declare("q")
    set_policy(policies, message_ttl=1000, overflow="drop-head")
    set_policy(operator_policies, max_length=1, overflow="reject-publish")
    assert [is_refused(client) for _ in range(2)] == [False, True]
    harness.advance(1.1)
    assert client.counts("q") == (0, 0)
    operator_policies.clear("p")
    assert [is_refused(client) for _ in range(2)] == [False, False]


# -- exchanges ------------------------------------------------------------------------------------------------------


def test_an_existing_exchange_gets_its_alternate_at_once(client: Client, policies: Policies) -> None:
    """Also for a route that is remembered already."""
    client.declare("lost")
    client.bind("lost", "amq.fanout")
    client.declare_exchange("x")
    client.publish("x", "k", b"1", mandatory=True)
    assert [it.body for it in client.received()] == [b"1"]
    set_policy(policies, "^x", "exchanges", alternate_exchange="amq.fanout")
    client.publish("x", "k", b"2", mandatory=True)
    client.assert_silent()
    policies.clear("p")
    client.publish("x", "k", b"3", mandatory=True)
    assert [it.body for it in client.received()] == [b"3"]
    assert client.drain("lost") == [b"2"]


def test_the_alternate_of_the_argument_comes_first(client: Client, policies: Policies) -> None:
    """RabbitMQ: POL-4."""
    client.declare("lost")
    client.bind("lost", "amq.fanout")
    client.declare_exchange("x1", arguments={"alternate-exchange": "amq.fanout"})
    set_policy(policies, "^x", "all", alternate_exchange="nowhere")
    client.declare_exchange("x2", arguments={"alternate-exchange": "amq.fanout"})
    client.publish("x1", "k", b"1")
    client.publish("x2", "k", b"2")
    assert client.drain("lost") == [b"1", b"2"]


def test_predeclared_exchanges_have_policies_but_the_default_exchange_no_alternate(
    client: Client, policies: Policies
) -> None:
    client.declare("lost")
    client.bind("lost", "amq.fanout")
    set_policy(policies, "", "all", alternate_exchange="amq.fanout")
    client.publish("amq.direct", "k", b"1", mandatory=True)
    client.assert_silent()
    client.publish("", "no such queue", b"2", mandatory=True)
    assert [it.body for it in client.received()] == [b"2"]
    assert client.drain("lost") == [b"1"]


def test_a_policy_for_queues_leaves_exchanges_alone(client: Client, policies: Policies) -> None:
    client.declare_exchange("q")
    set_policy(policies, alternate_exchange="amq.fanout")
    client.publish("q", "k", b"1", mandatory=True)
    assert [it.body for it in client.received()] == [b"1"]


def test_a_missing_alternate_of_a_policy_leads_nowhere_until_it_is_there(client: Client, policies: Policies) -> None:
    client.declare("lost")
    client.declare_exchange("x")
    set_policy(policies, "^x", "exchanges", alternate_exchange="later")
    client.publish("x", "k", b"1", mandatory=True)
    assert [it.body for it in client.received()] == [b"1"]
    client.declare_exchange("later", "fanout")
    client.bind("lost", "later")
    client.publish("x", "k", b"2", mandatory=True)
    client.assert_silent()
    client.call(make(Exchange.Delete, exchange="later"), Exchange.DeleteOk)
    assert client.drain("lost") == [b"2"]
