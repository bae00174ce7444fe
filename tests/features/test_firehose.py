"""Tracing: every publish and every delivery of a virtual host is copied to amq.rabbitmq.trace (RabbitMQ: XT-23).

Unless said otherwise all was seen on RabbitMQ 3.10.8, after `rabbitmqctl trace_on`.
"""

from typing import Any

import pytest

from leveret_protocol.fields import Table, plain
from leveret_protocol.methods import Basic, Exchange, Tx, make
from tests.harness import BrokerHarness, Client, Received

TRACE = "amq.rabbitmq.trace"
GUEST = "127.0.0.1:50001 -> 127.0.0.1:5672"  # the connection of the fixture `client`
ALL_PROPERTIES = {
    "content_type": "text/plain", "content_encoding": "utf8", "headers": {"h": 1, "t": {"a": [1, None]}},
    "delivery_mode": 2, "priority": 3, "correlation_id": "corr", "reply_to": "rep", "expiration": "60000",
    "message_id": "mid", "timestamp": 1_700_000_000, "type": "typ", "user_id": "guest", "app_id": "app",
    "cluster_id": "clu",
}  # fmt: skip


class Tracer:
    """A connection of its own with a queue that gets all copies."""

    def __init__(self, harness: BrokerHarness) -> None:
        self.harness = harness
        self.firehose = harness.node.vhosts["/"].firehose
        self.client = harness.connect()
        self.queue = self.client.declare(exclusive=True)
        self.client.bind(self.queue, TRACE, "#")

    def copies(self) -> list[Received]:
        self.harness.run_work()
        ready, _ = self.client.counts(self.queue)
        return [self.client.get(self.queue) for _ in range(ready)]

    def keys(self) -> list[str]:
        return [key_of(it) for it in self.copies()]

    def only(self) -> Received:
        (copy,) = self.copies()
        return copy

    def headers(self) -> Table:
        """Of the one copy that has come, with their types."""
        headers = self.only().properties.headers
        assert headers is not None
        return headers


def key_of(copy: Received) -> str:
    return str(getattr(copy.method, "routing_key"))  # noqa: B009


@pytest.fixture
def tracer(harness: BrokerHarness, client: Client) -> Tracer:
    """Tracing is on."""
    tracer = Tracer(harness)
    tracer.firehose.start()
    return tracer


class TestCopies:
    def test_of_a_publish(self, client: Client, tracer: Tracer) -> None:
        """Names, types and order of the headers."""
        client.bind(client.declare("q2"), "amq.topic", "a.#")
        client.bind(client.declare("q1"), "amq.topic", "a.#")
        client.publish("amq.topic", "a.b", b"hello")
        assert list(tracer.headers().items()) == [
            ("exchange_name", ("S", "amq.topic")),
            ("routing_keys", ("A", [("S", "a.b")])),
            ("properties", ("F", {})),
            ("node", ("S", "leveret@test")),
            ("vhost", ("S", "/")),
            ("connection", ("S", GUEST)),
            ("channel", ("I", 1)),
            ("user", ("S", "guest")),
            ("routed_queues", ("A", [("S", "q1"), ("S", "q2")])),
        ]

    def test_of_a_delivery(self, client: Client, tracer: Tracer) -> None:
        client.declare("q")
        client.publish("", "q", b"hello")
        tracer.copies()
        client.open(3)
        client.consume("q", channel=3)
        assert list(tracer.headers().items()) == [
            ("exchange_name", ("S", "")),
            ("routing_keys", ("A", [("S", "q")])),
            ("properties", ("F", {})),
            ("node", ("S", "leveret@test")),
            ("redelivered", ("I", 0)),
            ("vhost", ("S", "/")),
            ("connection", ("S", GUEST)),
            ("channel", ("I", 3)),
            ("user", ("S", "guest")),
        ]

    def test_body_and_key_and_no_properties_but_headers(self, client: Client, tracer: Tracer) -> None:
        body = bytes(range(256)) * 1000  # more than one frame
        client.publish("amq.fanout", "k", body, delivery_mode=2, priority=9)
        copy = tracer.only()
        assert isinstance(copy.method, Basic.GetOk)
        assert (copy.method.exchange, key_of(copy), copy.body) == (TRACE, "publish.amq.fanout", body)
        properties = copy.properties
        assert [it for it in properties.__slots__ if getattr(properties, it) is not None] == ["headers"]

    def test_the_properties_are_a_table_last_one_first(self, client: Client, tracer: Tracer) -> None:
        client.publish("", "q", b"x", **ALL_PROPERTIES)
        properties = tracer.headers()["properties"]
        assert properties.tag == "F"
        shown = plain(properties)
        assert list(shown.items()) == list(reversed(ALL_PROPERTIES.items()))
        assert isinstance(properties.value, dict)
        numbers = {name for name, field in properties.value.items() if field.tag == "I"}
        assert numbers == {"timestamp", "priority", "delivery_mode"}

    @pytest.mark.parametrize(("timestamp", "shown"), [(2**31, -(2**31)), (2**32 + 5, 5), (2**64 - 1, -1)])
    def test_of_a_timestamp_the_low_32_bits_are_left(
        self, client: Client, tracer: Tracer, timestamp: int, shown: int
    ) -> None:
        """In RabbitMQ's source: it is written as a signed integer of 32 bits."""
        client.publish("", "q", timestamp=timestamp)
        assert plain(tracer.headers()["properties"]) == {"timestamp": shown}

    def test_a_redelivery_says_so(self, client: Client, tracer: Tracer) -> None:
        client.declare("q")
        client.publish("", "q", b"x")
        client.nack(client.get("q", no_ack=False).delivery_tag)
        client.get("q")
        copies = tracer.copies()
        assert [key_of(it) for it in copies] == ["publish.", "deliver.q", "deliver.q"]
        assert [it.headers.get("redelivered") for it in copies] == [None, 0, 1]

    def test_cc_and_bcc_are_among_the_routing_keys(self, client: Client, tracer: Tracer) -> None:
        """Of the headers BCC has gone. Also in the copy of the delivery."""
        client.declare("q")
        client.publish("", "q", b"x", headers={"CC": ["c1", "c2"], "BCC": ["b"]})
        client.get("q")
        for copy in tracer.copies():
            assert copy.headers["routing_keys"] == ["q", "c1", "c2", "b"]
            assert copy.headers["properties"] == {"headers": {"CC": ["c1", "c2"]}}

    def test_a_queue_with_a_name_of_255_bytes(self, client: Client, tracer: Tracer) -> None:
        """RabbitMQ routes by the longer key, and fails to deliver it; here it is cut."""
        name = "ä" * 127 + "x"
        client.declare(name)
        client.publish("", name, b"x")
        client.get(name)
        (publish, deliver) = tracer.copies()
        assert publish.headers["routed_queues"] == [name]
        assert key_of(deliver) == "deliver." + "ä" * 123
        assert deliver.body == b"x"


class TestWhatIsTraced:
    def test_unroutable_publishes(self, client: Client, tracer: Tracer) -> None:
        """To the default exchange the key is the route, whether there is such a queue or not."""
        client.publish("amq.topic", "nobody", b"x")
        client.publish("", "nosuch", b"x")
        assert [it.headers["routed_queues"] for it in tracer.copies()] == [[], ["nosuch"]]

    def test_returned_ones(self, client: Client, tracer: Tracer) -> None:
        client.publish("amq.topic", "nobody", b"x", mandatory=True)
        (returned,) = client.received()
        assert isinstance(returned.method, Basic.Return)
        assert tracer.keys() == ["publish.amq.topic"]

    def test_those_that_a_full_queue_refuses(self, client: Client, tracer: Tracer) -> None:
        client.declare("full", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
        client.publish("", "full", b"x")
        assert tracer.only().headers["routed_queues"] == ["full"]

    def test_not_those_that_are_refused(self, client: Client, tracer: Tracer) -> None:
        client.publish("nosuch", "k", b"x")
        client.publish("", "q", b"x", channel=2, user_id="somebody else")
        client.received()
        assert tracer.keys() == []

    def test_in_a_transaction_when_they_are_published(self, client: Client, tracer: Tracer) -> None:
        """Whether it is committed or not."""
        client.declare("q")
        client.call(make(Tx.Select), Tx.SelectOk)
        client.publish("", "q", b"x")
        client.publish("", "nosuch", b"y")
        copies = tracer.copies()
        assert [(it.body, it.headers["routed_queues"]) for it in copies] == [(b"x", ["q"]), (b"y", ["nosuch"])]
        client.call(make(Tx.Rollback), Tx.RollbackOk)
        client.publish("", "q", b"z")
        client.call(make(Tx.Commit), Tx.CommitOk)
        assert [it.body for it in tracer.copies()] == [b"z"]

    def test_not_dead_letters_but_their_deliveries(self, client: Client, tracer: Tracer) -> None:
        client.declare("dead")
        client.declare("q", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
        client.publish("", "q", b"x")
        client.reject(client.get("q", no_ack=False).delivery_tag, requeue=False)
        client.get("dead")
        publish, first, second = tracer.copies()
        assert [key_of(it) for it in (publish, first, second)] == ["publish.", "deliver.q", "deliver.dead"]
        assert second.headers["routing_keys"] == ["dead"]
        assert "x-death" in second.headers["properties"]["headers"]

    def test_not_events_but_their_deliveries(self, client: Client, tracer: Tracer) -> None:
        client.declare("events")
        client.bind("events", "amq.rabbitmq.event", "queue.created")
        client.declare("q")
        assert client.get("events").headers["name"] == "q"
        copy = tracer.only()
        assert (key_of(copy), copy.headers["exchange_name"]) == ("deliver.events", "amq.rabbitmq.event")

    def test_a_request_and_its_reply(self, client: Client, tracer: Tracer) -> None:
        """From the source of 4.2, where the requester is a queue: the reply is routed to it and delivered from it."""
        client.declare("requests")
        client.consume("amq.rabbitmq.reply-to", "c", no_ack=True)
        client.publish("", "requests", b"request", reply_to="amq.rabbitmq.reply-to")
        name = str(client.get("requests").properties.reply_to)
        client.publish("", name, b"reply", channel=2)
        request, delivery, reply, answer = tracer.copies()
        assert request.headers["properties"] == delivery.headers["properties"] == {"reply_to": name}
        assert (key_of(reply), reply.headers["routed_queues"], reply.headers["channel"]) == ("publish.", [name], 2)
        assert (key_of(answer), answer.body, answer.headers["channel"]) == (f"deliver.{name}", b"reply", 1)

    def test_messages_with_headers_exchanges_and_alternates(self, client: Client, tracer: Tracer) -> None:
        client.bind(client.declare("q"), "amq.headers", arguments={"x-match": "all", "a": 1})
        client.publish("amq.headers", "k", b"x", headers={"a": 1})
        assert tracer.only().headers["routed_queues"] == ["q"]

    def test_what_comes_from_the_trace_exchange_is_not(self, client: Client, tracer: Tracer) -> None:
        """Not even by way of another exchange."""
        client.declare_exchange("x", "fanout")
        client.bind_exchange("x", TRACE, "#")
        client.bind(client.declare("by x"), "x")
        client.publish("", "nosuch", b"x")
        assert tracer.keys() == ["publish."]
        tracer.client.consume(tracer.queue)
        assert client.get("by x").body == b"x"
        assert client.counts("by x") == (0, 0)

    def test_publishing_to_the_trace_exchange_is_refused(self, client: Client, tracer: Tracer) -> None:
        """RabbitMQ: XT-25, EX-19."""
        client.publish(TRACE, "publish.", b"forged")
        text = f"ACCESS_REFUSED - cannot publish to internal exchange '{TRACE}' in vhost '/'"
        client.expect_channel_close(text, Basic.Publish)
        assert tracer.keys() == []

    def test_other_virtual_hosts_are_not(self, harness: BrokerHarness, client: Client, tracer: Tracer) -> None:
        harness.add_vhost("v")
        elsewhere = harness.connect(vhost="v")
        elsewhere.declare("q")
        elsewhere.consume("q", no_ack=True)
        elsewhere.publish("", "q", b"x")
        assert elsewhere.bodies() == [b"x"]
        assert tracer.keys() == []


class TestOnAndOff:
    def keys_of_one_message(self, client: Client, tracer: Tracer) -> list[str]:
        client.publish("", "q", b"x")
        assert client.bodies() == [b"x"]
        return tracer.keys()

    @pytest.mark.parametrize("no_ack", [True, False])
    def test_for_consumers_and_publishers_that_are_there(
        self, harness: BrokerHarness, client: Client, no_ack: bool
    ) -> None:
        tracer = Tracer(harness)
        client.declare("q")
        client.consume("q", no_ack=no_ack)
        assert self.keys_of_one_message(client, tracer) == []
        tracer.firehose.start()
        tracer.firehose.start()
        assert self.keys_of_one_message(client, tracer) == ["publish.", "deliver.q"]
        tracer.firehose.stop()
        tracer.firehose.stop()
        assert self.keys_of_one_message(client, tracer) == []
        tracer.firehose.start()
        assert self.keys_of_one_message(client, tracer) == ["publish.", "deliver.q"]

    def test_for_a_consumer_that_comes_while_it_is_on(self, client: Client, tracer: Tracer) -> None:
        client.declare("q")
        client.consume("q")
        assert self.keys_of_one_message(client, tracer) == ["publish.", "deliver.q"]
        tracer.firehose.stop()
        assert self.keys_of_one_message(client, tracer) == []

    def test_for_reply_consumers_that_are_there(self, harness: BrokerHarness, client: Client) -> None:
        tracer = Tracer(harness)
        client.declare("q")
        client.consume("amq.rabbitmq.reply-to", "c", no_ack=True)
        client.publish("", "q", b"request", reply_to="amq.rabbitmq.reply-to")
        name = str(client.get("q").properties.reply_to)
        tracer.firehose.start()
        client.publish("", name, b"reply")
        assert tracer.keys() == ["publish.", f"deliver.{name}"]
        tracer.firehose.stop()
        client.publish("", name, b"reply")
        assert tracer.keys() == []

    def test_basic_get(self, client: Client, tracer: Tracer) -> None:
        client.declare("q")
        client.publish("", "q", b"x")
        client.publish("", "q", b"x")
        client.get("q")
        tracer.firehose.stop()
        client.get("q")
        assert tracer.keys() == ["publish.", "publish.", "deliver.q"]

    def test_what_was_traced_before_it_went_off_still_comes(self, client: Client, tracer: Tracer) -> None:
        client.publish("", "q", b"x")
        tracer.firehose.stop()
        assert tracer.keys() == ["publish."]

    def test_while_it_is_off_no_message_is_made(self, harness: BrokerHarness, client: Client) -> None:
        """And none while it was on and has gone off."""
        tracer = Tracer(harness)
        client.declare("q")
        client.consume("q", no_ack=True)
        tracer.firehose.start()
        tracer.firehose.stop()

        def refuse(*_: object, **__: object) -> Any:
            raise AssertionError("a copy was made for nobody")

        harness.node.make_message = refuse
        client.publish("", "q", b"x")
        assert client.bodies() == [b"x"]

    def test_publishes_do_not_stay_on_the_slow_road(self, harness: BrokerHarness, tracer: Tracer) -> None:
        """What was remembered of their routes while it was on is void."""
        vhost = harness.node.vhosts["/"]
        before = vhost.generation
        tracer.firehose.stop()
        assert vhost.generation > before

    def test_a_virtual_host_that_is_deleted(self, harness: BrokerHarness) -> None:
        """Its last copies go nowhere."""
        vhost = harness.add_vhost("v")
        vhost.firehose.start()
        elsewhere = harness.connect(vhost="v")
        elsewhere.publish("", "q", b"x")
        harness.node.delete_vhost("v")
        harness.run_work()
        assert not vhost.firehose.is_on


class TestSafety:
    def test_a_queue_that_gets_copies_of_its_own_deliveries(self, harness: BrokerHarness, client: Client) -> None:
        """Prefetch holds, each message comes once, and copies of copies there are none."""
        client.declare("q")
        client.bind("q", TRACE, "#")
        client.qos(1)
        client.consume("q", "c")
        harness.node.vhosts["/"].firehose.start()
        client.publish("", "q", b"x")
        received = []
        for _ in range(10):
            harness.run_work()
            for delivery in client.deliveries():
                received.append((getattr(delivery.method, "exchange"), delivery.headers.get("redelivered")))  # noqa: B009
                assert client.counts("q")[0] + len(received) <= 3
                client.ack(delivery.delivery_tag)
        assert received == [("", None), (TRACE, None), (TRACE, 0)]

    def test_a_full_queue_of_copies_dead_letters_into_the_queue_that_is_traced(
        self, harness: BrokerHarness, client: Client
    ) -> None:
        client.declare("q")
        arguments = {"x-max-length": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"}
        client.declare("copies", arguments=arguments)
        client.bind("copies", TRACE, "publish.#")
        client.qos(1)
        client.consume("q", "c")
        harness.node.vhosts["/"].firehose.start()
        client.publish("", "q", b"x")
        bodies = []
        while harness.run_work() or client.connection.output:
            for delivery in client.deliveries():
                bodies.append((delivery.body, "x-death" in delivery.headers))
                client.ack(delivery.delivery_tag)
        assert bodies == [(b"x", False), (b"x", True)]

    def test_a_long_backlog_is_copied_whole_and_in_order(self, client: Client, tracer: Tracer) -> None:
        client.declare("q")
        bodies = [str(number).encode() for number in range(1000)]
        for body in bodies:
            client.publish("", "q", body)
        client.consume("q", no_ack=True)
        copies = tracer.copies()
        assert [it.body for it in copies if key_of(it) == "publish."] == bodies
        assert [it.body for it in copies if key_of(it) == "deliver.q"] == bodies

    def test_an_exchange_that_is_declared_again_changes_nothing(self, client: Client, tracer: Tracer) -> None:
        declare = make(Exchange.Declare, exchange=TRACE, exchange_type="topic", durable=True, internal=True)
        client.call(declare, Exchange.DeclareOk)
        client.publish("", "q", b"x")
        assert tracer.keys() == ["publish."]
