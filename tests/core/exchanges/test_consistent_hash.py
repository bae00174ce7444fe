"""The consistent hash exchange: weights, shares, and what is hashed."""

from collections import Counter

import pytest

from leveret.core.exchanges.consistent_hash import jump_hash
from leveret_protocol.fields import Field
from tests.core.exchanges.topology import HeadersMessage, NamedQueue, bind, make_exchange, refusal, routed, unbind

KEYS = [f"key-{number}" for number in range(600)]


@pytest.fixture
def exchange():
    return make_exchange("x-consistent-hash")


@pytest.fixture
def queues():
    return [NamedQueue(f"q{number}") for number in range(4)]


def queue_of(exchange, key, message=None):
    """The one queue that this goes to."""
    (queue,) = routed(exchange, key, message)
    return queue


def shares(exchange, queues):
    counts = Counter(queue_of(exchange, key) for key in KEYS)
    return [counts[queue] for queue in queues]


# -- weights ----------------------------------------------------------------------------------------------------------


def test_weights_are_shares(exchange, queues):
    """RabbitMQ: XT-14: 600 messages at 1:2:3."""
    for queue, weight in zip(queues, ["1", "2", "3"], strict=False):
        bind(exchange, queue, weight)
    assert shares(exchange, queues) == [pytest.approx(expected, abs=25) for expected in (100, 200, 300, 0)]


def test_nothing_bound_is_unroutable(exchange, queues):
    assert routed(exchange, "k") == []
    bind(exchange, queues[0], "3")
    assert routed(exchange, "k") == [queues[0]]
    unbind(exchange, queues[0], "3")
    assert routed(exchange, "k") == []


def test_a_new_binding_takes_its_share_and_moves_nothing_else(exchange, queues):
    """What makes the hash consistent."""
    for queue in queues[:3]:
        bind(exchange, queue, "2")
    before = {key: queue_of(exchange, key) for key in KEYS}
    bind(exchange, queues[3], "2")
    after = {key: queue_of(exchange, key) for key in KEYS}
    moved = [key for key in KEYS if after[key] is not before[key]]
    assert {after[key] for key in moved} == {queues[3]}
    assert len(moved) == pytest.approx(150, abs=25)
    unbind(exchange, queues[3], "2")
    assert {key: queue_of(exchange, key) for key in KEYS} == before


def test_a_second_binding_does_not_change_the_shares_and_either_takes_them_away(exchange, queues):
    """RabbitMQ: XT-16, and as seen on 3.10.8."""
    bind(exchange, queues[0], "1")
    bind(exchange, queues[1], "2")
    before = shares(exchange, queues)
    assert bind(exchange, queues[0], "50")
    assert shares(exchange, queues) == before
    unbind(exchange, queues[0], "50")
    assert shares(exchange, queues) == [0, 600, 0, 0]
    assert bind(exchange, queues[0], "50")
    assert shares(exchange, queues) == [pytest.approx(577, abs=15), pytest.approx(23, abs=15), 0, 0]


def test_a_destination_leaves_with_all_its_bindings(exchange, queues):
    for weight in ("1", "2"):
        bind(exchange, queues[0], weight)
        bind(exchange, queues[1], weight)
    exchange.unbind_destination(queues[0])
    assert shares(exchange, queues) == [0, 600, 0, 0]


@pytest.mark.parametrize("key", ["1", "01", "+1", "10000"])
def test_a_weight_is_an_integer_of_one_or_more(exchange, queues, key):
    assert bind(exchange, queues[0], key)
    assert routed(exchange, "k") == [queues[0]]


@pytest.mark.parametrize(
    ("key", "explanation"),
    [
        ("abc", 'The binding key must be an integer: <<"abc">>'),
        ("", "The binding key must be an integer: <<>>"),
        (" 1", 'The binding key must be an integer: <<" 1">>'),
        ("1_0", 'The binding key must be an integer: <<"1_0">>'),
        ("1.5", 'The binding key must be an integer: <<"1.5">>'),
        ("\u0661", 'The binding key must be an integer: <<"\u0661">>'),
        ("0", "The binding key must be greater than 0"),
        ("-1", "The binding key must be greater than 0"),
        ("10001", "The binding key must not exceed 10000"),
    ],
)
def test_another_binding_key_is_406(exchange, queues, key, explanation):
    """RabbitMQ: XT-13."""
    assert refusal(bind, exchange, queues[0], key) == f"PRECONDITION_FAILED - {explanation}"


# -- what is hashed ---------------------------------------------------------------------------------------------------


@pytest.fixture
def bound():
    """Makes an exchange with these arguments and ten queues."""

    def make(arguments):
        exchange = make_exchange("x-consistent-hash", arguments=arguments)
        for number in range(10):
            bind(exchange, NamedQueue(f"q{number}"), "1")
        return exchange

    return make


def test_only_the_primary_key_is_hashed(bound):
    """As seen on RabbitMQ 3.10.8: CC and BCC play no part."""
    exchange = bound({})
    for key in KEYS:
        assert list(exchange.route_by_keys([key, "cc"])) == routed(exchange, key)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"hash-header": "h"}, lambda value: HeadersMessage({"h": value, "other": 1})),
        ({"hash-property": "message_id"}, lambda value: HeadersMessage(message_id=value)),
        ({"hash-property": "correlation_id"}, lambda value: HeadersMessage(correlation_id=value)),
        ({"hash-property": "timestamp"}, lambda value: HeadersMessage(timestamp=int(value))),
    ],
)
def test_a_header_or_a_property_is_hashed_as_the_same_key_would_be(bound, argument, message):
    """RabbitMQ: XT-15; 3.10.8 treats the four alike, too."""
    exchange, by_key = bound(argument), bound({})
    values = [str(number) for number in range(100)]
    queues = {value: queue_of(exchange, "ignored", message(value)).name for value in values}
    assert queues == {value: queue_of(by_key, value).name for value in values}
    assert len(set(queues.values())) == 10


@pytest.mark.parametrize("argument", [{"hash-header": "h"}, {"hash-property": "message_id"}])
def test_messages_without_it_go_to_one_queue(bound, argument):
    exchange = bound(argument)
    messages = [HeadersMessage(), HeadersMessage({}), HeadersMessage({"other": 1}, correlation_id="c")]
    assert len({queue_of(exchange, key, message) for key in KEYS for message in messages}) == 1


def test_headers_of_any_type_are_hashed_by_their_value(bound):
    exchange = bound({"hash-header": "h"})
    values = [None, True, 1.5, [], ["a", "b"], {"k": "v"}, b"\xff", Field("D", (1, 15)), *range(30)]
    queues = [queue_of(exchange, "", HeadersMessage({"h": value})) for value in values]
    assert queues == [queue_of(exchange, "", HeadersMessage({"h": value})) for value in values]
    assert len(set(queues)) == 10
    widths = [Field(tag, 7) for tag in "bBsuIil"]
    assert len({queue_of(exchange, "", HeadersMessage({"h": value})) for value in widths}) == 1


@pytest.mark.parametrize("argument", [{"hash-header": "h"}, {"hash-property": "message_id"}])
def test_then_the_key_does_not_decide(bound, argument):
    assert bound(argument).route_by_keys(["k"]) is None


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        ({"hash-header": "h", "hash-property": "message_id"}, "hash-header and hash-property are mutually exclusive"),
        ({"hash-header": "h", "hash-property": "foo"}, "hash-header and hash-property are mutually exclusive"),
        ({"hash-property": "foo"}, "Unsupported property: foo"),
        ({"hash-property": ""}, "Unsupported property: "),
        ({"hash-property": 5}, "invalid type 'signedint' for arg 'hash-property' in exchange 'x' in vhost '/'"),
        ({"hash-header": None}, "invalid type 'void' for arg 'hash-header' in exchange 'x' in vhost '/'"),
    ],
)
def test_other_arguments_are_406(arguments, explanation):
    """RabbitMQ: XT-15; what is no string ends in 541 there."""
    text = refusal(make_exchange, "x-consistent-hash", arguments=arguments)
    assert text == f"PRECONDITION_FAILED - {explanation}"


# -- the hash ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "buckets", "bucket"),
    [(1, 1, 0), (42, 57, 43), (0xDEAD10CC, 1, 0), (0xDEAD10CC, 666, 361), (256, 1024, 520)],
)
def test_the_jump_hash_is_the_published_one(key, buckets, bucket):
    """Values that other implementations agree on."""
    assert jump_hash(key, buckets) == bucket
