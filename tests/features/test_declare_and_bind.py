"""queue.declare, exchange.declare and bindings: what is made, what is compared, what is refused."""

import pytest

from leveret_protocol.methods import Exchange, Queue, make
from tests.harness import Client


class TestDeclare:
    def test_the_same_again_is_fine_and_tells_the_counts(self, client: Client, other: Client) -> None:
        """RabbitMQ: QU-4, QU-11: ready messages only."""
        client.declare("q", durable=True)
        for _ in range(3):
            client.publish("", "q")
        client.get("q", no_ack=False)
        ok = other.call(make(Queue.Declare, queue="q", durable=True), Queue.DeclareOk)
        assert (ok.queue, ok.message_count, ok.consumer_count) == ("q", 2, 0)

    @pytest.mark.parametrize("flag", ["durable", "auto_delete"])
    @pytest.mark.parametrize("current", [True, False])
    def test_other_flags_are_refused(self, client: Client, flag: str, current: bool) -> None:
        """RabbitMQ: QU-5."""
        client.call(make(Queue.Declare, queue="q", **{flag: current}), Queue.DeclareOk)
        client.refused(
            make(Queue.Declare, queue="q", **{flag: not current}),
            f"PRECONDITION_FAILED - inequivalent arg '{flag}' for queue 'q' in vhost '/': "
            f"received '{str(not current).lower()}' but current is '{str(current).lower()}'",
        )

    def test_passively_flags_are_not_looked_at(self, client: Client) -> None:
        """RabbitMQ: QU-8, QU-9, EX-6, EX-7."""
        client.declare("q", durable=True)
        client.call(make(Queue.Declare, queue="q", passive=True, auto_delete=True), Queue.DeclareOk)
        client.declare_exchange("x", "fanout")
        client.declare_exchange("x", "nonsense", passive=True, durable=True)
        client.refused(make(Queue.Declare, queue="no", passive=True), "NOT_FOUND - no queue 'no' in vhost '/'")
        client.refused(
            make(Exchange.Declare, exchange="amq.no", passive=True), "NOT_FOUND - no exchange 'amq.no' in vhost '/'"
        )

    @pytest.mark.parametrize("exchange", ["new", "amq.direct"])
    @pytest.mark.parametrize("exchange_type", ["nosuchtype", "", "Direct"])
    def test_an_unknown_exchange_type_closes_the_channel(
        self, client: Client, exchange: str, exchange_type: str
    ) -> None:
        """RabbitMQ: from 3.13.3 (EX-1, VER-1), also for an existing exchange."""
        client.refused(
            make(Exchange.Declare, exchange=exchange, exchange_type=exchange_type),
            f"PRECONDITION_FAILED - unknown exchange type '{exchange_type}'",
        )

    @pytest.mark.parametrize(
        ("fields", "arg", "received", "current"),
        [
            ({"exchange_type": "fanout", "durable": True}, "type", "fanout", "direct"),
            ({"durable": True, "internal": True}, "durable", "true", "false"),
            ({"auto_delete": True, "internal": True}, "auto_delete", "true", "false"),
            ({"internal": True}, "internal", "true", "false"),
        ],
    )
    def test_other_properties_of_an_exchange_are_refused(
        self, client: Client, fields: dict[str, object], arg: str, received: str, current: str
    ) -> None:
        """RabbitMQ: EX-8, in this order."""
        client.declare_exchange("x", "direct")
        client.refused(
            make(Exchange.Declare, exchange="x", **({"exchange_type": "direct"} | fields)),
            f"PRECONDITION_FAILED - inequivalent arg '{arg}' for exchange 'x' in vhost '/': "
            f"received '{received}' but current is '{current}'",
        )

    def test_other_arguments_of_an_exchange_are_not_compared(self, client: Client) -> None:
        """RabbitMQ: EX-9."""
        client.declare_exchange("x", arguments={"mine": 1})
        client.declare_exchange("x", arguments={"yours": 2})


class TestBind:
    @pytest.mark.parametrize(
        ("queue", "exchange", "text"),
        [
            ("no", "amq.fanout", "no queue 'no'"),
            ("q", "nosuch", "no exchange 'nosuch'"),
            ("no", "nosuch", "no exchange 'nosuch'"),
        ],
    )
    def test_both_ends_have_to_be_there(self, client: Client, queue: str, exchange: str, text: str) -> None:
        """RabbitMQ: QU-19."""
        client.declare("q")
        client.refused(make(Queue.Bind, queue=queue, exchange=exchange), f"NOT_FOUND - {text} in vhost '/'")

    @pytest.mark.parametrize(("queue", "exchange"), [("no", "amq.fanout"), ("q", "nosuch"), ("q", "amq.fanout")])
    def test_what_is_not_there_is_unbound_already(self, client: Client, queue: str, exchange: str) -> None:
        """RabbitMQ: QU-20."""
        client.declare("q")
        client.call(make(Queue.Unbind, queue=queue, exchange=exchange), Queue.UnbindOk)

    def test_twice_is_once(self, client: Client) -> None:
        """RabbitMQ: QU-21."""
        client.declare("q")
        client.bind("q", "amq.direct", "k")
        client.bind("q", "amq.direct", "k")
        client.call(make(Queue.Unbind, queue="q", exchange="amq.direct", routing_key="k"), Queue.UnbindOk)
        client.publish("amq.direct", "k", b"x")
        assert client.drain("q") == []

    def test_other_arguments_make_another_binding(self, client: Client) -> None:
        """RabbitMQ: QU-22."""
        client.declare("q")
        client.bind("q", "amq.direct", "k")
        client.bind("q", "amq.direct", "k", arguments={"a": 1})
        client.call(make(Queue.Unbind, queue="q", exchange="amq.direct", routing_key="k"), Queue.UnbindOk)
        client.publish("amq.direct", "k", b"x")
        assert client.drain("q") == [b"x"]

    def test_bindings_go_with_their_queue(self, client: Client) -> None:
        """RabbitMQ: QU-35."""
        client.declare("q")
        client.bind("q", "amq.direct", "k")
        client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
        client.declare("q")
        client.publish("amq.direct", "k", b"x")
        assert client.drain("q") == []
