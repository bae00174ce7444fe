"""The headers exchange: which values are the same, which arguments count, and what a bind is refused for."""

import pytest

from leveret.core.exchanges.header_fields import fields_match
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import Field, field
from tests.core.exchanges.topology import HeadersMessage, NamedQueue, bind, make_exchange, routed, unbind

QUEUE = NamedQueue("q")


def takes(arguments, headers):
    """Whether a binding with these arguments takes a message with these headers."""
    exchange = make_exchange("headers")
    bind(exchange, QUEUE, "", arguments)
    return routed(exchange, "", HeadersMessage(headers)) == [QUEUE]


# -- values -----------------------------------------------------------------------------------------------------------

# All seen on RabbitMQ 3.10.8, but for integers against floats: those differ since 3.13 (VER-17).
SAME = [
    *[(Field(one, 1), Field(other, 1)) for one in "bBsuIilLT" for other in "bBsuIilLT"],
    (Field("l", -5), Field("b", -5)),
    (Field("S", "a"), Field("x", b"a")),
    (Field("S", ""), Field("x", b"")),
    (Field("S", "caf\u00e9"), Field("x", b"caf\xc3\xa9")),
    (Field("S", "\udcff"), Field("x", b"\xff")),
    (Field("t", True), Field("t", True)),
    (Field("f", 1.5), Field("d", 1.5)),
    (Field("d", 0.0), Field("d", -0.0)),
    (Field("D", (1, 10)), Field("D", (1, 10))),
    (field([]), field({})),
    (field({}), field([])),
    (field([1, "a", None]), field([1, "a", None])),
    (field([Field("l", 1)]), field([Field("L", 1)])),
    (field({"a": 1, "b": [2]}), field({"a": 1, "b": [2]})),
    (field(None), field(None)),
]

DIFFERENT = [
    (Field("I", 1), Field("I", 2)),
    (Field("t", True), Field("I", 1)),
    (Field("I", 0), Field("t", False)),
    (Field("t", True), Field("t", False)),
    (Field("t", True), Field("S", "true")),
    (Field("t", True), Field("d", 1.0)),
    (Field("d", 1.0), Field("I", 1)),
    (Field("I", 1), Field("f", 1.0)),
    (Field("T", 1), Field("d", 1.0)),
    (Field("f", 0.10000000149011612), Field("d", 0.1)),
    (Field("S", "1"), Field("I", 1)),
    (Field("S", "a"), Field("S", "A")),
    (Field("T", 2**64 - 1), Field("l", -1)),
    (Field("l", 2**53 + 1), Field("d", 2.0**53)),
    (Field("D", (1, 10)), Field("D", (0, 1))),
    (Field("D", (0, 1)), Field("I", 1)),
    (Field("D", (1, 15)), Field("d", 1.5)),
    (Field("S", ""), field([])),
    (Field("S", "a"), field([Field("B", 97)])),
    (Field("I", 1), field(None)),
    (Field("S", ""), field(None)),
    (Field("S", "undefined"), field(None)),
    (field([1, 2]), field([2, 1])),
    (field([1]), field([1, 1])),
    (field([[]]), field([{}])),
    (field([Field("I", 1)]), field([Field("l", 1)])),
    (field([Field("T", 1)]), field([Field("l", 1)])),
    (field([Field("S", "a")]), field([Field("x", b"a")])),
    (field([Field("f", 1.5)]), field([Field("d", 1.5)])),
    (field([True]), field([Field("I", 1)])),
    (field([None]), field([1])),
    (field([["S", "a"]]), field({"S": "a"})),
    (field({"a": None}), field({"a": 1})),
    (field({"a": Field("I", 1)}), field({"a": Field("l", 1)})),
    (field({"a": 1, "b": 2}), field({"b": 2, "a": 1})),
    (field({"a": 1}), field({"b": 1})),
]


def names(pairs):
    return [f"{one.tag} {one.value!r} and {other.tag} {other.value!r}" for one, other in pairs]


@pytest.mark.parametrize(("one", "other"), SAME, ids=names(SAME))
def test_these_values_are_the_same(one, other):
    """RabbitMQ: XT-10."""
    assert fields_match(one, other)
    assert takes({"k": one}, {"k": other})


@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=names(DIFFERENT))
def test_these_values_are_different(one, other):
    """RabbitMQ: XT-9, XT-10, VER-17."""
    assert not fields_match(one, other)
    assert not takes({"k": one}, {"k": other})


@pytest.mark.parametrize("value", [1, "", True, False, 1.5, b"", [], {}, None])
def test_a_void_argument_asks_for_presence_only(value):
    """RabbitMQ: XT-9."""
    assert fields_match(field(None), field(value))
    for match in ("all", "any", "all-with-x", "any-with-x"):
        assert takes({"x-match": match, "k": None}, {"k": value})
        assert not takes({"x-match": match, "k": None}, {"K": value})
        assert not takes({"x-match": match, "k": None}, None)


# -- x-match ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("match", [{}, {"x-match": "all"}, {"x-match": "all-with-x"}])
def test_all_asks_for_every_argument(match):
    """RabbitMQ: XT-7, "all" is the default."""
    arguments = {**match, "a": 1, "b": "two", "c": None}
    assert takes(arguments, {"a": 1, "b": "two", "c": 3})
    assert takes(arguments, {"a": 1, "b": "two", "c": 3, "more": 4})
    assert not takes(arguments, {"a": 1, "b": "two"})
    assert not takes(arguments, {"a": 1, "c": 3})
    assert not takes(arguments, {"a": 2, "b": "two", "c": 3})
    assert not takes(arguments, {})
    assert not takes(arguments, None)


@pytest.mark.parametrize("match", [{"x-match": "any"}, {"x-match": "any-with-x"}])
def test_any_asks_for_one_argument(match):
    """RabbitMQ: XT-7."""
    arguments = {**match, "a": 1, "b": "two", "c": None}
    assert takes(arguments, {"a": 1})
    assert takes(arguments, {"a": 2, "b": "two"})
    assert takes(arguments, {"c": "anything"})
    assert not takes(arguments, {"a": 2, "b": "three", "more": 4})
    assert not takes(arguments, {})
    assert not takes(arguments, None)


@pytest.mark.parametrize("prefixed", ["x-", "x-k", "x-matches"])
def test_arguments_with_the_prefix_count_only_with_x(prefixed):
    """RabbitMQ: XT-8."""
    assert takes({"x-match": "all", prefixed: 1, "a": 1}, {"a": 1})
    assert not takes({"x-match": "all-with-x", prefixed: 1, "a": 1}, {"a": 1})
    assert takes({"x-match": "all-with-x", prefixed: 1, "a": 1}, {"a": 1, prefixed: 1})
    assert not takes({"x-match": "any", prefixed: 1}, {prefixed: 1})
    assert takes({"x-match": "any-with-x", prefixed: 1}, {prefixed: 1})


@pytest.mark.parametrize("name", ["x", "X-k", "xk", "a-x-"])
def test_other_arguments_always_count(name):
    """RabbitMQ: XT-8."""
    assert not takes({name: 1}, {})
    assert takes({"x-match": "any", name: 1}, {name: 1})


@pytest.mark.parametrize(("match", "expected"), [("all", True), ("any", False), ("all-with-x", True)])
def test_x_match_itself_is_never_compared(match, expected):
    """RabbitMQ: XT-8."""
    assert takes({"x-match": match}, {}) is expected
    assert takes({"x-match": match}, {"x-match": match}) is expected


@pytest.mark.parametrize("headers", [None, {}, {"a": 1}])
def test_without_arguments_all_takes_everything_and_any_nothing(headers):
    """RabbitMQ: XT-11."""
    for ignored in ({}, {"x-k": 1}):
        assert takes(ignored, headers)
        assert takes({"x-match": "all", **ignored}, headers)
        assert not takes({"x-match": "any", **ignored}, headers)
    assert takes({"x-match": "all-with-x"}, headers)
    assert not takes({"x-match": "any-with-x"}, headers)


# -- the exchange -----------------------------------------------------------------------------------------------------


def test_the_keys_play_no_part():
    """RabbitMQ: XT-12."""
    exchange = make_exchange("headers")
    bind(exchange, QUEUE, "binding.key", {"a": 1})
    assert routed(exchange, "routing.key", HeadersMessage({"a": 1})) == [QUEUE]
    assert routed(exchange, "binding.key", HeadersMessage({"a": 2})) == []


def test_bindings_are_independent_of_each_other():
    exchange = make_exchange("headers")
    queues = [NamedQueue(f"q{number}") for number in range(3)]
    bind(exchange, queues[0], "", {"a": 1})
    bind(exchange, queues[1], "", {"a": 2})
    bind(exchange, queues[2], "", {"x-match": "any", "a": 1, "b": 1})
    bind(exchange, queues[2], "", {"a": 1})
    assert routed(exchange, "", HeadersMessage({"a": 1})) == [queues[0], queues[2]]
    unbind(exchange, queues[2], "", {"a": 1})
    assert routed(exchange, "", HeadersMessage({"a": 1})) == [queues[0], queues[2]]
    unbind(exchange, queues[2], "", {"x-match": "any", "b": 1, "a": 1})
    assert routed(exchange, "", HeadersMessage({"a": 1})) == [queues[0]]
    assert routed(exchange, "", HeadersMessage({"a": 2})) == [queues[1]]


# -- refusals, all texts as seen on RabbitMQ 3.10.8 -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("bogus", '<<"bogus">>'),
        ("", "<<>>"),
        ("All", '<<"All">>'),
        ("caf\u00e9", '<<"caf\u00e9">>'),
        ("\x00a", "<<0,97>>"),
        ('a"b\\c\n', '<<"a\\"b\\\\c\\n">>'),
        ("\u0142\u20ac", "<<197,130,226,130,172>>"),
        ("\udcff", '<<"\udcff">>'),
        ("\udc85", "<<133>>"),
    ],
)
def test_another_word_for_x_match_is_406(value, shown):
    """RabbitMQ: XT-7."""
    with pytest.raises(AMQPError) as caught:
        bind(make_exchange("headers"), NamedQueue("q"), arguments={"x-match": value})
    assert caught.value.reply_code is ReplyCode.PRECONDITION_FAILED
    assert caught.value.explanation == (
        f"Invalid x-match field value {shown}; expected all, any, all-with-x, or any-with-x"
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Field("b", 1), "type byte (value 1)"),
        (Field("B", 200), "type unsignedbyte (value 200)"),
        (Field("I", -5), "type signedint (value -5)"),
        (Field("L", 7), "type long (value 7)"),
        (Field("T", 5), "type timestamp (value 5)"),
        (Field("t", True), "type bool (value true)"),
        (Field("t", False), "type bool (value false)"),
        (Field("V", None), "type void (value undefined)"),
        (Field("d", 1.5), "type double (value 1.5)"),
        (Field("D", (1, 15)), "type decimal (value {1,15})"),
        (Field("x", b"all"), 'type binary (value <<"all">>)'),
        (Field("A", []), "type array (value [])"),
        (Field("F", {}), "type table (value [])"),
        (field([1, "x", [None]]), 'type array (value [{signedint,1},{longstr,<<"x">>},{array,[{void,undefined}]}])'),
        (field({"k": "\x01"}), 'type table (value [{<<"k">>,longstr,<<1>>}])'),
    ],
)
def test_x_match_that_is_no_string_is_406(value, shown):
    """RabbitMQ: XT-7; the nested values are broken into lines there."""
    with pytest.raises(AMQPError) as caught:
        bind(make_exchange("headers"), NamedQueue("q"), arguments={"x-match": value})
    assert caught.value.reply_code is ReplyCode.PRECONDITION_FAILED
    assert caught.value.explanation == f"Invalid x-match field {shown}; expected longstr"


@pytest.mark.parametrize("type_name", ["direct", "fanout", "topic"])
def test_other_exchange_types_take_any_x_match(type_name):
    assert bind(make_exchange(type_name), NamedQueue("q"), arguments={"x-match": "bogus"})
