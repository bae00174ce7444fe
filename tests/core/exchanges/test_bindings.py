"""Bindings of every exchange type: which are the same, and what is left when some of them go."""

import time

import pytest

from leveret.core.exchanges import EXCHANGE_TYPES, exchange_class
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import Field
from tests.core.exchanges.topology import HeadersMessage, NamedQueue, bind, binding, make_exchange, routed, unbind

KEY_TYPES = ["direct", "fanout", "topic"]
# Those that follow all bindings that match, not one of them.
MATCHING_TYPES = [*KEY_TYPES, "headers", "x-delayed-message", "x-recent-history"]
# A binding key that the type accepts.
BINDING_KEYS = {"x-consistent-hash": "1", "x-local-random": ""}


@pytest.fixture(params=MATCHING_TYPES)
def exchange(request):
    return make_exchange(request.param)


@pytest.fixture
def queues():
    return [NamedQueue(f"q{number}") for number in range(4)]


def routed_of_any_type(exchange, key):
    return routed(exchange, key, HeadersMessage())


# -- identity ---------------------------------------------------------------------------------------------------------


def test_binding_twice_is_one_binding(exchange, queues):
    """RabbitMQ: QU-21."""
    assert bind(exchange, queues[0], "k", {"a": 1})
    assert not bind(exchange, queues[0], "k", {"a": 1})
    assert len(exchange.bindings) == 1
    assert unbind(exchange, queues[0], "k", {"a": 1})
    assert routed_of_any_type(exchange, "k") == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": Field("l", 1)}, {"a": Field("L", 1)}),
        ({"a": Field("d", 0.0)}, {"a": Field("d", -0.0)}),
        ({"a": [Field("l", 1)]}, {"a": [Field("L", 1)]}),
        ({"a": {"b": Field("l", 1)}}, {"a": {"b": Field("L", 1)}}),
    ],
)
def test_these_arguments_make_the_same_binding(exchange, queues, one, other):
    """RabbitMQ: QU-23, and as seen on 3.10.8."""
    assert bind(exchange, queues[0], "k", one)
    assert not bind(exchange, queues[0], "k", other)
    assert unbind(exchange, queues[0], "k", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {}),
        ({"a": 1}, {"b": 1}),
        ({"a": Field("I", 1)}, {"a": Field("l", 1)}),
        ({"a": Field("b", 1)}, {"a": Field("B", 1)}),
        ({"a": Field("b", 1)}, {"a": Field("t", True)}),
        ({"a": Field("I", 1)}, {"a": Field("d", 1.0)}),
        ({"a": Field("f", 1.5)}, {"a": Field("d", 1.5)}),
        ({"a": Field("S", "a")}, {"a": Field("x", b"a")}),
        ({"a": []}, {"a": {}}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": [Field("I", 1)]}, {"a": [Field("l", 1)]}),
        ({"a": [[Field("I", 1)]]}, {"a": [[Field("b", 1)]]}),
        ({"a": {"b": Field("I", 1)}}, {"a": {"b": Field("l", 1)}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2, "b": 1}}),
        ({"a": Field("D", (1, 10))}, {"a": Field("D", (0, 1))}),
    ],
)
def test_these_arguments_make_different_bindings(exchange, queues, one, other):
    """RabbitMQ: QU-22, QU-23, and as seen on 3.10.8."""
    assert bind(exchange, queues[0], "k", one)
    assert bind(exchange, queues[0], "k", other)
    assert len(exchange.bindings) == 2


def test_key_and_destination_are_part_of_the_identity(exchange, queues):
    assert bind(exchange, queues[0], "k")
    assert bind(exchange, queues[0], "other")
    assert bind(exchange, queues[1], "k")
    assert not unbind(exchange, queues[1], "other")
    assert len(exchange.bindings) == 3


def test_queue_and_exchange_of_one_name_are_different_destinations(exchange):
    assert bind(exchange, NamedQueue("same"), "k")
    assert bind(exchange, make_exchange("fanout", "same"), "k")


# -- what is bound ----------------------------------------------------------------------------------------------------


def test_bindings_are_listed_in_order_of_creation(exchange, queues):
    for queue, key in [(queues[2], "b"), (queues[0], "a"), (queues[2], "a")]:
        bind(exchange, queue, key)
    listed = [(found.destination, found.routing_key) for found in exchange.bindings.values()]
    assert listed == [(queues[2], "b"), (queues[0], "a"), (queues[2], "a")]
    assert [found.routing_key for found in exchange.bindings_to(queues[2])] == ["b", "a"]
    assert list(exchange.destinations()) == [queues[2], queues[0]]


def test_bindings_are_found_by_their_identity(exchange, queues):
    bind(exchange, queues[0], "k", {"a": 1})
    assert exchange.bindings[binding(exchange, queues[0], "k", {"a": 1}).identity].arguments == {"a": Field("I", 1)}
    assert binding(exchange, queues[0], "k").identity not in exchange.bindings


def test_unbinding_what_is_not_bound_changes_nothing(exchange, queues):
    """RabbitMQ: QU-20."""
    bind(exchange, queues[0], "k")
    assert not unbind(exchange, queues[0], "other")
    assert not unbind(exchange, queues[1], "k")
    assert not unbind(exchange, queues[0], "k", {"a": 1})
    assert routed_of_any_type(exchange, "k") == [queues[0]]


def test_a_destination_stays_until_its_last_binding_goes(exchange, queues):
    bind(exchange, queues[0], "k", {"x-one": 1})
    bind(exchange, queues[0], "k", {"x-two": 2})
    unbind(exchange, queues[0], "k", {"x-one": 1})
    assert routed_of_any_type(exchange, "k") == [queues[0]]
    unbind(exchange, queues[0], "k", {"x-two": 2})
    assert routed_of_any_type(exchange, "k") == []
    assert list(exchange.bindings_to(queues[0])) == []
    assert list(exchange.destinations()) == []


def test_unbinding_a_destination_removes_all_its_bindings_and_no_others(exchange, queues):
    for queue in queues[:2]:
        bind(exchange, queue, "k")
        bind(exchange, queue, "k", {"x-one": 1})
        bind(exchange, queue, "other")
    assert exchange.unbind_destination(queues[0]) == 3
    assert {found.destination for found in exchange.bindings.values()} == {queues[1]}
    assert routed_of_any_type(exchange, "k") == routed_of_any_type(exchange, "other") == [queues[1]]
    assert exchange.unbind_destination(queues[0]) == 0
    assert bind(exchange, queues[0], "k")
    assert routed_of_any_type(exchange, "k") == [queues[1], queues[0]]


@pytest.mark.parametrize("type_name", sorted(EXCHANGE_TYPES))
def test_unbinding_a_destination_costs_the_same_however_many_others_there_are(type_name):
    """A walk over all bindings for each queue would take minutes here."""
    exchange = make_exchange(type_name)
    queues = [NamedQueue(f"q{number}") for number in range(20_000)]
    for queue in queues:
        bind(exchange, queue, BINDING_KEYS.get(type_name, queue.name))
    started = time.process_time()
    for queue in queues:
        assert exchange.unbind_destination(queue) == 1
    assert time.process_time() - started < 2.0
    assert not exchange.bindings


# -- direct and fanout ------------------------------------------------------------------------------------------------


def test_direct_compares_whole_keys_and_knows_no_wildcards(queues):
    """RabbitMQ: XT-2."""
    exchange = make_exchange("direct")
    for queue, key in zip(queues, ["a.b", "#", "a.*", ""], strict=True):
        bind(exchange, queue, key)
    assert routed(exchange, "a.b") == [queues[0]]
    assert routed(exchange, "#") == [queues[1]]
    assert routed(exchange, "A.B") == []
    assert routed(exchange, "") == [queues[3]]


def test_fanout_ignores_keys_and_arguments(queues):
    """RabbitMQ: XT-2."""
    exchange = make_exchange("fanout")
    bind(exchange, queues[1], "a", {"x-match": "bogus"})
    bind(exchange, queues[0], "b")
    assert routed(exchange, "c") == [queues[1], queues[0]]


@pytest.mark.parametrize("type_name", KEY_TYPES)
def test_one_destination_comes_once_however_many_bindings_lead_there(type_name, queues):
    exchange = make_exchange(type_name)
    bind(exchange, queues[0], "k", {"a": 1})
    bind(exchange, queues[0], "k", {"a": 2})
    assert list(exchange.route(["k"], HeadersMessage())) == [queues[0]]


# -- types ------------------------------------------------------------------------------------------------------------


def test_which_types_decide_by_the_key_alone():
    decided = {name for name in EXCHANGE_TYPES if make_exchange(name).route_by_keys(["k"]) is not None}
    assert decided == {*KEY_TYPES, "x-consistent-hash", "x-modulus-hash"}


@pytest.mark.parametrize("type_name", ["nosuchtype", "", "Direct"])
def test_an_unknown_type_is_406(type_name):
    """RabbitMQ: EX-1, since 3.13.3."""
    with pytest.raises(AMQPError) as caught:
        exchange_class(type_name)
    assert caught.value.reply_code is ReplyCode.PRECONDITION_FAILED
    assert caught.value.reply_text == f"PRECONDITION_FAILED - unknown exchange type '{type_name}'"


def test_the_alternate_exchange_comes_from_the_arguments(exchange):
    assert exchange.alternate is None
    assert make_exchange(exchange.type_name, alternate="other").alternate == "other"
