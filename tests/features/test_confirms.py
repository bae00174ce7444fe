"""Publisher confirms: every publish is counted, and told when it is safe."""

from leveret_protocol.methods import Basic, Confirm, Exchange, Queue, Tx, make
from tests.harness import BrokerHarness, Client


def select(client: Client, channel: int = 1) -> None:
    client.call(make(Confirm.Select), Confirm.SelectOk, channel)


def confirmed(client: Client) -> int:
    """The number that the one ack which has come goes up to."""
    return int(client.expect(Basic.Ack).delivery_tag or 0)


def test_selecting_again_is_fine_and_does_not_count_anew(client: Client) -> None:
    """RabbitMQ: CFM-1."""
    select(client)
    client.publish("", "nowhere")
    assert confirmed(client) == 1
    select(client)
    client.publish("", "nowhere")
    assert confirmed(client) == 2


def test_a_transactional_channel_cannot_select(client: Client) -> None:
    """RabbitMQ: CFM-1."""
    client.call(make(Tx.Select), Tx.SelectOk)
    client.refused(make(Confirm.Select), "PRECONDITION_FAILED - cannot switch from tx to confirm mode")


def test_without_select_nothing_is_told(client: Client) -> None:
    client.declare("q")
    client.publish("", "q")
    client.assert_silent()


def test_counting_begins_with_select(client: Client) -> None:
    """RabbitMQ: CFM-2."""
    client.declare("q")
    client.publish("", "q")
    select(client)
    client.publish("", "q")
    assert confirmed(client) == 1


def test_every_publish_counts_wherever_it_goes(client: Client) -> None:
    """RabbitMQ: CFM-2, CFM-4."""
    client.declare("q")
    client.declare("also")
    client.bind("q", "amq.fanout")
    client.bind("also", "amq.fanout")
    select(client)
    ways = [
        client.published("", "q", b"routed"),
        client.published("", "nowhere", b"unroutable"),
        client.published("amq.fanout", "", b"twice"),
        client.published("amq.headers", "", b"looked at"),
        client.published("", "q", b"with properties", delivery_mode=2, headers={"CC": ["also"]}),
        client.published("", "q", b"", message_id="7"),
    ]
    for number, way in enumerate(ways, 1):
        client.send_bytes(way)
        assert confirmed(client) == number


def test_a_message_to_a_consumer_is_confirmed(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: CFM-4: when the queue has taken it, not when it is acked."""
    client.declare("q")
    consumer = harness.connect()
    consumer.consume("q")
    select(client)
    client.publish("", "q", b"x")
    assert confirmed(client) == 1
    assert consumer.bodies() == [b"x"]


def test_a_persistent_message_in_a_durable_queue_is_confirmed(client: Client) -> None:
    client.declare("q", durable=True)
    select(client)
    client.publish("", "q", b"x", delivery_mode=2)
    assert confirmed(client) == 1


def test_a_refused_publish_is_never_confirmed(client: Client) -> None:
    """RabbitMQ: CFM-2."""
    select(client)
    client.publish("nosuch", "")
    client.expect_channel_close("NOT_FOUND - no exchange 'nosuch' in vhost '/'", Basic.Publish)
    client.open(1)
    client.publish("", "nowhere")
    client.assert_silent()


def test_an_error_takes_the_confirms_of_its_turn_along(client: Client) -> None:
    """RabbitMQ: nothing but close-ok follows channel.close."""
    select(client)
    client.send_bytes(client.published("", "nowhere") + client.published("nosuch"))
    client.expect_channel_close("NOT_FOUND - no exchange 'nosuch' in vhost '/'", Basic.Publish)


def test_channels_count_on_their_own(client: Client) -> None:
    select(client)
    client.publish("", "nowhere")
    assert confirmed(client) == 1
    select(client, channel=2)
    client.publish("", "nowhere", channel=2)
    assert client.expect(Basic.Ack, channel=2).delivery_tag == 1


def test_a_thousand_publishes_are_all_confirmed(client: Client) -> None:
    client.declare("q")
    select(client)
    for _ in range(10):
        client.send_bytes(client.published("", "q", b"x") * 100)
    told = [it.method for it in client.received()]
    numbers: set[int] = set()
    for method in told:
        assert isinstance(method, Basic.Ack)
        first = max(numbers, default=0) + 1 if method.multiple else int(method.delivery_tag or 0)
        numbers.update(range(first, int(method.delivery_tag or 0) + 1))
    assert numbers == set(range(1, 1001))


def test_deleting_what_a_message_went_to_changes_nothing(client: Client) -> None:
    """RabbitMQ: CFM-6."""
    client.declare("q")
    select(client)
    client.publish("", "q")
    assert confirmed(client) == 1
    client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
    client.publish("", "q")
    assert confirmed(client) == 2
    client.call(make(Exchange.Delete, exchange="x"), Exchange.DeleteOk)
