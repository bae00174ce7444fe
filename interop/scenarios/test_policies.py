"""Policies on queues and exchanges that are in use, with pika; the operator is `admin`."""

from __future__ import annotations

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.admin import Admin
from interop.scenarios.blocking import Consumer, drain, publish, ready_count, wait_for_ready_count
from interop.scenarios.conftest import Connect

TTL_MS = 30


@pytest.fixture
def channel(admin: Admin, connect: Connect) -> BlockingChannel:
    """A confirming channel in the operator's virtual host."""
    channel = connect(admin.url).channel()
    channel.confirm_delivery()
    return channel


def test_a_time_to_live_holds_for_what_comes_after_it(admin: Admin, channel: BlockingChannel) -> None:
    """The old message has no deadline, so what expires behind it waits for it to go."""
    channel.queue_declare("dead")
    channel.queue_declare("work")
    publish(channel, "work", b"old")
    admin.set_policy("retry", "^work$", message_ttl=TTL_MS, dead_letter_exchange="", dead_letter_routing_key="dead")
    undertaker = Consumer(channel, "dead", auto_ack=True)
    publish(channel, "work", b"new")
    assert channel.basic_get("work", auto_ack=True)[2] == b"old"
    undertaker.wait(1)
    assert (undertaker.bodies, drain(channel, "work")) == ([b"new"], [])


def test_a_length_limit_holds_for_what_is_there_already(admin: Admin, channel: BlockingChannel) -> None:
    channel.queue_declare("dead")
    channel.queue_declare("work", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    publish(channel, "work", b"1", b"2", b"3", b"4")
    admin.set_policy("short", "^work$", max_length=2)
    wait_for_ready_count(channel, "work", 2)
    wait_for_ready_count(channel, "dead", 2)
    admin.clear_policy("short")
    publish(channel, "work", b"5")
    assert drain(channel, "work") == [b"3", b"4", b"5"]
    assert drain(channel, "dead") == [b"1", b"2"]


def test_a_full_queue_begins_to_refuse(admin: Admin, channel: BlockingChannel) -> None:
    channel.queue_declare("work", arguments={"x-max-length": 1})
    publish(channel, "work", b"1")
    admin.set_policy("strict", "^work$", overflow="reject-publish")
    with pytest.raises(pika.exceptions.NackError):
        publish(channel, "work", b"2")
    admin.clear_policy("strict")
    publish(channel, "work", b"3")
    assert drain(channel, "work") == [b"3"]


def test_an_unused_queue_expires(admin: Admin, channel: BlockingChannel) -> None:
    """Its consumer keeps it until it is cancelled; the messages are gone with it."""
    channel.queue_declare("temporary")
    consumer = Consumer(channel, "temporary")
    admin.set_policy("expire", "^temporary$", expires=TTL_MS)
    publish(channel, "temporary", b"kept by the consumer")
    consumer.wait(1)
    channel.basic_cancel(consumer.tag)
    channel.connection.sleep(4 * TTL_MS / 1000)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="no queue 'temporary'"):
        channel.queue_declare("temporary", passive=True)


def test_the_stricter_of_argument_and_policy_holds(admin: Admin, channel: BlockingChannel) -> None:
    channel.queue_declare("short", arguments={"x-max-length": 1})
    channel.queue_declare("long", arguments={"x-max-length": 9})
    admin.set_policy("two", ".*", max_length=2)
    for queue in ("short", "long"):
        publish(channel, queue, b"1", b"2", b"3")
    assert (drain(channel, "short"), drain(channel, "long")) == ([b"3"], [b"2", b"3"])


def test_the_dead_letter_exchange_of_the_argument_holds(admin: Admin, channel: BlockingChannel) -> None:
    channel.queue_declare("mine")
    channel.queue_declare("theirs")
    channel.queue_declare("work", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "mine"})
    admin.set_policy("dead", "^work$", dead_letter_exchange="", dead_letter_routing_key="theirs", max_length=1)
    publish(channel, "work", b"1", b"2")
    wait_for_ready_count(channel, "mine", 1)
    assert ready_count(channel, "theirs") == 0


def test_the_highest_priority_applies_alone(admin: Admin, channel: BlockingChannel) -> None:
    channel.queue_declare("work")
    admin.set_policy("all", ".*", max_length=1)
    admin.set_policy("work", "^work$", priority=1, max_length_bytes=100)
    publish(channel, "work", b"1", b"2")
    assert ready_count(channel, "work") == 2
    admin.clear_policy("work")
    wait_for_ready_count(channel, "work", 1)


def test_an_operator_policy_can_only_tighten(admin: Admin, channel: BlockingChannel) -> None:
    channel.queue_declare("work")
    admin.set_policy("long", "^work$", max_length=3)
    admin.set_operator_policy("guard", ".*", max_length=2)
    publish(channel, "work", b"1", b"2", b"3")
    assert drain(channel, "work") == [b"2", b"3"]
    admin.set_policy("long", "^work$", max_length=1)
    publish(channel, "work", b"1", b"2", b"3")
    assert drain(channel, "work") == [b"3"]


def test_a_policy_made_for_another_type_of_queue_does_not_match(admin: Admin, channel: BlockingChannel) -> None:
    channel.queue_declare("work")
    admin.set_policy("any", ".*", max_length=1)
    admin.set_policy("stream", ".*", priority=9, max_age="1h")
    publish(channel, "work", b"1", b"2")
    assert drain(channel, "work") == [b"2"]


def test_policies_do_not_count_when_a_queue_is_declared_again(admin: Admin, channel: BlockingChannel) -> None:
    admin.set_policy("short", ".*", max_length=1)
    channel.queue_declare("work")
    channel.queue_declare("work")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="but current is none"):
        channel.queue_declare("work", arguments={"x-max-length": 1})


def test_an_alternate_exchange_takes_what_has_no_route(admin: Admin, channel: BlockingChannel) -> None:
    channel.exchange_declare("orders")
    channel.exchange_declare("unrouted", "fanout")
    channel.queue_declare("lost")
    channel.queue_bind("lost", "unrouted")
    admin.set_policy("catch", "^orders$", apply_to="exchanges", alternate_exchange="unrouted")
    channel.basic_publish("orders", "nobody", b"1", mandatory=True)
    assert drain(channel, "lost") == [b"1"]
    admin.clear_policy("catch")
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("orders", "nobody", b"2", mandatory=True)


def test_a_delivery_limit_buries_a_poison_message(admin: Admin, channel: BlockingChannel) -> None:
    channel.queue_declare("dead")
    arguments = {"x-queue-type": "quorum", "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    channel.queue_declare("work", durable=True, arguments=arguments)
    admin.set_policy("poison", "^work$", delivery_limit=1)
    undertaker = Consumer(channel, "dead", auto_ack=True)
    worker = Consumer(channel, "work", lambda delivery: channel.basic_reject(delivery.method.delivery_tag))
    publish(channel, "work", b"poison")
    [letter] = undertaker.wait(1)
    assert letter.properties.headers["x-first-death-reason"] == "delivery_limit"
    assert worker.bodies == [b"poison", b"poison"]
