"""Arguments of queue.declare: validation and equivalence."""

from __future__ import annotations

from typing import Any

from interop.probes.probe import Conversation, probe

ONE_OF_EACH_TYPE: list[tuple[str, Any]] = [
    ("t", 1),
    ("b", 1),
    ("B", 1),
    ("s", 1),
    ("u", 1),
    ("I", 1),
    ("i", 1),
    ("l", 1),
    ("L", 1),
    ("f", 1.0),
    ("d", 1.0),
    ("D", (0, 1)),
    ("S", "1"),
    ("x", b"1"),
    ("T", 1),
    ("F", {}),
    ("A", []),
    ("V", None),
]
TEN_YEARS_MS = 315360000000
QUORUM, STREAM = {"x-queue-type": "quorum"}, {"x-queue-type": "stream"}


def _declares(c: Conversation, argument: str, *values: Any, also: dict[str, Any] | None = None) -> None:
    """Declare a queue of its own with each value; those with a queue type of their own are durable."""
    properties = {"durable": True} if also and "x-queue-type" in also else {}
    for number, value in enumerate(values):
        q = c.name(f"q{number}")
        unit = c.attempt("queue.declare", queue=q, arguments={**(also or {}), argument: value}, **properties)
        if unit.name == "queue.declare-ok":
            with c.quiet():
                c.call("queue.delete", queue=q)


@probe("QA-1", "QA-2")
def integer_arguments_by_type(c: Conversation) -> None:
    _declares(c, "x-max-length", *ONE_OF_EACH_TYPE)


@probe("QA-2")
def string_arguments_by_type(c: Conversation) -> None:
    _declares(c, "x-overflow", *ONE_OF_EACH_TYPE)


@probe("QA-2")
def boolean_arguments_by_type(c: Conversation) -> None:
    _declares(c, "x-single-active-consumer", ("t", 0), *ONE_OF_EACH_TYPE)


@probe("QA-2")
def message_ttl_argument(c: Conversation) -> None:
    _declares(c, "x-message-ttl", 0, -1, TEN_YEARS_MS, TEN_YEARS_MS + 1, 2**63 - 1, -(2**63), "1000", 1.5)


@probe("QA-2")
def expires_argument(c: Conversation) -> None:
    _declares(c, "x-expires", 0, -1, TEN_YEARS_MS, TEN_YEARS_MS + 1, "x", True)


@probe("QA-2")
def max_length_arguments(c: Conversation) -> None:
    _declares(c, "x-max-length", 0, -1, 2**63 - 1, "x")
    _declares(c, "x-max-length-bytes", 0, -1, 2**63 - 1, "x")


@probe("QA-2")
def max_priority_argument(c: Conversation) -> None:
    _declares(c, "x-max-priority", 0, 1, 255, 256, -1, 2**40, "x", None)


@probe("QA-2")
def overflow_argument(c: Conversation) -> None:
    _declares(c, "x-overflow", "drop-head", "reject-publish", "reject-publish-dlx", "bogus", "", "Drop-Head", 1)


@probe("QA-2")
def dead_letter_arguments(c: Conversation) -> None:
    _declares(c, "x-dead-letter-exchange", "", "nosuch", 1, True, None, b"x")
    _declares(c, "x-dead-letter-routing-key", "k")
    _declares(c, "x-dead-letter-routing-key", "k", "", 1, True, also={"x-dead-letter-exchange": "dlx"})
    _declares(c, "x-dead-letter-routing-key", 1)


@probe("QA-2")
def queue_type_argument(c: Conversation) -> None:
    _declares(c, "x-queue-type", "classic", "bogus", "", "Classic", "rabbit_classic_queue", 1, None)


@probe("QA-2", "VER-19")
def queue_mode_and_version_arguments(c: Conversation) -> None:
    _declares(c, "x-queue-mode", "default", "lazy")
    _declares(c, "x-queue-version", 1, 2)


@probe("QA-2", "VER-19")
def queue_mode_and_version_arguments_refused(c: Conversation) -> None:
    _declares(c, "x-queue-mode", "bogus", 1)
    _declares(c, "x-queue-version", 0, 3, "2")


@probe("QA-2", "VER-29")
def queue_leader_locator_on_a_classic_queue(c: Conversation) -> None:
    _declares(c, "x-queue-leader-locator", "client-local", "balanced", "bogus", 1)


@probe("QA-1")
def unknown_arguments_are_taken(c: Conversation) -> None:
    _declares(c, "x-anything", *ONE_OF_EACH_TYPE)
    _declares(c, "max-length", "x")


@probe("QA-1")
def arguments_of_other_queue_types_on_a_classic_queue(c: Conversation) -> None:
    _declares(c, "x-delivery-limit", 1, "x")
    for argument in (
        "x-dead-letter-strategy",
        "x-quorum-initial-group-size",
        "x-initial-cluster-size",
        "x-max-in-memory-length",
        "x-max-in-memory-bytes",
        "x-max-age",
        "x-stream-max-segment-size-bytes",
    ):
        _declares(c, argument, 1)


@probe("QA-1")
def arguments_of_streams_on_a_classic_queue(c: Conversation) -> None:
    _declares(c, "x-max-age", "1h", "bogus")


@probe("QA-1")
def the_order_of_several_wrong_arguments(c: Conversation) -> None:
    _declares(c, "x-max-length", "x", also={"x-dead-letter-exchange": 1})
    _declares(c, "x-message-ttl", -1, also={"x-expires": 0, "x-max-length": -1})
    _declares(c, "x-dead-letter-routing-key", "k", also={"x-max-length": "x", "x-message-ttl": "y"})
    _declares(c, "x-dead-letter-routing-key", "k", also={"x-max-length": "x"})
    _declares(c, "x-max-length", -1, also={"x-max-length-bytes": -1})
    _declares(c, "x-max-priority", -1, also={"x-overflow": "bogus", "x-max-length": -1})
    _declares(c, "x-max-priority", -1, also={"x-overflow": "bogus"})
    _declares(c, "x-single-active-consumer", "x", also={"x-queue-mode": 1})
    _declares(c, "x-queue-type", "bogus", also={"x-message-ttl": -1})
    _declares(c, "x-delivery-limit", 1, also={"x-single-active-consumer": 1})
    _declares(c, "x-delivery-limit", 1, also={"x-max-age": "1h"})


@probe("QA-1", "QU-12")
def arguments_are_not_validated_for_an_existing_queue(c: Conversation) -> None:
    q = c.declare()
    c.attempt("queue.declare", queue=q, arguments={"x-max-length": "x"})
    c.attempt("queue.declare", queue=q, arguments={"x-delivery-limit": 1})
    c.attempt("queue.declare", queue=q, arguments={"x-anything": 1})
    c.attempt("queue.declare", queue=q, arguments={"x-dead-letter-exchange": 1})


@probe("QA-1")
def duplicate_argument_keys(c: Conversation) -> None:
    q = c.name("q")
    c.call("queue.declare", queue=q, arguments=[("x-max-length", 1), ("x-max-length", 2)])
    c.attempt("queue.declare", queue=q, arguments={"x-max-length": 1})
    c.attempt("queue.declare", queue=q, arguments={"x-max-length": 2})


# Equivalence


@probe("QU-7", "QU-12")
def equivalence_of_integer_arguments(c: Conversation) -> None:
    q = c.declare(arguments={"x-message-ttl": ("s", 1000)})
    for value in (
        ("I", 1000),
        ("l", 1000),
        ("s", 2000),
        ("d", 1000.0),
        ("f", 1.5),
        "1000",
        True,
        None,
        b"1000",
        ("T", 1000),
    ):
        c.attempt("queue.declare", queue=q, arguments={"x-message-ttl": value})
    c.attempt("queue.declare", queue=q)


@probe("QU-12")
def equivalence_of_an_argument_that_is_new(c: Conversation) -> None:
    q = c.declare()
    for value in ONE_OF_EACH_TYPE:
        c.attempt("queue.declare", queue=q, arguments={"x-max-length": value})


@probe("QU-12")
def equivalence_of_an_argument_that_is_gone(c: Conversation) -> None:
    for number, (argument, value) in enumerate(
        (
            ("x-expires", ("l", 100000)),
            ("x-message-ttl", ("b", 100)),
            ("x-dead-letter-exchange", "dlx"),
            ("x-max-length", ("B", 1)),
            ("x-max-length-bytes", ("u", 1)),
            ("x-max-priority", ("i", 1)),
            ("x-overflow", "drop-head"),
            ("x-queue-mode", "lazy"),
            ("x-queue-version", 1),
            ("x-single-active-consumer", True),
            ("x-single-active-consumer", False),
        )
    ):
        q = c.declare(f"q{number}", arguments={argument: value})
        c.attempt("queue.declare", queue=q)


@probe("QU-12")
def equivalence_of_strings_and_booleans(c: Conversation) -> None:
    q = c.declare(arguments={"x-dead-letter-exchange": "dlx", "x-single-active-consumer": True})
    same = {"x-dead-letter-exchange": "dlx", "x-single-active-consumer": True}
    c.attempt("queue.declare", queue=q, arguments=same)
    c.attempt("queue.declare", queue=q, arguments=same | {"x-dead-letter-exchange": "other"})
    c.attempt("queue.declare", queue=q, arguments=same | {"x-dead-letter-exchange": b"dlx"})
    c.attempt("queue.declare", queue=q, arguments=same | {"x-single-active-consumer": False})
    c.attempt("queue.declare", queue=q, arguments=same | {"x-single-active-consumer": "true"})
    c.attempt("queue.declare", queue=q, arguments=same | {"x-dead-letter-exchange": {}})
    c.attempt("queue.declare", queue=q, arguments=same | {"x-dead-letter-exchange": [1, "a"]})


@probe("QU-12")
def equivalence_of_a_string_and_a_decimal(c: Conversation) -> None:
    q = c.declare(arguments={"x-dead-letter-exchange": "dlx"})
    c.send("queue.declare", queue=q, arguments={"x-dead-letter-exchange": ("D", (2, 150))})
    c.read()


@probe("QU-12")
def the_order_of_several_arguments_that_differ(c: Conversation) -> None:
    first = {"x-expires": 100000, "x-message-ttl": 1, "x-dead-letter-exchange": "a", "x-dead-letter-routing-key": "a"}
    then = {"x-max-length": 1, "x-max-length-bytes": 1, "x-max-priority": 1, "x-overflow": "drop-head"}
    last = {"x-queue-mode": "lazy", "x-queue-version": 1, "x-single-active-consumer": True, "x-queue-type": "classic"}
    q = c.declare(arguments=first | then | last)
    offered: dict[str, Any] = dict.fromkeys(first | then | last, "z")
    for _ in offered:
        reply_text = c.attempt("queue.declare", queue=q, arguments=offered)["reply_text"].decode()
        differing = reply_text.split("'")[1]
        offered[differing] = (first | then | last)[differing]
    c.attempt("queue.declare", queue=q, arguments=offered)


@probe("QU-12")
def unknown_arguments_are_never_compared(c: Conversation) -> None:
    q = c.declare(arguments={"x-anything": 1})
    c.attempt("queue.declare", queue=q)
    c.attempt("queue.declare", queue=q, arguments={"x-anything": "x", "x-delivery-limit": 1})


@probe("QU-13", "VER-37")
def a_missing_queue_type_is_classic(c: Conversation) -> None:
    q = c.declare()
    c.attempt("queue.declare", queue=q, arguments={"x-queue-type": "classic"})
    c.attempt("queue.declare", queue=q, arguments=QUORUM)
    c.attempt("queue.declare", queue=q, durable=True, arguments=QUORUM)
    c.attempt("queue.declare", queue=q, arguments={"x-queue-type": "bogus"})
    p = c.declare("p", arguments={"x-queue-type": "classic"})
    c.attempt("queue.declare", queue=p)
    c.attempt("queue.declare", queue=p, arguments=STREAM)


# Quorum queues and streams: what is refused before anything is created


@probe("QU-2")
def server_named_quorum_queue_and_stream(c: Conversation) -> None:
    c.attempt("queue.declare", durable=True, arguments=QUORUM)
    c.attempt("queue.declare", durable=True, arguments=STREAM)


@probe("QA-3")
def properties_of_quorum_queues_and_streams(c: Conversation) -> None:
    for arguments in (QUORUM, STREAM):
        for properties in (
            {},
            {"exclusive": True},
            {"durable": True, "exclusive": True},
            {"durable": True, "auto_delete": True},
            {"auto_delete": True, "exclusive": True},
        ):
            c.attempt("queue.declare", queue=c.name("q"), arguments=arguments, **properties)


@probe("QA-1", "QA-2")
def arguments_a_quorum_queue_refuses(c: Conversation) -> None:
    _declares(c, "x-max-priority", 1, also=QUORUM)
    _declares(c, "x-queue-mode", "lazy", also=QUORUM)
    _declares(c, "x-max-age", "1h", also=QUORUM)
    _declares(c, "x-message-ttl", -1, "x", also=QUORUM)
    _declares(c, "x-dead-letter-strategy", "bogus", 1, also=QUORUM)
    _declares(c, "x-quorum-initial-group-size", 0, "x", also=QUORUM)
    _declares(c, "x-max-in-memory-length", -1, also=QUORUM)
    _declares(c, "x-queue-leader-locator", "bogus", also=QUORUM)
    _declares(c, "x-overflow", "bogus", also=QUORUM)
    _declares(c, "x-dead-letter-routing-key", "k", also=QUORUM)


@probe("QA-1", "QA-2")
def arguments_a_stream_refuses(c: Conversation) -> None:
    for argument, value in (
        ("x-message-ttl", 1),
        ("x-expires", 1000),
        ("x-max-length", 1),
        ("x-max-priority", 1),
        ("x-overflow", "drop-head"),
        ("x-dead-letter-exchange", "dlx"),
        ("x-single-active-consumer", True),
        ("x-max-age", 1),
        ("x-max-age", "1h1"),
        ("x-max-age", "0h"),
        ("x-max-age", "5x"),
        ("x-stream-max-segment-size-bytes", -1),
        ("x-stream-max-segment-size-bytes", 3000000001),
        ("x-initial-cluster-size", 0),
        ("x-queue-leader-locator", "bogus"),
    ):
        _declares(c, argument, value, also=STREAM)
