"""What leaves the broker in one turn: confirms told together, contents cut for the one who gets them."""

import pytest

from leveret.core import returning
from leveret.handlers import basic
from leveret.handlers.connection import FEW_EVENTS, USUAL_BYTES
from leveret.handlers.outgoing import METHOD_BYTES, TURN_OUTPUT_BYTES_MAX
from leveret_protocol.methods import Basic, Channel, Confirm, Exchange, Frame, Queue, Tx, encode_method, make
from tests.harness import BrokerHarness, Client


def confirms(client: Client) -> list[tuple[int, int, bool]]:
    """(channel, number, multiple) of the acks that have come, and nothing else has."""
    told = []
    for it in client.received():
        assert isinstance(it.method, Basic.Ack)
        told.append((it.channel, it.method.delivery_tag, it.method.multiple))
    return told


def test_the_publishes_of_one_turn_are_confirmed_by_one_ack(client: Client) -> None:
    client.declare("q")
    client.call(make(Confirm.Select), Confirm.SelectOk)
    client.send_bytes(client.published("", "q", b"x") * 10)
    assert confirms(client) == [(1, 10, True)]
    client.publish("", "q", b"x")
    assert confirms(client) == [(1, 11, False)]


def test_each_channel_is_told_its_own_confirms(client: Client) -> None:
    client.declare("q")
    for channel in (1, 2):
        client.call(make(Confirm.Select), Confirm.SelectOk, channel)
    client.send_bytes(client.published("", "q") * 2 + client.published("", "q", channel=2))
    assert confirms(client) == [(1, 2, True), (2, 1, False)]


def test_deliveries_are_marked_with_the_channel_of_the_consumer(client: Client, other: Client) -> None:
    client.declare("q")
    client.consume("q", channel=2)
    other.publish("", "q", b"from channel 1")
    (delivery,) = client.deliveries()
    assert (delivery.channel, delivery.body) == (2, b"from channel 1")


@pytest.mark.parametrize("size", [0, 1, 4087, 4088, 4089, 8176, 10000, 131064, 131065, 300000])
def test_a_body_is_cut_to_the_frame_max_of_the_consumer(harness: BrokerHarness, size: int) -> None:
    """RabbitMQ: CT-1, CT-3. The client checks the size of every frame."""
    large, small = harness.connect(frame_max=131072), harness.connect(frame_max=4096)
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    large.declare("small")
    large.declare("large")
    large.bind("small", "amq.fanout")
    large.bind("large", "amq.fanout")
    small.consume("small", no_ack=True)
    large.consume("large", no_ack=True)
    for publisher in (large, small):
        publisher.publish("amq.fanout", "", body)
        assert small.bodies() == [body]
        assert large.bodies() == [body]


def test_body_frames_are_full_but_for_the_last(harness: BrokerHarness) -> None:
    """RabbitMQ: CT-3: 10000 bytes are 4088, 4088 and 1824."""
    client = harness.connect(frame_max=4096)
    client.declare("q")
    client.publish("", "q", b"x" * 10000)
    client.send(make(Basic.Get, queue="q", no_ack=True))
    data = client.received_bytes()
    sizes = []
    while data:
        kind, size = data[0], int.from_bytes(data[3:7], "big")
        if kind == 3:
            sizes.append(size)
        data = data[size + 8 :]
    assert sizes == [4088, 4088, 1824]


def test_a_header_frame_is_sent_at_any_size(harness: BrokerHarness) -> None:
    """RabbitMQ: CT-4."""
    large, small = harness.connect(), harness.connect(frame_max=4096)
    large.declare("q")
    small.consume("q", no_ack=True)
    large.publish("", "q", b"x", headers={"h": "v" * 6000})
    (delivery,) = small.deliveries()
    assert delivery.headers == {"h": "v" * 6000}


def test_got_and_returned_contents_are_cut_as_well(harness: BrokerHarness) -> None:
    large, small = harness.connect(), harness.connect(frame_max=4096)
    body = b"y" * 9000
    large.declare("q")
    large.publish("", "q", body)
    assert small.get("q").body == body
    small.publish("", "nowhere", body, mandatory=True)
    (returned,) = small.received()
    assert returned.body == body


def test_a_content_may_come_in_any_pieces(harness: BrokerHarness) -> None:
    """RabbitMQ: CT-5, FRM-19: the split of the client is not kept, empty frames are fine."""
    client = harness.connect()
    client.declare("q")
    client.frame_max = 12
    publish = client.published("", "q", b"0123456789")
    client.frame_max = 131072
    empty = b"\x03\x00\x01\x00\x00\x00\x00\xce"
    body_start = publish.index(b"\x03\x00\x01")
    client.send_bytes(publish[:body_start] + empty + publish[body_start:])
    client.send(make(Basic.Get, queue="q", no_ack=True))
    data = client.received_bytes()
    assert data.endswith(b"\x03\x00\x01\x00\x00\x00\x0a0123456789\xce")


def test_the_shell_is_woken_once_for_a_turn(client: Client, other: Client) -> None:
    client.declare("q")
    other.consume("q", no_ack=True)
    client.send_bytes(client.published("", "q", b"x") * 50)
    assert other.wakes == 1
    assert len(other.bodies()) == 50


def test_publishing_into_a_backlog_is_noticed_for_the_shell(client: Client, other: Client) -> None:
    client.declare("q")
    client.publish("", "q", b"nobody consumes")
    assert not client.connection.publishes_into_backlog
    other.qos(1)
    other.consume("q")
    client.publish("", "q", b"the consumer is busy")
    assert client.connection.publishes_into_backlog
    client.publish("", "other", b"")
    assert not client.connection.publishes_into_backlog


def test_publishing_with_properties_into_a_backlog_is_noticed_too(client: Client, other: Client) -> None:
    client.declare("q")
    other.qos(1)
    other.consume("q")
    client.publish("", "q", b"", headers={"CC": ["also"]})
    client.publish("", "q", b"", headers={"CC": ["also"]})
    assert client.connection.publishes_into_backlog


def test_what_other_channels_send_while_a_body_is_due_is_carried_out_in_turns(client: Client, other: Client) -> None:
    """The shell reads a great deal at once then; other connections are not to wait for all that may be in it."""
    client.declare("q")
    other.consume("q", no_ack=True)
    large = client.published("", "q", bytes(1_000_000), channel=2)
    begun = large.index(b"\x03\x00\x02") + 2 * 131072  # with two frames of the body
    client.connection.receive(large[:begun])
    assert client.connection.bytes_wanted > USUAL_BYTES
    small = [b"%d" % number for number in range(3000)]
    client.connection.receive(b"".join(client.published("", "q", body) for body in small) + large[begun : begun + 100])
    came = other.bodies()
    turns = 1
    assert len(came) == FEW_EVENTS
    while client.connection.has_put_off:
        client.connection.go_on()
        turns += 1
        now = other.bodies()
        assert len(now) <= FEW_EVENTS
        came += now
    assert turns == 6
    client.send_bytes(large[begun + 100 :])
    assert came + other.bodies() == [*small, bytes(1_000_000)]


def turns(client: Client, data: bytes) -> int:
    """In how many it is carried out."""
    client.connection.receive(data)
    return 1 + turns_left(client)


def turns_left(client: Client) -> int:
    count = 0
    while client.connection.has_put_off:
        client.connection.go_on()
        count += 1
    client.connection.tell_confirms()
    return count


@pytest.mark.parametrize(
    "method",
    [
        make(Basic.Get, queue="q", no_ack=True),
        make(Exchange.Declare, exchange="e", exchange_type="fanout", nowait=True, arguments={}),
        make(Queue.Bind, queue="q", exchange="amq.direct", routing_key="k", nowait=True, arguments={}),
        make(Basic.Cancel, consumer_tag="nobody", nowait=True),
    ],
    ids=lambda method: method.name,
)
def test_a_turn_is_of_few_methods_that_take_long(client: Client, method: Frame) -> None:
    client.declare("q")
    few = TURN_OUTPUT_BYTES_MAX // METHOD_BYTES
    assert turns(client, encode_method(1, method) * (few // 2)) == 1
    assert turns(client, encode_method(1, method) * (few + 1)) == 2


def test_nothing_is_received_before_what_was_put_off(client: Client) -> None:
    """It would be carried out before that, and the reader has no place for both."""
    client.declare("q")
    get = encode_method(1, make(Basic.Get, queue="q", no_ack=True))
    count = TURN_OUTPUT_BYTES_MAX // METHOD_BYTES + 1
    client.connection.receive(get * count)
    with pytest.raises(AssertionError):
        client.connection.receive(get)
    assert turns_left(client) == 1
    assert len(client.received()) == count


def test_a_turn_opens_few_channels(client: Client) -> None:
    few = TURN_OUTPUT_BYTES_MAX // METHOD_BYTES
    opens = [encode_method(number, make(Channel.Open)) for number in range(3, few + 4)]
    assert turns(client, b"".join(opens)) == 2


def test_a_turn_is_of_few_messages_that_are_held_against_many_bindings(client: Client) -> None:
    client.declare("q")
    for number in range(200):
        client.bind("q", "amq.headers", arguments={"h": number})
    published = client.published("amq.headers", "", headers={"h": "none"})
    assert turns(client, published * 10) == 1
    assert turns(client, published * 40) == 2
    client.call(make(Tx.Select), Tx.SelectOk)
    assert turns(client, published * 40) == 2


FEW = 100


@pytest.fixture
def few_in_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basic, "SETTLED_IN_A_TURN", FEW)
    monkeypatch.setattr(returning, "SLICE_WEIGHT", FEW)


def holding(harness: BrokerHarness, client: Client, count: int) -> None:
    """It has been given so many messages, 1 to `count`, and there are as many more."""
    client.declare("q")
    client.qos(count)
    client.send_bytes(client.published("", "q", b"x") * 2 * count)
    client.consume("q")
    harness.run_work()
    assert len(client.received()) == count


@pytest.mark.parametrize("tag", [0, 2 * FEW + 5])
@pytest.mark.parametrize("cls", [Basic.Ack, Basic.Nack])
@pytest.mark.usefixtures("few_in_a_turn")
def test_many_are_settled_in_turns(
    harness: BrokerHarness, client: Client, tag: int, cls: type[Basic.Ack | Basic.Nack]
) -> None:
    count = 2 * FEW + 5
    holding(harness, client, count)
    queue = harness.node.vhosts["/"].queues["q"]
    settle = make(cls, delivery_tag=tag, multiple=True, **({"requeue": False} if cls is Basic.Nack else {}))
    client.connection.receive(encode_method(1, settle) + encode_method(1, make(Basic.Qos, prefetch_count=7)))
    assert client.connection.has_put_off
    assert queue.message_count == count - FEW
    assert turns_left(client) == 2
    harness.run_work()
    assert (queue.message_count, queue.unacked_count) == (0, count)  # the other ones
    client.ack(count + 1)
    assert len(client.received()) == count + 1  # and qos-ok
    client.refused(make(Basic.Ack, delivery_tag=count), f"PRECONDITION_FAILED - unknown delivery tag {count}")


@pytest.mark.usefixtures("few_in_a_turn")
def test_an_unknown_tag_settles_nothing(harness: BrokerHarness, client: Client) -> None:
    count = FEW + 5
    holding(harness, client, count)
    unknown = make(Basic.Ack, delivery_tag=3 * count, multiple=True)
    client.send(unknown)
    client.expect_channel_close(f"PRECONDITION_FAILED - unknown delivery tag {3 * count}", Basic.Ack)
    harness.run_work()
    assert harness.node.vhosts["/"].queues["q"].message_count == 2 * count
