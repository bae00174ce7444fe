"""Queues that end with their connection (exclusive), queues and exchanges that end with their use (auto-delete)."""

import pytest

from leveret_protocol.methods import Basic, Exchange, Frame, Queue, make
from tests.harness import BrokerHarness, Client


def locked(queue: str) -> str:
    return (
        f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{queue}' in vhost '/'. It could be "
        "originally declared on another connection or the exclusive property value does not match that of the original "
        "declaration."
    )


class TestExclusive:
    @pytest.mark.parametrize(
        "method",
        [
            make(Queue.Declare, queue="mine"),
            make(Queue.Declare, queue="mine", exclusive=True),
            make(Queue.Declare, queue="mine", passive=True),
            make(Basic.Get, queue="mine"),
            make(Basic.Consume, queue="mine"),
            make(Queue.Bind, queue="mine", exchange="amq.fanout"),
            make(Queue.Unbind, queue="mine", exchange="amq.direct", routing_key="k"),
            make(Queue.Purge, queue="mine"),
            make(Queue.Delete, queue="mine"),
        ],
        ids=lambda method: method.name,
    )
    def test_other_connections_are_locked_out(self, client: Client, other: Client, method: Frame) -> None:
        """RabbitMQ: QU-6, QU-15."""
        client.declare("mine", exclusive=True)
        client.bind("mine", "amq.direct", "k")
        other.refused(method, locked("mine"))
        client.publish("", "mine", b"still there")
        assert client.drain("mine") == [b"still there"]

    def test_unbinding_what_is_not_bound_is_fine_for_everybody(self, client: Client, other: Client) -> None:
        """RabbitMQ: QU-15."""
        client.declare("mine", exclusive=True)
        other.call(make(Queue.Unbind, queue="mine", exchange="amq.direct", routing_key="k"), Queue.UnbindOk)

    def test_every_channel_of_its_connection_may_use_it(self, client: Client) -> None:
        """RabbitMQ: QU-15."""
        client.declare("mine", exclusive=True)
        client.declare("mine", exclusive=True, channel=2)
        client.publish("", "mine", b"x", channel=2)
        assert client.drain("mine", channel=2) == [b"x"]

    def test_the_flag_must_be_the_same_for_its_owner_too(self, client: Client) -> None:
        """RabbitMQ: QU-6, either way, and before other differences."""
        client.declare("mine", exclusive=True)
        client.refused(make(Queue.Declare, queue="mine", auto_delete=True), locked("mine"))
        client.declare("everybodys")
        client.refused(make(Queue.Declare, queue="everybodys", exclusive=True), locked("everybodys"))

    def test_it_is_never_durable(self, client: Client) -> None:
        """RabbitMQ: QU-14."""
        client.declare("mine", exclusive=True, durable=True)
        client.declare("mine", exclusive=True, durable=False)

    def test_it_outlives_the_channel_that_declared_it(self, client: Client) -> None:
        client.declare("mine", exclusive=True)
        client.close_channel()
        assert client.has_queue("mine")

    @pytest.mark.parametrize("end", [Client.close, Client.lose])
    def test_it_ends_with_its_connection(self, harness: BrokerHarness, other: Client, end: object) -> None:
        """RabbitMQ: CLS-1, CLS-3. Its bindings go, too; its name is free."""
        assert callable(end)
        client = harness.connect()
        client.declare("mine", exclusive=True)
        client.bind("mine", "amq.fanout")
        client.publish("", "mine", b"x")
        client.consume("mine")
        client.deliveries()
        end(client)
        other.publish("amq.fanout", "", b"x", mandatory=True)
        assert [type(it.method) for it in other.received()] == [Basic.Return]
        other.declare("mine")
        assert other.counts("mine") == (0, 0)

    def test_queues_of_other_connections_stay(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("mine", exclusive=True)
        client.declare("everybodys")
        harness.connect().lose()
        assert client.has_queue("mine")
        client.lose()
        assert harness.connect().has_queue("everybodys")


class TestAutoDeleteQueue:
    def test_it_ends_with_its_last_consumer(self, client: Client) -> None:
        """RabbitMQ: QU-16."""
        client.declare("q", auto_delete=True)
        client.consume("q", "a")
        client.consume("q", "b", channel=2)
        client.cancel("a")
        assert client.has_queue("q")
        client.cancel("b", channel=2)
        assert not client.has_queue("q")

    @pytest.mark.parametrize("end", [Client.close_channel, Client.close, Client.lose])
    def test_the_end_of_channel_or_connection_ends_its_consumers(
        self, client: Client, other: Client, end: object
    ) -> None:
        """RabbitMQ: QU-16."""
        assert callable(end)
        client.declare("q", auto_delete=True)
        client.consume("q")
        client.publish("", "q", b"unacked")
        client.deliveries()
        end(client)
        assert not other.has_queue("q")

    def test_it_stays_until_somebody_consumed(self, client: Client, other: Client) -> None:
        """RabbitMQ: QU-16: getting is not consuming."""
        client.declare("q", auto_delete=True)
        client.publish("", "q", b"x")
        client.get("q")
        client.lose()
        assert other.has_queue("q")

    def test_the_last_consumer_is_not_told(self, client: Client) -> None:
        client.declare("q", auto_delete=True)
        client.consume("q", "tag")
        client.cancel("tag")
        client.assert_silent()

    def test_acks_for_it_are_accepted_silently(self, client: Client) -> None:
        """RabbitMQ: QU-35."""
        client.declare("q", auto_delete=True)
        client.consume("q", "tag")
        client.publish("", "q", b"x")
        client.deliveries()
        client.cancel("tag")
        client.ack(1)
        client.assert_silent()


class TestAutoDeleteExchange:
    def test_it_ends_with_its_last_binding(self, client: Client) -> None:
        """RabbitMQ: EX-18."""
        client.declare_exchange("x", auto_delete=True)
        client.declare("q")
        client.bind("q", "x", "1")
        client.bind("q", "x", "2")
        for key, is_left in (("1", True), ("2", False)):
            client.call(make(Queue.Unbind, queue="q", exchange="x", routing_key=key), Queue.UnbindOk)
            assert client.has_exchange("x") == is_left

    def test_it_stays_until_it_was_bound(self, client: Client, other: Client) -> None:
        """RabbitMQ: EX-18."""
        client.declare_exchange("x", auto_delete=True)
        client.lose()
        assert other.has_exchange("x")

    def test_being_unbound_as_a_destination_does_not_end_it(self, client: Client) -> None:
        """RabbitMQ: EX-18."""
        client.declare_exchange("x", auto_delete=True)
        client.bind_exchange("x", "amq.fanout")
        client.call(make(Exchange.Unbind, destination="x", source="amq.fanout"), Exchange.UnbindOk)
        assert client.has_exchange("x")

    def test_it_ends_when_the_destination_is_deleted(self, client: Client) -> None:
        client.declare_exchange("x", auto_delete=True)
        client.declare_exchange("destination")
        client.bind_exchange("destination", "x")
        client.call(make(Exchange.Delete, exchange="destination"), Exchange.DeleteOk)
        assert not client.has_exchange("x")

    def test_the_end_cascades(self, client: Client) -> None:
        """RabbitMQ: EX-18: a connection, its exclusive queue, and two exchanges before it."""
        client.declare_exchange("a", auto_delete=True)
        client.declare_exchange("b", auto_delete=True)
        client.bind_exchange("b", "a")
        client.declare("q")
        client.bind("q", "b")
        client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
        assert not client.has_exchange("b")
        assert not client.has_exchange("a")

    def test_the_end_of_a_connection_cascades(self, harness: BrokerHarness, other: Client) -> None:
        client = harness.connect()
        client.declare_exchange("x", auto_delete=True)
        client.declare("mine", exclusive=True)
        client.bind("mine", "x")
        client.lose()
        assert not other.has_exchange("x")

    def test_an_auto_delete_exchange_bound_to_itself_ends_as_well(self, client: Client) -> None:
        client.declare_exchange("x", auto_delete=True)
        client.bind_exchange("x", "x")
        client.call(make(Exchange.Delete, exchange="x"), Exchange.DeleteOk)
        assert not client.has_exchange("x")


class TestDelete:
    def test_a_missing_queue_is_deleted_already(self, client: Client) -> None:
        """RabbitMQ: QU-26."""
        assert client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk).message_count == 0

    def test_delete_ok_tells_the_ready_messages(self, client: Client) -> None:
        """RabbitMQ: QU-30, QU-31: those that are out do not keep it either."""
        client.declare("q")
        for _ in range(3):
            client.publish("", "q")
        client.get("q", no_ack=False)
        assert client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk).message_count == 2
        client.declare("q")
        client.publish("", "q")
        client.get("q", no_ack=False)
        client.call(make(Queue.Delete, queue="q", if_empty=True), Queue.DeleteOk)

    def test_the_conditions_are_checked_empty_first(self, client: Client, other: Client) -> None:
        """RabbitMQ: QU-27 to QU-29."""
        client.declare("q")
        not_empty = "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty"
        in_use = "PRECONDITION_FAILED - queue 'q' in vhost '/' in use"
        other.qos(1)
        other.consume("q")
        client.refused(make(Queue.Delete, queue="q", if_unused=True), in_use)
        client.publish("", "q")
        client.publish("", "q")
        client.refused(make(Queue.Delete, queue="q", if_empty=True), not_empty)
        client.refused(make(Queue.Delete, queue="q", if_unused=True, if_empty=True), not_empty)
        assert client.counts("q") == (1, 1)

    def test_an_exchange_with_bindings_from_it_is_in_use(self, client: Client) -> None:
        """RabbitMQ: EX-13, EX-16, EX-17."""
        client.call(make(Exchange.Delete, exchange="x"), Exchange.DeleteOk)
        client.declare_exchange("x")
        client.bind_exchange("amq.fanout", "x")
        client.refused(
            make(Exchange.Delete, exchange="x", if_unused=True),
            "PRECONDITION_FAILED - exchange 'x' in vhost '/' in use",
        )
        client.call(make(Exchange.Unbind, destination="amq.fanout", source="x"), Exchange.UnbindOk)
        client.bind_exchange("x", "amq.fanout")
        client.call(make(Exchange.Delete, exchange="x", if_unused=True), Exchange.DeleteOk)
        assert not client.has_exchange("x")
