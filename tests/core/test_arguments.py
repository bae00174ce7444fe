"""Arguments of declarations: RabbitMQ's checks and its texts."""

import pytest

from leveret.core.arguments import (
    TEN_YEARS_MS,
    check_equal,
    check_equivalent,
    check_integer,
    check_longstr,
    check_queue_arguments,
    check_queue_equivalent,
    check_replicated,
)
from leveret_protocol.errors import AMQPError
from leveret_protocol.fields import INTEGER_TAGS, TYPE_NAMES, Field, FieldValue, Table, table
from tests.core.scene import told

Q = "queue 'q' in vhost '/'"
INTEGERS = [
    "x-expires",
    "x-message-ttl",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-queue-version",
]
EXAMPLES: dict[str, FieldValue] = {
    "t": True, "f": 1.5, "d": 1.5, "D": (0, 1), "S": "1", "x": b"1", "T": 1, "F": {}, "A": [], "V": None,
}  # fmt: skip


def refusal(arguments: Table) -> tuple[int, str]:
    with pytest.raises(AMQPError) as caught:
        check_queue_arguments(Q, arguments)
    return told(caught.value)


# -- validation -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "queue_type"),
    [
        ({}, "classic"),
        ({"x-queue-type": "classic"}, "classic"),
        ({"x-queue-type": "quorum"}, "quorum"),
        ({"x-queue-type": "stream"}, "stream"),
        ({"x-unknown": [1, {"a": None}]}, "classic"),
        ({"x-message-ttl": 0}, "classic"),
        ({"x-message-ttl": TEN_YEARS_MS}, "classic"),
        ({"x-expires": 1}, "classic"),
        ({"x-expires": TEN_YEARS_MS}, "classic"),
        ({"x-max-length": 0, "x-max-length-bytes": 2**62}, "classic"),
        ({"x-max-priority": 0}, "classic"),
        ({"x-max-priority": 255}, "classic"),
        ({"x-overflow": "drop-head"}, "classic"),
        ({"x-overflow": "reject-publish"}, "classic"),
        ({"x-overflow": "reject-publish-dlx"}, "classic"),
        ({"x-dead-letter-exchange": ""}, "classic"),
        ({"x-dead-letter-exchange": "gone", "x-dead-letter-routing-key": "k"}, "classic"),
        ({"x-single-active-consumer": True}, "classic"),
        ({"x-queue-mode": "lazy"}, "classic"),
        ({"x-queue-mode": "default"}, "classic"),
        ({"x-queue-version": 1}, "classic"),
        ({"x-queue-version": 2}, "classic"),
        ({"x-queue-leader-locator": "balanced"}, "classic"),
        ({"x-queue-type": "quorum", "x-delivery-limit": "any"}, "quorum"),
        ({"x-queue-type": "quorum", "x-dead-letter-strategy": "at-least-once"}, "quorum"),
        ({"x-queue-type": "quorum", "x-quorum-initial-group-size": 1}, "quorum"),
        ({"x-queue-type": "stream", "x-max-age": "12h"}, "stream"),
        ({"x-queue-type": "stream", "x-max-age": "07D", "x-initial-cluster-size": 3}, "stream"),
    ],
)
def test_valid_arguments_answer_the_queues_type(arguments: dict[str, object], queue_type: str) -> None:
    assert check_queue_arguments(Q, table(arguments)) == queue_type


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("x-message-ttl", -1, "{value_negative,-1}"),
        ("x-message-ttl", TEN_YEARS_MS + 1, "{value_too_large,315360000001}"),
        ("x-expires", 0, "{value_zero,0}"),
        ("x-expires", -1, "{value_negative,-1}"),
        ("x-expires", TEN_YEARS_MS + 1, "{value_too_large,315360000001}"),
        ("x-max-length", -1, "{value_negative,-1}"),
        ("x-max-length-bytes", -5, "{value_negative,-5}"),
        ("x-max-priority", -1, "{value_negative,-1}"),
        ("x-max-priority", 256, "{max_value_exceeded,256}"),
        ("x-overflow", "bogus", "invalid_overflow"),
        ("x-overflow", 1, "{unacceptable_type,signedint}"),
        ("x-dead-letter-routing-key", "k", "routing_key_but_no_dlx_defined"),
        ("x-dead-letter-routing-key", 1, "{unacceptable_type,signedint}"),
        ("x-queue-type", "bogus", "\"unsupported queue type 'bogus'\""),
        ("x-queue-type", "Quorum", "\"unsupported queue type 'Quorum'\""),
        ("x-queue-type", "", "\"unsupported queue type ''\""),
        ("x-queue-type", 1, "{unacceptable_type,signedint}"),
        ("x-single-active-consumer", "true", "{unacceptable_type,longstr}"),
        ("x-queue-mode", "bogus", "\"unsupported queue mode 'bogus'\""),
        ("x-queue-mode", True, "{unacceptable_type,bool}"),
        ("x-queue-version", 3, "\"unsupported queue version '3'\""),
        ("x-queue-leader-locator", "bogus", "invalid_queue_locator_arg"),
    ],
)
def test_a_value_that_is_not_valid_is_406_with_its_reason(name: str, value: object, reason: str) -> None:
    """RabbitMQ QA-1, QA-2."""
    assert refusal(table({name: value})) == (406, f"invalid arg '{name}' for {Q}: {reason}")


@pytest.mark.parametrize(
    ("queue_type", "name", "value", "reason"),
    [
        ("quorum", "x-dead-letter-strategy", "bogus", "invalid_dlx_strategy"),
        ("quorum", "x-dead-letter-strategy", 1, "{unacceptable_type,signedint}"),
        ("quorum", "x-quorum-initial-group-size", 0, "{value_zero,0}"),
        ("quorum", "x-max-in-memory-length", -1, "{value_negative,-1}"),
        ("quorum", "x-max-in-memory-bytes", "1", '"expected integer, got longstr"'),
        ("stream", "x-initial-cluster-size", 0, "{value_zero,0}"),
        ("stream", "x-max-age", "D", "invalid_max_age"),
        ("stream", "x-max-age", "0D", "invalid_max_age"),
        ("stream", "x-max-age", "5w", "invalid_max_age"),
        ("stream", "x-max-age", 5, "{unacceptable_type,signedint}"),
        ("stream", "x-stream-max-segment-size-bytes", -1, "{value_negative,-1}"),
        ("stream", "x-queue-leader-locator", "bogus", "invalid_queue_locator_arg"),
    ],
)
def test_arguments_of_other_queue_types_have_reasons_too(
    queue_type: str, name: str, value: object, reason: str
) -> None:
    """RabbitMQ QA-2."""
    assert refusal(table({"x-queue-type": queue_type, name: value})) == (406, f"invalid arg '{name}' for {Q}: {reason}")


@pytest.mark.parametrize("tag", sorted(INTEGER_TAGS))
@pytest.mark.parametrize("name", INTEGERS)
def test_integers_of_all_widths_are_fine(name: str, tag: str) -> None:
    """RabbitMQ QA-2: all eight integer tags."""
    check_queue_arguments(Q, {name: Field(tag, 2)})


@pytest.mark.parametrize("tag", sorted(EXAMPLES))
@pytest.mark.parametrize("name", INTEGERS)
def test_what_is_no_integer_is_named_by_its_wire_type(name: str, tag: str) -> None:
    """RabbitMQ QA-2: in double quotes."""
    text = f"invalid arg '{name}' for {Q}: \"expected integer, got {TYPE_NAMES[tag]}\""
    assert refusal({name: Field(tag, EXAMPLES[tag])}) == (406, text)


@pytest.mark.parametrize("tag", sorted(EXAMPLES.keys() - {"S"}))
@pytest.mark.parametrize("name", ["x-queue-type", "x-overflow", "x-queue-mode", "x-dead-letter-routing-key"])
def test_what_is_no_string_is_named_by_its_wire_type(name: str, tag: str) -> None:
    text = f"invalid arg '{name}' for {Q}: {{unacceptable_type,{TYPE_NAMES[tag]}}}"
    assert refusal({name: Field(tag, EXAMPLES[tag])}) == (406, text)


@pytest.mark.parametrize(
    ("queue_type", "name", "value"),
    [
        ("classic", "x-delivery-limit", 1),
        ("classic", "x-dead-letter-strategy", "bogus"),
        ("classic", "x-max-age", 1),
        ("quorum", "x-max-priority", -1),
        ("quorum", "x-queue-mode", "lazy"),
        ("stream", "x-message-ttl", -1),
        ("stream", "x-single-active-consumer", True),
    ],
)
def test_an_argument_of_another_queue_type_is_406_whatever_its_value(queue_type: str, name: str, value: object) -> None:
    """RabbitMQ QA-1."""
    assert refusal(table({"x-queue-type": queue_type, name: value})) == (
        406, f"invalid arg '{name}' for {Q} of queue type rabbit_{queue_type}_queue",
    )  # fmt: skip


def test_a_dead_letter_exchange_that_is_no_string_has_a_text_of_its_own() -> None:
    """RabbitMQ QA-2."""
    text = f"invalid type 'signedint' for arg 'x-dead-letter-exchange' in {Q}"
    assert refusal(table({"x-dead-letter-exchange": 1})) == (406, text)


def test_of_several_wrong_arguments_the_first_in_rabbitmqs_order_is_told() -> None:
    """RabbitMQ QA-1: whatever the order in the table."""
    wrong = {
        "x-delivery-limit": 1,
        "x-queue-mode": "bogus",
        "x-overflow": "bogus",
        "x-max-priority": 256,
        "x-max-length-bytes": -1,
        "x-max-length": -1,
        "x-dead-letter-routing-key": 1,
        "x-message-ttl": -1,
        "x-expires": 0,
        "x-queue-type": "bogus",
        "x-dead-letter-exchange": 1,
    }
    while wrong:
        name = list(wrong)[-1]
        code, text = refusal(table(wrong))
        assert code == 406
        assert f"arg '{name}'" in text
        del wrong[name]


def test_a_longstr_argument_may_be_missing() -> None:
    check_longstr({}, "alternate-exchange", "exchange 'x' in vhost '/'")


def test_an_integer_argument_of_a_consumer() -> None:
    """RabbitMQ B-18."""
    assert check_integer("x-priority", Field("b", -3), Q) == -3
    with pytest.raises(AMQPError) as caught:
        check_integer("x-priority", Field("S", "3"), Q)
    assert told(caught.value) == (406, f"invalid arg 'x-priority' for {Q}: \"expected integer, got longstr\"")


def test_properties_of_replicated_queues_are_checked_in_order() -> None:
    """RabbitMQ QA-3: auto-delete, exclusive, durable."""
    check_replicated(Q, durable=True, exclusive=False, auto_delete=False)
    for durable, exclusive, auto_delete, name in [
        (False, True, True, "auto-delete"),
        (False, True, False, "exclusive-owner"),
        (False, False, False, "non-durable"),
    ]:
        with pytest.raises(AMQPError) as caught:
            check_replicated(Q, durable=durable, exclusive=exclusive, auto_delete=auto_delete)
        assert told(caught.value) == (406, f"invalid property '{name}' for {Q}")


# -- equivalence ------------------------------------------------------------------------------------------------------
def inequivalence(new: Table, old: Table, type_name: str = "classic") -> tuple[int, str]:
    with pytest.raises(AMQPError) as caught:
        check_queue_equivalent(Q, type_name, new, old)
    return told(caught.value)


TTL = "x-message-ttl"


@pytest.mark.parametrize(
    ("new", "old", "text"),
    [
        (Field("I", 2000), Field("I", 1000), "received '2000' but current is '1000'"),
        (Field("s", 1000), None, "received the value '1000' of type 'short' but current is none"),
        (None, Field("s", 1000), "received none but current is the value '1000' of type 'short'"),
        (Field("d", 1000.0), Field("I", 1000), "received '1.0e3' but current is '1000'"),
        (Field("S", "1000"), Field("I", 1000), "received '1000' but current is '1000'"),
        (Field("t", True), Field("I", 1), "received 'true' but current is '1'"),
        (Field("V", None), Field("I", 1), "received none but current is '1'"),
    ],
)
def test_a_differing_argument_is_406(new: Field | None, old: Field | None, text: str) -> None:
    """RabbitMQ QU-12."""
    received = {} if new is None else {TTL: new}
    current = {} if old is None else {TTL: old}
    assert inequivalence(received, current) == (406, f"inequivalent arg '{TTL}' for {Q}: {text}")


@pytest.mark.parametrize("tag", sorted(INTEGER_TAGS))
def test_integers_of_all_widths_are_equal(tag: str) -> None:
    """RabbitMQ QU-12."""
    check_queue_equivalent(Q, "classic", {TTL: Field(tag, 100)}, {TTL: Field("I", 100)})


def test_unknown_arguments_and_those_of_other_types_are_never_compared() -> None:
    """RabbitMQ QU-12."""
    check_queue_equivalent(Q, "classic", table({"x-mine": 1}), table({"x-mine": "2", "x-yours": None}))
    check_queue_equivalent(Q, "classic", table({"x-max-age": "1D"}), {})
    check_queue_equivalent(Q, "quorum", table({"x-queue-mode": "lazy"}), {})


def test_the_first_difference_in_rabbitmqs_order_is_told() -> None:
    """RabbitMQ QU-12."""
    order = [
        "x-expires", "x-message-ttl", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-max-length",
        "x-max-length-bytes", "x-max-priority", "x-overflow", "x-queue-mode", "x-queue-version",
        "x-single-active-consumer",
    ]  # fmt: skip
    for number, name in enumerate(order):
        new = table(dict.fromkeys(reversed(order[number:]), 1))
        assert inequivalence(new, {})[1].startswith(f"inequivalent arg '{name}' ")


@pytest.mark.parametrize(("new", "old"), [({}, "classic"), ("classic", {}), ({}, {}), ("quorum", "quorum")])
def test_a_missing_queue_type_is_classic(new: object, old: object) -> None:
    """RabbitMQ QU-13."""
    received, current = (table({"x-queue-type": value} if value else {}) for value in (new, old))
    check_queue_equivalent(Q, "classic", received, current)


@pytest.mark.parametrize(
    ("new", "old", "text"),
    [
        (None, "quorum", "received none but current is the value 'quorum' of type 'longstr'"),
        ("classic", "quorum", "received 'classic' but current is 'quorum'"),
        ("quorum", None, "received the value 'quorum' of type 'longstr' but current is none"),
        ("quorum", "classic", "received 'quorum' but current is 'classic'"),
    ],
)
def test_a_differing_queue_type_is_406(new: str | None, old: str | None, text: str) -> None:
    """RabbitMQ QU-13."""
    received, current = (table({"x-queue-type": value} if value else {}) for value in (new, old))
    assert inequivalence(received, current) == (406, f"inequivalent arg 'x-queue-type' for {Q}: {text}")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (0.5, "0.5"),
        (100.0, "100.0"),
        (1000.0, "1.0e3"),
        (-1000.0, "-1.0e3"),
        (1200.0, "1.2e3"),
        (12000.0, "1.2e4"),
        (0.001, "0.001"),
        (0.0001, "0.0001"),
        (0.00012, "1.2e-4"),
        (9814166959910544.0, "9.814166959910544e15"),
        (1e22, "1.0e22"),
        (1.5e300, "1.5e300"),
        (5e-324, "5.0e-324"),
        (1234567.8901234567, "1234567.8901234567"),
        (999999999999.9999, "999999999999.9999"),
    ],
)
def test_floats_are_printed_as_erlang_prints_them(value: float, text: str) -> None:
    """The shortest text that reads back as the same number, in the shorter notation."""
    with pytest.raises(AMQPError) as caught:
        check_equivalent("S", {"a": Field("d", value)}, {"a": Field("I", 1)}, ["a"])
    assert told(caught.value) == (406, f"inequivalent arg 'a' for S: received '{text}' but current is '1'")


def test_properties_are_compared_as_words() -> None:
    """RabbitMQ EX-8, QU-5."""
    check_equal(Q, "durable", True, True)
    with pytest.raises(AMQPError) as flag:
        check_equal(Q, "durable", False, True)
    with pytest.raises(AMQPError) as word:
        check_equal(Q, "type", "a", "b")
    assert told(flag.value) == (406, f"inequivalent arg 'durable' for {Q}: received 'false' but current is 'true'")
    assert told(word.value) == (406, f"inequivalent arg 'type' for {Q}: received 'a' but current is 'b'")
