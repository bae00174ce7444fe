"""Every method of AMQP 0-9-1 in every state of a connection and of a channel.

What is expected was recorded from RabbitMQ 3.10.8, each method with all its fields 0, empty or false, and a content of
one byte where it has one. There are four differences: an unknown exchange type is 4.x's 406; basic.cancel-ok is taken,
as clients answer a basic.cancel of the broker; and a method with an empty queue name is, on a number that is not open
or closing, what every other method is there, where RabbitMQ answers 404 on a channel that nobody opened.
"""

from collections.abc import Callable

import pytest

from leveret_protocol import constants
from leveret_protocol.content import Properties, content_frames, encode_header
from leveret_protocol.methods import (
    METHODS,
    Access,
    Basic,
    Channel,
    Confirm,
    Connection,
    Exchange,
    Frame,
    Queue,
    Tx,
    encode_method,
    make,
)
from tests.harness import BrokerHarness, Client, assert_told
from tests.hostile.leftovers import assert_nothing_stays

SILENT_SECONDS = 3.0
NUMBER = 3
NOBODY = (0, 0)

WITH_CONTENT = (Basic.Publish, Basic.Return, Basic.Deliver, Basic.GetOk)
NO_LAST_QUEUE = "NOT_FOUND - no previously declared queue"
DEFAULT_EXCHANGE = "ACCESS_REFUSED - operation not permitted on the default exchange"
UNKNOWN_TAG = "PRECONDITION_FAILED - unknown delivery tag 0"
NOT_TRANSACTIONAL = "PRECONDITION_FAILED - channel is not transactional"

# On an open channel: the reply, or None for silence, or the text of the channel.close.
ON_OPEN_CHANNEL: dict[type[Frame], type[Frame] | str | None] = {
    Channel.Close: Channel.CloseOk,
    Access.Request: Access.RequestOk,
    Exchange.Declare: "PRECONDITION_FAILED - unknown exchange type ''",
    Exchange.Delete: DEFAULT_EXCHANGE,
    Exchange.Bind: DEFAULT_EXCHANGE,
    Exchange.Unbind: DEFAULT_EXCHANGE,
    Queue.Declare: Queue.DeclareOk,
    Queue.Bind: NO_LAST_QUEUE,
    Queue.Unbind: NO_LAST_QUEUE,
    Queue.Purge: NO_LAST_QUEUE,
    Queue.Delete: NO_LAST_QUEUE,
    Basic.Qos: Basic.QosOk,
    Basic.Consume: NO_LAST_QUEUE,
    Basic.Cancel: Basic.CancelOk,
    Basic.CancelOk: None,
    Basic.Publish: None,
    Basic.Get: NO_LAST_QUEUE,
    Basic.Ack: UNKNOWN_TAG,
    Basic.Reject: UNKNOWN_TAG,
    Basic.Nack: UNKNOWN_TAG,
    Confirm.Select: Confirm.SelectOk,
    Tx.Select: Tx.SelectOk,
    Tx.Commit: NOT_TRANSACTIONAL,
    Tx.Rollback: NOT_TRANSACTIONAL,
}
# The text of the connection.close, where it is not that of all others.
CLOSED_ON_OPEN_CHANNEL = {
    Channel.Open: "CHANNEL_ERROR - second 'channel.open' seen",
    Channel.Flow: "NOT_IMPLEMENTED - active=false",
    Basic.Recover: "NOT_IMPLEMENTED - requeue=false",
    Basic.RecoverAsync: "NOT_IMPLEMENTED - requeue=false",
}


def send(client: Client, cls: type[Frame], number: int) -> None:
    data = encode_method(number, make(cls))
    if number and cls in WITH_CONTENT:
        data += content_frames(number, encode_header(Properties(), 1), b"x", constants.FRAME_MAX)
    client.send_bytes(data)


def expect_closed(client: Client, text: str, cls: type[Frame]) -> None:
    client.expect_connection_close(text, cls)


def before_the_header(client: Client, cls: type[Frame]) -> None:
    send(client, cls, 0)
    assert client.received_bytes() == constants.PROTOCOL_HEADER
    assert client.connection.drop_after_seconds == 0


def starting(client: Client, cls: type[Frame]) -> None:
    """Nothing is right here without a mechanism."""
    client.send_header()
    send(client, cls, 0)
    client.assert_silent()
    assert client.connection.drop_after_seconds == SILENT_SECONDS


def tuning(client: Client, cls: type[Frame]) -> None:
    client.log_in()
    send(client, cls, 0)
    if cls is Connection.TuneOk:
        text = "NOT_ALLOWED - negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047)"
        expect_closed(client, text, cls)
    else:
        client.assert_silent()
        assert client.connection.drop_after_seconds == SILENT_SECONDS


def opening(client: Client, cls: type[Frame]) -> None:
    client.log_in()
    client.tune_ok()
    send(client, cls, 0)
    if cls is Connection.Open:
        expect_closed(client, "NOT_ALLOWED - vhost  not found", cls)
    else:
        expect_closed(client, "CHANNEL_ERROR - unexpected method in connection state opening", cls)


def opened(client: Client) -> None:
    client.log_in()
    client.tune_ok()
    client.open_vhost()
    client.expect(Connection.OpenOk, channel=0)


def running_on_channel_0(client: Client, cls: type[Frame]) -> None:
    opened(client)
    send(client, cls, 0)
    if cls is Connection.Close:
        client.expect(Connection.CloseOk, channel=0)
    elif cls is Connection.UpdateSecret:
        client.expect(Connection.UpdateSecretOk, channel=0)
    else:
        expect_closed(client, "CHANNEL_ERROR - unexpected method in connection state running", cls)


def running_on_an_unopened_channel(client: Client, cls: type[Frame]) -> None:
    opened(client)
    send(client, cls, NUMBER)
    if cls is Channel.Open:
        client.expect(Channel.OpenOk, NUMBER)
    else:
        expect_closed(client, "CHANNEL_ERROR - expected 'channel.open'", cls)


def running_on_an_open_channel(client: Client, cls: type[Frame]) -> None:
    opened(client)
    client.open(NUMBER)
    send(client, cls, NUMBER)
    match ON_OPEN_CHANNEL.get(cls, False):
        case None:
            client.assert_silent()
        case str(text):
            client.expect_channel_close(text, cls, NUMBER)
        case False:
            expect_closed(client, CLOSED_ON_OPEN_CHANNEL.get(cls, "COMMAND_INVALID - unimplemented method"), cls)
        case reply:
            client.expect(reply, NUMBER)


def running_on_a_closing_channel(client: Client, cls: type[Frame]) -> None:
    """The broker has sent channel.close."""
    opened(client)
    client.open(NUMBER)
    client.send(make(Queue.Declare, queue="absent", passive=True), channel=NUMBER)
    client.expect(Channel.Close, NUMBER)
    send(client, cls, NUMBER)
    if cls is Channel.Open:
        expect_closed(client, "CHANNEL_ERROR - second 'channel.open' seen", cls)
    elif cls is Channel.Close:
        client.expect(Channel.CloseOk, NUMBER)
    else:
        client.assert_silent()
        if cls is Channel.CloseOk:
            client.open(NUMBER)


def closing(client: Client, cls: type[Frame]) -> None:
    """The broker has sent connection.close. Methods on channels are tried, too."""
    opened(client)
    client.send(make(Connection.SecureOk), channel=0)
    close = client.expect(Connection.Close, channel=0)
    assert_told(close, "CHANNEL_ERROR - unexpected method in connection state running", (10, 21))
    send(client, cls, NUMBER)
    client.assert_silent()
    send(client, cls, 0)
    if cls is Connection.Close:
        client.expect(Connection.CloseOk, channel=0)
    client.assert_silent()
    assert (client.connection.drop_after_seconds == 0) == (cls is Connection.CloseOk)


State = Callable[[Client, type[Frame]], None]
STATES: list[State] = [
    before_the_header,
    starting,
    tuning,
    opening,
    running_on_channel_0,
    running_on_an_unopened_channel,
    running_on_an_open_channel,
    running_on_a_closing_channel,
    closing,
]


@pytest.fixture(scope="module")
def shared() -> BrokerHarness:
    """One broker for all of them: that it serves the last as it served the first is half the test."""
    return BrokerHarness()


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
@pytest.mark.parametrize("cls", METHODS.values(), ids=lambda cls: cls.name)
def test_it_is_answered_as_rabbitmq_does_and_others_are_served(
    shared: BrokerHarness, state: State, cls: type[Frame]
) -> None:
    peer = shared.tcp()
    state(peer, cls)
    peer.lose()
    other = shared.connect()
    other.declare("q")
    other.publish("", "q", b"x")
    assert other.drain("q") == [b"x"]
    other.close()


def test_all_of_them_leave_nothing_behind() -> None:
    harness = BrokerHarness()

    def each_in_each() -> None:
        for state in STATES:
            for cls in METHODS.values():
                peer = harness.tcp()
                state(peer, cls)
                peer.lose()
        cleaner = harness.connect()
        for vhost in harness.node.vhosts.values():
            for queue in list(vhost.queues):
                cleaner.send(make(Queue.Delete, queue=queue))
        cleaner.received()
        cleaner.close()

    assert_nothing_stays(each_in_each)
