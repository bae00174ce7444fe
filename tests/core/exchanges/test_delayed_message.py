"""The delayed message exchange: what is held for how long, and what becomes of it."""

import pytest

from leveret.core.exchanges.delayed_message import RELEASED_IN_A_SLICE
from leveret.core.node import Node
from leveret_protocol.fields import Field
from tests.core.exchanges.topology import HeadersMessage, NamedQueue, bind, make_exchange, refusal
from tests.core.scene import bind as bind_in
from tests.core.scene import declare_exchange, declare_queue, finish


class Clock:
    """Seconds, and the calls that are due by them."""

    def __init__(self):
        self.seconds = 1000.0
        self.node = Node(now=lambda: self.seconds)

    def show(self, seconds):
        self.seconds = seconds
        self.node.timers.run_due()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def vhost(clock):
    return clock.node.vhost("/")


@pytest.fixture
def exchange(vhost):
    """A delayed direct exchange x."""
    return declare_exchange(vhost, "x", "x-delayed-message", arguments={"x-delayed-type": "direct"})


@pytest.fixture
def queue(vhost, exchange):
    """Bound to x by k."""
    queue = declare_queue(vhost, "q")
    bind_in(vhost, "x", queue, "k")
    return queue


def publish(vhost, delay_ms, key="k"):
    vhost.publish(vhost.exchange("x"), [key], HeadersMessage({"x-delay": delay_ms, "n": delay_ms}))


def take_all(queue):
    """The values of header n of all ready messages."""
    messages = []
    while (entry := queue.get(no_ack=True)) is not None:
        messages.append(entry.message.headers["n"].value)
    return messages


# -- for how long -----------------------------------------------------------------------------------------------------


def test_a_message_is_held_until_it_is_due(clock, vhost, exchange, queue):
    """RabbitMQ: XT-19."""
    publish(vhost, 5000)
    clock.show(1004.999)
    assert (exchange.messages_delayed, queue.message_count) == (1, 0)
    clock.show(1005.0)
    assert (exchange.messages_delayed, queue.message_count) == (0, 1)


def test_messages_come_in_the_order_in_which_they_are_due(clock, vhost, exchange, queue):
    delays = [500, 100, 300, 200, 100, 400]
    for delay_ms in delays:
        publish(vhost, delay_ms)
    assert exchange.messages_delayed == 6
    clock.show(1000.25)
    assert take_all(queue) == [100, 100, 200]
    clock.show(1001.0)
    assert take_all(queue) == [300, 400, 500]
    assert exchange.messages_delayed == 0


def test_a_message_that_is_due_earlier_does_not_wait_for_the_others(clock, vhost, queue):
    publish(vhost, 60_000)
    publish(vhost, 10)
    assert clock.node.timers.next_at() == 1000.01
    clock.show(1000.01)
    assert take_all(queue) == [10]
    assert clock.node.timers.next_at() == 1060.0


@pytest.mark.parametrize("tag", "bBsuIilL")
def test_integers_of_every_width_are_delays(vhost, exchange, tag):
    publish(vhost, Field(tag, 100))
    assert exchange.messages_delayed == 1


@pytest.mark.parametrize(
    ("value", "due"),
    [(1, 1000.001), (2**32 - 1, 1000 + 4294967.295), ("250", 1000.25), ("+250", 1000.25), (250.9, 1000.25)],
)
def test_these_are_held(clock, vhost, exchange, value, due):
    """RabbitMQ: XT-19."""
    publish(vhost, value)
    assert clock.node.timers.next_at() == pytest.approx(due, abs=1e-6)


@pytest.mark.parametrize(
    "value",
    [
        *(0, -5, 2**32, 0.5, -3.5, float("inf"), float("nan"), "0", "-5", "4294967296"),
        *("abc", "", "5.5", " 5", "5 ", "\u0665", "1_0"),
        *(True, None, [100], {"a": 100}, b"100", Field("T", 100), Field("D", (0, 100))),
    ],
)
def test_anything_else_is_routed_at_once_and_as_it_is(vhost, exchange, queue, value):
    """RabbitMQ: XT-19."""
    message = HeadersMessage({"x-delay": value})
    vhost.publish(exchange, ["k"], message)
    assert exchange.messages_delayed == 0
    assert queue.get(no_ack=True).message is message


@pytest.mark.parametrize("headers", [None, {}, {"other": 100}])
def test_without_the_header_it_is_routed_at_once(vhost, exchange, queue, headers):
    vhost.publish(exchange, ["k"], HeadersMessage(headers))
    assert queue.message_count == 1


# -- what becomes of it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "late"), [(100, -100), ("100", -100), (100.7, -100), (Field("B", 100), -100)])
def test_the_header_of_a_late_message_is_negative(clock, vhost, exchange, queue, value, late):
    """RabbitMQ: XT-20; 4.x makes it a long and sorts the headers."""
    vhost.publish(exchange, ["k"], HeadersMessage({"z": 1, "x-delay": value, "a": 2}))
    clock.show(1001.0)
    assert queue.get(no_ack=True).message.headers["x-delay"] == Field("l", late)


def test_a_message_follows_the_bindings_of_the_moment(clock, vhost, exchange, queue):
    """RabbitMQ: XT-19, XT-21: unroutable when due: dropped."""
    later = declare_queue(vhost, "later")
    publish(vhost, 100)
    publish(vhost, 200)
    publish(vhost, 300)
    bind_in(vhost, "x", later, "k")
    clock.show(1000.1)
    assert (queue.message_count, later.message_count) == (1, 1)
    vhost.delete_queue(queue)
    clock.show(1000.2)
    assert later.message_count == 2
    vhost.delete_queue(later)
    clock.show(1000.3)
    assert exchange.messages_delayed == 0


def test_the_alternate_exchange_of_the_moment_gets_what_is_unroutable_then(clock, vhost, exchange, queue):
    publish(vhost, 100, "nowhere")
    declare_exchange(vhost, "ae", "fanout")
    lost = declare_queue(vhost, "lost")
    bind_in(vhost, "ae", lost)
    vhost.policies.set("p", pattern="^x$", definition={"alternate-exchange": "ae"}, apply_to="exchanges")
    clock.show(1000.1)
    assert take_all(lost) == [100]


def test_it_keeps_all_its_keys(clock, vhost, exchange, queue):
    """CC and BCC."""
    copies = declare_queue(vhost, "copies")
    bind_in(vhost, "x", copies, "cc")
    vhost.publish(exchange, ["other", "cc"], HeadersMessage({"x-delay": 100}))
    clock.show(1001.0)
    assert (queue.message_count, copies.message_count) == (0, 1)


def test_a_late_message_is_not_held_again(clock, vhost, exchange, queue):
    """By the next exchange of this type, or by the same one."""
    declare_exchange(vhost, "next", "x-delayed-message", arguments={"x-delayed-type": "fanout"})
    bind_in(vhost, "x", vhost.exchange("next"), "k")
    bind_in(vhost, "next", exchange)
    behind = declare_queue(vhost, "behind")
    bind_in(vhost, "next", behind)
    publish(vhost, 100)
    clock.show(1000.1)
    assert (queue.message_count, behind.message_count) == (1, 1)
    assert clock.node.timers.next_at() is None


def test_deleting_the_exchange_drops_what_it_holds(clock, vhost, exchange, queue):
    """RabbitMQ: XT-21."""
    publish(vhost, 100)
    vhost.delete_exchange("x", if_unused=False)
    assert exchange.messages_delayed == 0
    declare_exchange(vhost, "x", "x-delayed-message", arguments={"x-delayed-type": "direct"})
    bind_in(vhost, "x", queue, "k")
    clock.show(1001.0)
    assert queue.message_count == 0
    assert clock.node.timers.next_at() is None


def test_an_auto_delete_exchange_drops_it_too(clock, vhost):
    arguments = {"x-delayed-type": "direct"}
    exchange = declare_exchange(vhost, "x", "x-delayed-message", auto_delete=True, arguments=arguments)
    queue = declare_queue(vhost, "q")
    bind_in(vhost, "x", queue, "k")
    publish(vhost, 100)
    vhost.delete_queue(queue)
    assert exchange.messages_delayed == 0


def test_a_flood_that_is_due_at_once_comes_in_slices(clock, vhost, exchange, queue):
    """Others are served in between."""
    for _ in range(RELEASED_IN_A_SLICE + 5):
        publish(vhost, 100)
    publish(vhost, 5000)
    clock.show(1001.0)
    assert queue.message_count == RELEASED_IN_A_SLICE
    finish(clock.node)
    assert queue.message_count == RELEASED_IN_A_SLICE + 5
    clock.show(1005.0)
    assert queue.message_count == RELEASED_IN_A_SLICE + 6


def test_what_is_deleted_between_two_slices_releases_no_more(clock, vhost, exchange, queue):
    for _ in range(RELEASED_IN_A_SLICE + 5):
        publish(vhost, 100)
    clock.show(1001.0)
    vhost.delete_exchange("x", if_unused=False)
    finish(clock.node)
    assert queue.message_count == RELEASED_IN_A_SLICE


# -- the inner type ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        ({}, "Invalid argument, 'x-delayed-type' must be an existing exchange type"),
        ({"x-delayed-type": 5}, "Invalid argument, 'x-delayed-type' must be an existing exchange type"),
        ({"x-delayed-type": None}, "Invalid argument, 'x-delayed-type' must be an existing exchange type"),
        (
            {"x-delayed-type": "x-delayed-message"},
            "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'",
        ),
        ({"x-delayed-type": "bogus"}, "unknown exchange type 'bogus'"),
        ({"x-delayed-type": ""}, "unknown exchange type ''"),
        ({"x-delayed-type": "x-consistent-hash", "hash-property": "foo"}, "Unsupported property: foo"),
        (
            {"x-delayed-type": "x-recent-history", "x-recent-history-length": 0},
            "Invalid argument 0, 'x-recent-history-length' must be a positive integer",
        ),
    ],
)
def test_its_arguments_are_checked(arguments, explanation):
    """RabbitMQ: XT-18, and as seen with the plugin on 3.10.8."""
    text = refusal(make_exchange, "x-delayed-message", arguments=arguments)
    assert text == f"PRECONDITION_FAILED - {explanation}"


def test_a_byte_array_names_it_as_well():
    """As seen with the plugin on 3.10.8."""
    exchange = make_exchange("x-delayed-message", arguments={"x-delayed-type": b"topic"})
    queue = NamedQueue("q")
    bind(exchange, queue, "a.*")
    assert list(exchange.route(["a.b"], HeadersMessage())) == [queue]


def test_its_rules_for_bindings_hold():
    exchange = make_exchange("x-delayed-message", arguments={"x-delayed-type": "x-consistent-hash"})
    text = refusal(bind, exchange, NamedQueue("q"), "abc")
    assert text == 'PRECONDITION_FAILED - The binding key must be an integer: <<"abc">>'


@pytest.mark.parametrize(
    ("inner_type", "key"),
    [
        *[(name, "k") for name in ("direct", "fanout", "topic", "headers")],
        *[("x-consistent-hash", "5"), ("x-modulus-hash", ""), ("x-random", ""), ("x-local-random", "")],
        ("x-recent-history", ""),
    ],
)
def test_every_other_type_may_be_the_inner_one(clock, vhost, inner_type, key):
    declare_exchange(vhost, "x", "x-delayed-message", arguments={"x-delayed-type": inner_type})
    queue = declare_queue(vhost, "q")
    bind_in(vhost, "x", queue, key)
    publish(vhost, 100)
    publish(vhost, 0)
    assert take_all(queue) == [0]
    clock.show(1000.1)
    assert take_all(queue) == [100]


def test_a_history_inside_keeps_messages_when_they_are_due(clock, vhost):
    """As seen with the plugin on 3.10.8."""
    arguments = {"x-delayed-type": "x-recent-history"}
    declare_exchange(vhost, "x", "x-delayed-message", arguments=arguments)
    publish(vhost, 0)
    publish(vhost, 100)
    early, late = declare_queue(vhost, "early"), declare_queue(vhost, "late")
    bind_in(vhost, "x", early, "")
    assert take_all(early) == [0]
    clock.show(1000.1)
    bind_in(vhost, "x", late, "")
    assert take_all(late) == [0, 100]


def test_the_key_never_decides(vhost, exchange):
    assert vhost.route_by_keys(exchange, ["k"]) is None
