"""Names of queues and exchanges: made by the broker, reserved, stripped, left out."""

import re

import pytest

from leveret_protocol.methods import Basic, Exchange, Frame, Queue, make
from tests.harness import Client

DEFAULT_EXCHANGE = "ACCESS_REFUSED - operation not permitted on the default exchange"


class TestServerNamed:
    def test_an_empty_name_is_made_by_the_broker(self, client: Client) -> None:
        """RabbitMQ: QU-1."""
        names = {client.declare(), client.declare()}
        assert len(names) == 2
        assert all(re.fullmatch(r"amq\.gen-[A-Za-z0-9_-]{22}", name) for name in names)

    def test_it_can_be_used_and_declared_passively(self, client: Client) -> None:
        """RabbitMQ: QU-3."""
        name = client.declare()
        client.publish("", name, b"x")
        assert client.counts(name) == (1, 0)
        client.refused(
            make(Queue.Declare, queue=name),
            f"ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'",
        )


class TestReserved:
    @pytest.mark.parametrize("name", ["amq.", "amq.mine", "amq.fanout"])
    def test_queues_cannot_take_them(self, client: Client, name: str) -> None:
        """RabbitMQ: QU-3."""
        client.refused(
            make(Queue.Declare, queue=name), f"ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'"
        )

    def test_exchanges_cannot_take_new_ones(self, client: Client) -> None:
        """RabbitMQ: EX-4, EX-5."""
        client.refused(
            make(Exchange.Declare, exchange="amq.new", exchange_type="fanout"),
            "ACCESS_REFUSED - exchange name 'amq.new' contains reserved prefix 'amq.*'",
        )
        client.declare_exchange("amq.fanout", "fanout", durable=True)

    @pytest.mark.parametrize("name", ["amq.fanout", "amq.nosuch"])
    def test_exchanges_with_them_cannot_be_deleted(self, client: Client, name: str) -> None:
        """RabbitMQ: EX-15."""
        client.refused(
            make(Exchange.Delete, exchange=name),
            f"ACCESS_REFUSED - deletion of system exchange '{name}' in vhost '/' not allowed",
        )

    @pytest.mark.parametrize("name", ["AMQ.foo", "amq", "amqp.foo", " amq.foo"])
    def test_only_the_very_prefix_is_reserved(self, client: Client, name: str) -> None:
        """RabbitMQ: M-11."""
        client.declare(name)
        client.declare_exchange(name)
        assert client.has_queue(name)
        assert client.has_exchange(name)

    @pytest.mark.parametrize(
        "method",
        [
            make(Exchange.Declare, exchange_type="direct"),
            make(Exchange.Declare, passive=True),
            make(Exchange.Delete),
            make(Queue.Bind, queue="q", routing_key="q"),
            make(Queue.Unbind, queue="q", routing_key="q"),
        ],
        ids=lambda method: method.name,
    )
    def test_the_default_exchange_is_the_brokers(self, client: Client, method: Frame) -> None:
        """RabbitMQ: EX-3, EX-14, QU-18."""
        client.declare("q")
        client.refused(method, DEFAULT_EXCHANGE)
        client.publish("", "q", b"still bound")
        assert client.drain("q") == [b"still bound"]


@pytest.mark.parametrize("name", ["q", "with spaces / and = ~", "имя очереди", "q" * 255, "'", "a\0b", "%s{}"])
def test_all_other_names_are_fine(client: Client, name: str) -> None:
    """RabbitMQ: M-11; declare-ok and deliveries tell them as they are."""
    assert client.declare(name) == name
    client.declare_exchange(name, "fanout")
    client.bind(name, name)
    client.consume(name, name)
    client.publish(name, name, b"x")
    (delivery,) = client.deliveries()
    assert isinstance(delivery.method, Basic.Deliver)
    method = delivery.method
    assert (method.consumer_tag, method.exchange, method.routing_key) == (name, name, name)


class TestCarriageReturnAndLineFeed:
    """RabbitMQ: M-10."""

    def test_are_removed_in_declare_bind_unbind_and_delete(self, client: Client) -> None:
        assert client.declare("a\r\nb") == "ab"
        client.declare_exchange("\nx\r", "fanout")
        client.declare_exchange("y", "fanout")
        client.bind("a\nb", "x\n")
        client.bind_exchange("x\r", "\ry")
        client.publish("y", "", b"x")
        assert client.drain("ab") == [b"x"]
        client.call(make(Exchange.Unbind, destination="\nx", source="y\n"), Exchange.UnbindOk)
        client.call(make(Queue.Unbind, queue="ab\n", exchange="\nx"), Queue.UnbindOk)
        client.publish("x", "", b"nobody")
        assert client.call(make(Queue.Delete, queue="\r\nab"), Queue.DeleteOk).message_count == 0
        client.call(make(Exchange.Delete, exchange="x\r\n"), Exchange.DeleteOk)
        assert not client.has_queue("ab")
        assert not client.has_exchange("x")

    @pytest.mark.parametrize("cls", [Basic.Get, Basic.Consume, Queue.Purge], ids=lambda cls: cls.name)
    def test_stay_elsewhere(self, client: Client, cls: type[Frame]) -> None:
        client.declare("ab")
        client.refused(make(cls, queue="a\r\nb"), "NOT_FOUND - no queue 'a\r\nb' in vhost '/'")

    def test_stay_in_publish(self, client: Client) -> None:
        client.declare("ab")
        client.publish("", "a\nb", b"x", mandatory=True)
        assert [type(it.method) for it in client.received()] == [Basic.Return]

    def test_a_name_of_nothing_else_is_empty(self, client: Client) -> None:
        assert client.declare("\r\n").startswith("amq.gen-")
        client.refused(make(Exchange.Declare, exchange="\r\n", exchange_type="direct"), DEFAULT_EXCHANGE)


class TestLastDeclared:
    """An empty queue name is the queue last declared on the channel."""

    def test_it_may_be_left_out_everywhere(self, client: Client) -> None:
        """RabbitMQ: M-12."""
        name = client.declare()
        client.bind("", "amq.fanout", "key")
        client.publish("amq.fanout", "", b"1")
        assert client.get("").body == b"1"
        client.publish("", name, b"2")
        assert client.call(make(Queue.Purge, queue=""), Queue.PurgeOk).message_count == 1
        client.consume("", "tag")
        client.publish("", name, b"3")
        assert client.bodies() == [b"3"]
        client.call(make(Queue.Unbind, queue="", exchange="amq.fanout", routing_key="key"), Queue.UnbindOk)
        client.publish("amq.fanout", "", b"4", mandatory=True)
        assert [type(it.method) for it in client.received()] == [Basic.Return]
        client.cancel("tag")
        client.call(make(Queue.Delete, queue=""), Queue.DeleteOk)
        assert not client.has_queue(name)

    @pytest.mark.parametrize(
        "method",
        [
            make(Basic.Get),
            make(Basic.Consume),
            make(Queue.Purge),
            make(Queue.Delete),
            make(Queue.Bind, exchange="amq.fanout"),
            make(Queue.Unbind, exchange="amq.fanout"),
        ],
        ids=lambda method: method.name,
    )
    def test_there_has_to_be_one_on_this_channel(self, client: Client, method: Frame) -> None:
        """RabbitMQ: M-12."""
        client.declare("q", channel=2)
        client.refused(method, "NOT_FOUND - no previously declared queue")

    def test_passive_and_silent_declares_count(self, client: Client) -> None:
        client.declare("q", channel=2)
        client.counts("q")
        client.call(make(Basic.Get), Basic.GetEmpty)
        client.send(make(Queue.Declare, queue="other", nowait=True))
        client.call(make(Queue.Delete), Queue.DeleteOk)
        assert client.has_queue("q")
        assert not client.has_queue("other")

    def test_an_empty_key_with_an_empty_name_is_the_name(self, client: Client) -> None:
        """RabbitMQ: M-13, in bind and unbind."""
        client.declare("q")
        client.bind("", "amq.direct", "")
        client.publish("amq.direct", "q", b"by name")
        client.publish("amq.direct", "", b"by nothing")
        assert client.drain("q") == [b"by name"]
        client.call(make(Queue.Unbind, queue="", exchange="amq.direct"), Queue.UnbindOk)
        client.publish("amq.direct", "q", b"x")
        assert client.drain("q") == []

    def test_an_empty_key_with_a_name_stays_empty(self, client: Client) -> None:
        """RabbitMQ: M-13."""
        client.declare("q")
        client.bind("q", "amq.direct", "")
        client.publish("amq.direct", "", b"x")
        assert client.drain("q") == [b"x"]

    def test_it_is_a_name_and_not_the_queue(self, client: Client) -> None:
        """RabbitMQ: M-14."""
        client.declare("q")
        client.call(make(Queue.Delete, queue=""), Queue.DeleteOk)
        client.refused(make(Queue.Purge, queue=""), "NOT_FOUND - no queue 'q' in vhost '/'")

    def test_a_passive_declare_of_nothing_is_not_the_shorthand(self, client: Client) -> None:
        """RabbitMQ: M-15."""
        client.declare("q")
        client.refused(make(Queue.Declare, queue="", passive=True), "NOT_FOUND - no queue '' in vhost '/'")

    def test_a_refused_declare_does_not_count(self, client: Client) -> None:
        client.declare("q")
        client.send(make(Queue.Declare, queue="amq.mine"))
        client.received()
        assert client.counts("q", channel=2) == (0, 0)


def test_reply_texts_are_cut_at_a_character(client: Client) -> None:
    """RabbitMQ: GEN-3."""
    client.send(make(Queue.Purge, queue="ж" * 127))
    data = client.received_bytes()
    size = data[13]
    text = data[14 : 14 + size].decode()
    assert text.startswith("NOT_FOUND - no queue 'жж")
    assert text.endswith("ж...")
    assert size <= 255
