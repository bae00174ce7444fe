"""Publish to an exchange and get from a queue, for scripts that speak no AMQP."""

from __future__ import annotations

import base64
from typing import Any

from leveret.core.channel import Channel
from leveret.core.exchanges import Exchange
from leveret.core.message import Entry
from leveret.core.queue import REFUSED, Queue
from leveret.core.routing import hand_out
from leveret.core.tally import Routed
from leveret.handlers.content import PublishedMessage, message_of
from leveret.handlers.traits import Traits
from leveret.management import shapes
from leveret.management.answers import Problem, bad_request, encoded
from leveret.management.bodies import Body, check_short, payload_octets, shown, table
from leveret.management.request import Request, Routes
from leveret.management.routes.exchanges import named
from leveret.shell.turns import InTurns, Steps
from leveret_protocol.content import Properties
from leveret_protocol.errors import AMQPError
from leveret_protocol.fields import plain

routes = Routes()

_NUMBERS = {"delivery_mode": 0xFF, "priority": 0xFF, "timestamp": 2**64 - 1}
_REQUEUES = {
    "ack_requeue_true": True,
    "ack_requeue_false": False,
    "reject_requeue_true": True,
    "reject_requeue_false": False,
}


@routes.add("POST", "/exchanges/{vhost}/{exchange}/publish")
def publish(request: Request) -> object:
    vhost, body, exchange_name = request.vhost_to_use(), request.body, named(request)
    body.require("routing_key", "properties", "payload", "payload_encoding")
    routing_key = check_short("routing key", body.text("routing_key"))
    access = request.access(vhost)
    access.require_exchange("write", exchange_name)
    if exchange_name not in vhost.exchanges:
        raise Problem(404, "not_found", "exchange_not_found")
    message = message_of(
        exchange_name, routing_key, properties_of(body), payload_octets(body["payload"], body["payload_encoding"])
    )
    channel = Channel(vhost)
    try:
        exchange = vhost.exchange_to_publish(exchange_name)
        admitted, more_keys = Traits(message.properties).admit(message, request.user, channel)
    except AMQPError as error:
        raise bad_request(str(error)) from None  # RabbitMQ: here the text has the code in front
    keys = (routing_key, *more_keys)
    if exchange.type_name == "topic":
        for key in keys:
            access.require_topic("write", exchange_name, key)
    queues = vhost.route(exchange, keys, admitted)
    if vhost.firehose.is_on:
        vhost.firehose.published(admitted, keys, sorted({queue.name for queue in queues}), channel.origin)
    _publish(channel, admitted, exchange, queues)
    return {"routed": bool(queues)}


def _publish(channel: Channel, message: PublishedMessage, exchange: Exchange, queues: Routed) -> None:
    """RabbitMQ: as by a publisher that waits for a confirm."""
    channel.select_confirm()
    channel.counts.received()
    channel.vhost.node.counts.message_sizes.add(message.body_size_bytes)
    channel.counts.published(exchange.name, exchange, queues, mandatory=False)
    outcomes = hand_out(message, queues)
    channel.confirms.last = 1
    if REFUSED in outcomes:
        channel.confirms.owe(1, 1)
        channel.confirms.reject(1)
    channel.counts.tally()


def properties_of(body: Body) -> Properties:
    """Raises Problem (400)."""
    given = body["properties"]
    if given == []:
        given = {}
    if not isinstance(given, dict):
        raise bad_request(f"not_object: {shown(given)}")
    properties = Properties()
    for name in Properties.__slots__:
        value = given.get(name)
        if name in given and value is None:
            raise bad_request("null_not_allowed")
        if value is None:
            continue
        if name == "headers":
            if not isinstance(value, dict) and value != []:
                raise bad_request(f"not_object: {shown(value)}")
            properties.headers = table(value or {})
        elif name in _NUMBERS:
            number = Body(given).integer(name)
            if not 0 <= number <= _NUMBERS[name]:
                raise bad_request(f"not_integer: {number}")
            setattr(properties, name, number)
        else:
            setattr(properties, name, check_short(name, Body(given).text(name)))
    return properties


@routes.add("POST", "/queues/{vhost}/{queue}/get")
def get(request: Request) -> object:
    vhost, body, name = request.vhost_to_use(), request.body, request.names["queue"]
    if "ackmode" not in body and "requeue" in body:  # pyrabbit; RabbitMQ before 3.7
        body["ackmode"] = f"ack_requeue_{shown(body['requeue'])}"
    body.require("ackmode", "count", "encoding")
    count, encoding, mode = body.integer("count"), body["encoding"], body["ackmode"]
    truncate = body.integer("truncate") if "truncate" in body else None
    if encoding not in ("auto", "base64"):
        raise bad_request("Unsupported encoding. Please use auto or base64.")
    if not isinstance(mode, str) or mode not in _REQUEUES:
        raise bad_request(f"unsupported_ackmode: {shown(mode)}")
    request.access(vhost).require_queue("read", name)
    if name not in vhost.queues:
        raise Problem(404, "not_found", "queue_not_found")
    try:
        queue = vhost.queue(name, None)
    except AMQPError as error:
        raise bad_request(str(error)) from None
    return InTurns(_got(queue, count, mode, encoding, truncate))


def _got(queue: Queue, count: int, mode: str, encoding: str, truncate: int | None) -> Steps[bytes]:
    """All are taken before the first one goes back; a step is one. RabbitMQ counts what is simply taken as no_ack.

    Whoever goes away meanwhile has got nothing: all of it goes back.
    """
    counts, no_ack = Channel(queue.vhost).counts, mode == "ack_requeue_false"
    taken: list[Entry] = []
    pieces: list[bytes] = []
    goes_back = True
    try:
        for _ in range(queue.message_count if count < 0 else count):
            while queue.is_held or not queue.see_to_head():
                yield
            entry = None if queue.is_deleted else queue.get(no_ack=False)
            if entry is None:
                counts.got_nothing(queue)
                break
            counts.got(queue, redelivered=entry.redelivered, no_ack=no_ack)
            taken.append(entry)
            pieces.append(encoded(_shape(entry, queue.message_count, encoding, truncate)))
            yield
        goes_back = _REQUEUES[mode]
    finally:
        if goes_back and taken:
            queue.requeue(taken)
    if not goes_back:
        settle = queue.settle if mode.startswith("ack") else queue.reject
        for entry in taken:
            settle(entry)
    return b"[" + b",".join(pieces) + b"]"


def _shape(entry: Entry, message_count: int, encoding: str, truncate: int | None) -> dict[str, Any]:
    message = entry.message
    assert isinstance(message, PublishedMessage)
    octets = message.body
    payload, payload_encoding = _payload(octets if truncate is None or truncate < 0 else octets[:truncate], encoding)
    return {
        "payload_bytes": len(octets), "redelivered": entry.redelivered, "exchange": message.exchange,
        "routing_key": message.routing_key, "message_count": message_count,
        "properties": _properties(message.properties), "payload": payload, "payload_encoding": payload_encoding,
    }  # fmt: skip


def _payload(octets: bytes, encoding: str) -> tuple[str, str]:
    if encoding == "auto":
        try:
            return octets.decode("utf-8"), "string"
        except UnicodeDecodeError:
            pass
    return base64.b64encode(octets).decode("ascii"), "base64"


def _properties(properties: Properties) -> dict[str, Any]:
    """Those that are there."""
    present = {name: getattr(properties, name) for name in Properties.__slots__}
    return {
        name: shapes.json_of(plain(value)) if name == "headers" else value
        for name, value in present.items()
        if value is not None
    }
