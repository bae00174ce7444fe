"""Every method of AMQP 0-9-1 has its answer."""

import pytest

from leveret.handlers.dispatch import HANDLERS, REFUSED
from leveret_protocol import methods
from leveret_protocol.methods import Basic, Channel, Frame, Queue, make, method_ids
from tests.harness import Client

# Appendix A of the protocol: what the channel itself looks after, and publish, which the reader makes a Publish of.
BY_THE_CHANNEL = {Channel.Open, Channel.Close, Channel.CloseOk, Basic.Publish}
ON_CHANNELS = [cls for cls in methods.METHODS.values() if method_ids(cls)[0] != 10]
HANDLED = [cls for cls in ON_CHANNELS if cls in HANDLERS]
WITH_CONTENT = (Basic.Return, Basic.Deliver, Basic.GetOk)


@pytest.mark.parametrize("cls", ON_CHANNELS, ids=lambda cls: cls.name)
def test_every_method_has_one_place(cls: type[Frame]) -> None:
    assert (cls in HANDLERS) + (cls in REFUSED) + (cls in BY_THE_CHANNEL) == 1


def test_nothing_but_methods_has_a_place() -> None:
    assert set(HANDLERS) | REFUSED <= set(ON_CHANNELS)


@pytest.mark.parametrize("cls", [cls for cls in ON_CHANNELS if cls in REFUSED], ids=lambda cls: cls.name)
def test_methods_of_servers_are_refused_after_their_content(client: Client, cls: type[Frame]) -> None:
    """RabbitMQ: M-5."""
    client.send(make(cls))
    if cls in WITH_CONTENT:
        client.assert_silent()
        client.send_bytes(client.content(b"x"))
    client.expect_connection_close("COMMAND_INVALID - unimplemented method", cls)


@pytest.mark.parametrize("cls", HANDLED, ids=lambda cls: cls.name)
def test_every_handler_survives_a_method_without_any_arguments(client: Client, cls: type[Frame]) -> None:
    """It is carried out or refused; what it must not do is raise anything else out of the connection."""
    client.send(make(cls))
    client.received()


@pytest.mark.parametrize("cls", HANDLED, ids=lambda cls: cls.name)
def test_every_handler_survives_a_queue_and_a_message_that_are_there(client: Client, cls: type[Frame]) -> None:
    client.declare("q")
    client.publish("", "q", b"1")
    client.publish("", "q", b"2")
    client.consume("q", "consumer")
    names = {
        "queue": "q", "exchange": "amq.fanout", "source": "amq.topic", "destination": "amq.fanout", "delivery_tag": 1,
        "exchange_type": "fanout", "durable": True, "active": True, "requeue": True, "consumer_tag": "tag2",
    }  # fmt: skip
    client.received()
    client.send(make(cls, **{name: value for name, value in names.items() if name in cls.__slots__}))
    client.received()
    assert client.has_queue("q") == (cls is not Queue.Delete)


def test_the_ids_of_an_error_are_those_of_the_method(client: Client) -> None:
    """RabbitMQ: GEN-2."""
    for method in (
        make(Queue.Purge, queue="q"), make(Basic.Get, queue="q"), make(Basic.Consume, queue="q"),
        make(Queue.Bind, queue="q", exchange="amq.fanout"), make(Queue.Declare, queue="q", passive=True),
    ):  # fmt: skip
        client.refused(method, "NOT_FOUND - no queue 'q' in vhost '/'")
