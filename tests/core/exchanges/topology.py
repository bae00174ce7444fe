"""Exchanges, queues that are only names, and messages that are only headers: enough to ask where something goes."""

import pytest

from leveret.core.binding import Binding
from leveret.core.exchanges import exchange_class
from leveret.core.node import Node
from leveret_protocol.errors import AMQPError
from leveret_protocol.fields import field, table


class NamedQueue:
    """A destination that is nothing but a name, and the name of a type of queues."""

    is_exchange = False

    def __init__(self, name, type_name="classic"):
        self.name = name
        self.type_name = type_name

    def __repr__(self):
        return f"<queue {self.name}>"


class HeadersMessage:
    """A message with these headers, given as natural Python values or as fields; None: it has no headers at all.

    properties: further ones, by name.
    """

    exchange = routing_key = ""
    body = b""
    size_bytes = body_size_bytes = 0
    is_dead_letter = False
    failed_count = 0
    waiter = None
    expiration_ms = priority = None
    is_persistent = False
    message_id = correlation_id = timestamp = None

    def __init__(self, headers=None, **properties):
        self.headers = None if headers is None else table(headers)
        for name, value in properties.items():
            setattr(self, name, value)

    @property
    def routing_keys(self) -> list[str]:
        return [self.routing_key]

    @property
    def properties(self):
        return self

    def __bytes__(self) -> bytes:
        raise AssertionError("routing keeps nothing")

    def with_headers(self, headers):
        return HeadersMessage((self.headers or {}) | headers)

    def dead_lettered(self, exchange, routing_keys, properties):
        raise AssertionError("routing does not dead-letter")


class SealedMessage(HeadersMessage):
    """A message that must not be looked at."""

    @property
    def properties(self):
        raise AssertionError("the properties have been looked at")


ARGUMENTS_REQUIRED = {"x-delayed-message": {"x-delayed-type": "direct"}}


def make_exchange(type_name, name="x", alternate=None, arguments=None, **options):
    """options: what only this type's class takes."""
    arguments = table(ARGUMENTS_REQUIRED.get(type_name, {}) if arguments is None else arguments)
    if alternate is not None:
        arguments["alternate-exchange"] = field(alternate)
    return exchange_class(type_name)(
        make_vhost(), name, durable=False, auto_delete=False, internal=False, arguments=arguments, **options
    )


def make_vhost():
    return Node(now=lambda: 0.0).vhost("/")


def binding(source, destination, key="", arguments=None):
    return Binding(source, destination, key, table(arguments or {}))


def bind(source, destination, key="", arguments=None):
    """As a client's bind does it: validated first. Answers whether it is a new one."""
    new = binding(source, destination, key, arguments)
    source.validate_binding(new)
    return source.bind(new)


def unbind(source, destination, key="", arguments=None):
    return source.unbind(binding(source, destination, key, arguments))


def refusal(act, *arguments, **options):
    """What a client is told when this is refused: name of the code and explanation."""
    with pytest.raises(AMQPError) as caught:
        act(*arguments, **options)
    return caught.value.reply_text


def routed(exchange, key="", message=None):
    """The destinations of one exchange's own bindings, each once, in their order."""
    return list(dict.fromkeys(exchange.route([key], message or SealedMessage())))
