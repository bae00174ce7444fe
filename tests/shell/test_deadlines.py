"""What the core does by itself at its time: a whole broker on a clock that tests move, and peers in memory."""

import functools

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from leveret.auth.access_control import AccessControl
from leveret.auth.first_definitions import FirstDefinitions, make_first_definitions
from leveret.auth.users import Users
from leveret.core.node import Node
from leveret.handlers.connection import Connection
from leveret.shell.server import Server
from leveret_protocol import constants, methods
from leveret_protocol.content import Properties, content_frames, encode_header
from leveret_protocol.fields import table
from leveret_protocol.methods import Basic, Channel, Queue, encode_method, make
from tests.shell.memory import MemoryListener, MemoryTransport

LATE_SECONDS_MAX = 0.005
TO_DEAD = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}

HANDSHAKE = (
    constants.PROTOCOL_HEADER
    + encode_method(
        0,
        make(
            methods.Connection.StartOk, client_properties={}, mechanism="PLAIN", response="\0guest\0guest",
            locale="en_US",
        ),
    )
    + encode_method(0, make(methods.Connection.TuneOk, channel_max=2047, frame_max=constants.FRAME_MAX, heartbeat=0))
    + encode_method(0, make(methods.Connection.Open, virtual_host="/"))
    + encode_method(1, make(Channel.Open))
)  # fmt: skip


def sent(*sent_methods):
    return b"".join(encode_method(1, method) for method in sent_methods)


def publish(queue, body, **properties):
    values = Properties()
    for name, value in properties.items():
        setattr(values, name, value)
    frames = content_frames(1, encode_header(values, len(body)), body, constants.FRAME_MAX)
    return sent(make(Basic.Publish, exchange="", routing_key=queue)) + frames


def declare(queue, **arguments):
    return make(Queue.Declare, queue=queue, arguments=table(arguments))


@pytest.fixture
async def transport(nursery):
    """A client of the broker that has channel 1 open, and consumes what is dead."""
    node = Node(now=trio.current_time)
    listener, transport = MemoryListener(), MemoryTransport()
    users = Users(node)
    make_first_definitions(node, users, FirstDefinitions())
    server = Server(functools.partial(Connection, node, AccessControl(node, users)), node)
    await nursery.start(server.serve, [listener])
    listener.arrive(transport)
    await wait_all_tasks_blocked()
    transport.peer_sends(HANDSHAKE + sent(declare("dead"), make(Basic.Consume, queue="dead", no_ack=True)))
    await wait_all_tasks_blocked()
    yield transport
    transport.peer_ends()
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("ttl_ms", [50, 7000])
async def test_a_message_expires_by_itself_at_its_time(transport, clock, ttl_ms):
    """RabbitMQ: TTL-3. Nothing else happens meanwhile, and the dead letter goes out in the same turn."""
    await clock.until(1)
    transport.peer_sends(sent(declare("q", **TO_DEAD | {"x-message-ttl": ttl_ms})) + publish("q", b"the body"))
    await clock.until(1 + ttl_ms / 1000 - 0.001)
    assert b"the body" not in transport.sent
    await clock.until(1 + ttl_ms / 1000 + LATE_SECONDS_MAX)
    assert transport.sent.count(b"the body") == 1


async def test_a_shorter_time_is_not_slept_over(transport, clock):
    """The task that waits for the first deadline is woken for an earlier one."""
    transport.peer_sends(sent(declare("a", **TO_DEAD), declare("b", **TO_DEAD)))
    transport.peer_sends(publish("a", b"in an hour", expiration="3600000"))
    await clock.until(1)
    transport.peer_sends(publish("b", b"in a second", expiration="1000"))
    await clock.until(1.999)
    assert b"in a second" not in transport.sent
    await clock.until(2 + LATE_SECONDS_MAX)
    assert transport.sent.count(b"in a second") == 1
    assert b"in an hour" not in transport.sent


async def test_thousands_that_expire_together_all_get_there(transport, clock):
    """What is more than a slice goes on in the next one, without anything that would wake the broker."""
    transport.peer_sends(sent(declare("q", **TO_DEAD | {"x-message-ttl": 1000})))
    transport.peer_sends(publish("q", b"x<>x") * 3000)
    await clock.until(0.999)
    assert b"x<>x" not in transport.sent
    await clock.until(1 + LATE_SECONDS_MAX)
    assert transport.sent.count(b"x<>x") == 3000


async def test_an_unused_queue_is_deleted_by_itself(transport, clock):
    """RabbitMQ: EXP-1."""
    transport.peer_sends(sent(declare("q", **{"x-expires": 1000})))
    await clock.until(0.999)
    transport.peer_sends(publish("q", b"1"))
    await clock.until(1 + LATE_SECONDS_MAX)
    transport.peer_sends(sent(make(Queue.Purge, queue="q")))
    await wait_all_tasks_blocked()
    assert b"NOT_FOUND - no queue 'q' in vhost '/'" in transport.sent
