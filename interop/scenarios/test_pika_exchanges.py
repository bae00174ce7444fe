"""pika, blocking: which queues a message reaches. Exchange types, exchange bindings, alternate exchange, CC and BCC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.scenarios.blocking import drain

Bind = Callable[..., str]


@pytest.fixture
def exchange(unique: Callable[[str], str]) -> str:
    """A name for the exchange under test."""
    return unique("exchange")


@pytest.fixture
def bind(channel: BlockingChannel, exchange: str) -> Bind:
    """`bind("key", ...)` makes an exclusive queue bound with these keys (and arguments) and returns its name."""

    def bind_queue(*keys: str, arguments: dict[str, Any] | None = None, source: str = exchange) -> str:
        queue = str(channel.queue_declare("", exclusive=True).method.queue)
        for key in keys:
            channel.queue_bind(queue, source, key, arguments)
        return queue

    return bind_queue


def test_direct_exchange_goes_by_the_equal_key(channel: BlockingChannel, exchange: str, bind: Bind) -> None:
    channel.exchange_declare(exchange, "direct")
    errors, everything, another = bind("error"), bind("error", "info"), bind("error")
    for key in ("error", "info", "err", "error.disk", ""):
        channel.basic_publish(exchange, key, key.encode())
    assert drain(channel, errors) == [b"error"]
    assert drain(channel, everything) == [b"error", b"info"]
    assert drain(channel, another) == [b"error"]


def test_fanout_exchange_ignores_the_key(channel: BlockingChannel, exchange: str, bind: Bind) -> None:
    channel.exchange_declare(exchange, "fanout")
    queues = [bind(""), bind("some", "keys")]
    channel.basic_publish(exchange, "whatever", b"news")
    assert [drain(channel, queue) for queue in queues] == [[b"news"], [b"news"]]


def test_topic_exchange_matches_words(channel: BlockingChannel, exchange: str, bind: Bind) -> None:
    """`*` is one word, `#` any number of words, also none; a queue gets one copy however many of its keys match."""
    channel.exchange_declare(exchange, "topic")
    orange, rabbits, all_of_it = bind("*.orange.*"), bind("*.*.rabbit", "lazy.#"), bind("#")
    start, middle, empty = bind("lazy.#"), bind("quick.#.fox"), bind("")
    keys = [
        "quick.orange.rabbit",
        "lazy.orange.elephant",
        "quick.orange.fox",
        "lazy.pink.rabbit",
        "quick.fox",
        "orange",
    ]
    keys += ["lazy", "quick.orange.male.rabbit", "lazy.orange.male.rabbit", ""]
    for key in keys:
        channel.basic_publish(exchange, key, key.encode())

    assert drain(channel, orange) == [b"quick.orange.rabbit", b"lazy.orange.elephant", b"quick.orange.fox"]
    lazy = [b"lazy.orange.elephant", b"lazy.pink.rabbit", b"lazy", b"lazy.orange.male.rabbit"]
    assert drain(channel, rabbits) == [b"quick.orange.rabbit", *lazy]
    assert drain(channel, start) == lazy
    assert drain(channel, middle) == [b"quick.orange.fox", b"quick.fox"]
    assert drain(channel, empty) == [b""]
    assert drain(channel, all_of_it) == [key.encode() for key in keys]


@pytest.mark.parametrize(
    ("x_match", "expected"),
    [
        (None, [b"both", b"both and x-"]),
        ("all", [b"both", b"both and x-"]),
        ("any", [b"both", b"both and x-", b"format only"]),
        ("all-with-x", [b"both and x-"]),
        ("any-with-x", [b"both", b"both and x-", b"format only", b"x- only"]),
    ],
)
def test_headers_exchange_matches_by_x_match(
    channel: BlockingChannel, exchange: str, bind: Bind, x_match: str | None, expected: list[bytes]
) -> None:
    """`all` and `any` pass over arguments that begin with `x-`; the forms `-with-x` look at them too."""
    channel.exchange_declare(exchange, "headers")
    arguments: dict[str, Any] = {"format": "pdf", "pages": 3, "x-origin": "scanner"}
    queue = bind("", arguments=arguments | ({"x-match": x_match} if x_match else {}))
    messages: list[tuple[bytes, dict[str, Any] | None]] = [
        (b"both", {"format": "pdf", "pages": 3, "other": 1}),
        (b"both and x-", {"format": "pdf", "pages": 3, "x-origin": "scanner"}),
        (b"format only", {"format": "pdf", "pages": 4}),
        (b"x- only", {"x-origin": "scanner"}),
        (b"wrong type", {"format": 3, "pages": "3"}),
        (b"none", {}),
        (b"no headers at all", None),
    ]
    for body, headers in messages:
        channel.basic_publish(exchange, "ignored", body, pika.BasicProperties(headers=headers))
    assert drain(channel, queue) == expected


def test_void_in_a_headers_binding_asks_only_for_presence(channel: BlockingChannel, exchange: str, bind: Bind) -> None:
    channel.exchange_declare(exchange, "headers")
    queue = bind("", arguments={"trace": None})
    for body, headers in ((b"number", {"trace": 1}), (b"text", {"trace": "on"}), (b"absent", {"other": 1})):
        channel.basic_publish(exchange, "", body, pika.BasicProperties(headers=headers))
    assert drain(channel, queue) == [b"number", b"text"]


def test_messages_flow_through_bound_exchanges_once_and_cycles_end(
    channel: BlockingChannel, exchange: str, bind: Bind, unique: Callable[[str], str]
) -> None:
    """topic -> fanout -> topic again, and the queue is bound to both: still a single copy."""
    relay = unique("relay")
    channel.exchange_declare(exchange, "topic")
    channel.exchange_declare(relay, "fanout")
    channel.exchange_bind(destination=relay, source=exchange, routing_key="logs.#")
    channel.exchange_bind(destination=exchange, source=relay)
    both = bind("logs.error")
    channel.queue_bind(both, relay)
    behind = bind("", source=relay)
    channel.basic_publish(exchange, "logs.error", b"disk full")
    channel.basic_publish(exchange, "metrics", b"not relayed")
    assert (drain(channel, both), drain(channel, behind)) == ([b"disk full"], [b"disk full"])

    channel.exchange_unbind(destination=relay, source=exchange, routing_key="logs.#")
    channel.basic_publish(exchange, "logs.error", b"again")
    assert (drain(channel, both), drain(channel, behind)) == ([b"again"], [])


def test_alternate_exchange_gets_what_nobody_wants(
    channel: BlockingChannel, exchange: str, bind: Bind, unique: Callable[[str], str]
) -> None:
    """Also with mandatory: a message that goes to the alternate exchange is routed, so it is not returned."""
    lost_and_found = unique("lost-and-found")
    channel.exchange_declare(lost_and_found, "fanout")
    channel.exchange_declare(exchange, "direct", arguments={"alternate-exchange": lost_and_found})
    wanted, unwanted = bind("known"), bind("", source=lost_and_found)
    for key in ("known", "unknown"):
        channel.basic_publish(exchange, key, key.encode(), mandatory=True)
    assert (drain(channel, wanted), drain(channel, unwanted)) == ([b"known"], [b"unknown"])


def test_cc_and_bcc_are_further_routing_keys_and_bcc_is_hidden(
    channel: BlockingChannel, exchange: str, bind: Bind
) -> None:
    channel.exchange_declare(exchange, "direct")
    queues = {key: bind(key) for key in ("to", "copy", "secret")}
    headers = {"CC": ["copy", "to"], "BCC": ["secret"], "subject": "x"}
    channel.basic_publish(exchange, "to", b"letter", pika.BasicProperties(headers=headers))
    for queue in queues.values():
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        assert (body, method.routing_key) == (b"letter", "to")
        assert properties.headers == {"CC": ["copy", "to"], "subject": "x"}
        assert drain(channel, queue) == []


def test_auto_delete_exchange_goes_with_its_last_binding(
    connection: pika.BlockingConnection, channel: BlockingChannel, exchange: str, bind: Bind
) -> None:
    channel.exchange_declare(exchange, "fanout", auto_delete=True)
    first, second = bind(""), bind("")
    channel.queue_unbind(first, exchange, "")
    channel.exchange_declare(exchange, passive=True)
    channel.queue_delete(second)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        connection.channel().exchange_declare(exchange, passive=True)
    assert caught.value.reply_code == 404


def test_internal_exchange_refuses_publishers_but_relays(
    connection: pika.BlockingConnection,
    channel: BlockingChannel,
    exchange: str,
    bind: Bind,
    unique: Callable[[str], str],
    vhost: str,
) -> None:
    inner = unique("inner")
    channel.exchange_declare(exchange, "fanout")
    channel.exchange_declare(inner, "fanout", internal=True)
    channel.exchange_bind(inner, exchange)
    queue = bind("", source=inner)
    channel.basic_publish(exchange, "", b"from outside")
    assert drain(channel, queue) == [b"from outside"]

    direct = connection.channel()
    direct.confirm_delivery()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        direct.basic_publish(inner, "", b"refused")
    assert caught.value.reply_code == 403
    assert (
        caught.value.reply_text == f"ACCESS_REFUSED - cannot publish to internal exchange '{inner}' in vhost '{vhost}'"
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("amq.direct", "direct"),
        ("amq.fanout", "fanout"),
        ("amq.topic", "topic"),
        ("amq.headers", "headers"),
        ("amq.match", "headers"),
    ],
)
def test_standard_exchanges_are_there(channel: BlockingChannel, bind: Bind, name: str, kind: str) -> None:
    channel.exchange_declare(name, kind, durable=True)
    key = f"only-here-{kind}"
    arguments = {"test": key} if kind == "headers" else None
    queue = bind(key, source=name, arguments=arguments)
    channel.basic_publish(name, key, b"hello", pika.BasicProperties(headers=arguments))
    assert b"hello" in drain(channel, queue)
