"""Virtual hosts that come and go, and the type of queue that each makes by itself."""

import gc

import pytest

from leveret.core.exchanges import Exchange as CoreExchange
from leveret.core.metadata import Metadata
from leveret.core.node import Node
from leveret.core.queue import Queue as CoreQueue
from leveret.core.vhost import VirtualHost
from leveret_protocol import methods
from leveret_protocol.fields import plain, table
from leveret_protocol.methods import Basic, Queue, make
from tests.harness import BrokerHarness, Client

PREDECLARED = ["amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.rabbitmq.trace", "amq.topic"]


def stored_type(harness: BrokerHarness, queue: str, vhost: str = "/") -> object:
    """The queue's x-queue-type, which must be what it is."""
    found = harness.node.vhosts[vhost].queues[queue]
    stored = plain(found.arguments)["x-queue-type"]
    assert stored == found.type_name
    return stored


def kept(vhost: str) -> list[object]:
    """What there still is of the virtual host."""
    gc.collect()
    return [
        it
        for it in gc.get_objects()
        if (isinstance(it, VirtualHost) and it.name == vhost)
        or (isinstance(it, CoreQueue) and it.vhost.name == vhost)
        or (isinstance(it, CoreExchange) and it.name == "only here")
    ]


class TestAdding:
    def test_it_has_the_predeclared_exchanges_and_no_queues(self, harness: BrokerHarness) -> None:
        vhost = harness.add_vhost("v")
        assert sorted(vhost.exchanges) == ["", *PREDECLARED]
        assert harness.connect(vhost="v").has_exchange("amq.topic")
        assert not vhost.queues

    def test_it_keeps_its_metadata(self, harness: BrokerHarness) -> None:
        given = Metadata("of the tests", ("a", "b"), "quorum")
        assert harness.add_vhost("v", given).metadata == given

    def test_adding_it_again_changes_nothing(self, harness: BrokerHarness) -> None:
        """RabbitMQ: rabbitmqctl add_vhost answers with success."""
        vhost = harness.add_vhost("v", Metadata("first"))
        assert harness.add_vhost("v", Metadata("second")) is vhost
        assert vhost.metadata.description == "first"

    def test_queues_of_one_name_are_different_queues(self, harness: BrokerHarness, client: Client) -> None:
        harness.add_vhost("v")
        elsewhere = harness.connect(vhost="v")
        client.declare("q")
        elsewhere.declare("q")
        client.publish("", "q", b"x")
        assert (client.counts("q"), elsewhere.counts("q")) == ((1, 0), (0, 0))


class TestDeleting:
    def test_consumers_are_cancelled_then_the_connection_is_closed(self, harness: BrokerHarness) -> None:
        """RabbitMQ: CLS-5; seen in 3.10, exclusive queues too."""
        harness.add_vhost("v")
        there = harness.connect(vhost="v", channels=(1, 2))
        there.declare("q")
        there.declare("mine", exclusive=True)
        there.consume("q", "c1")
        there.consume("mine", "c2", channel=2)
        harness.node.delete_vhost("v")
        *cancels, close = there.received()
        assert [(it.channel, type(it.method), it.method.consumer_tag) for it in cancels] == [
            (1, Basic.Cancel, "c1"),
            (2, Basic.Cancel, "c2"),
        ]
        assert isinstance(close.method, methods.Connection.Close)
        assert (close.method.reply_code, close.method.class_id, close.method.method_id) == (320, 0, 0)
        assert close.method.reply_text == "CONNECTION_FORCED - vhost 'v' is deleted"

    def test_other_virtual_hosts_notice_nothing(self, harness: BrokerHarness, client: Client) -> None:
        harness.add_vhost("v")
        client.declare("q")
        client.consume("q")
        harness.node.delete_vhost("v")
        client.assert_silent()
        assert client.counts("q") == (0, 1)

    def test_it_cannot_be_opened_any_more(self, harness: BrokerHarness) -> None:
        harness.add_vhost("v")
        late = harness.tcp()
        late.log_in()
        late.tune_ok()
        harness.node.delete_vhost("v")
        late.assert_silent()
        late.open_vhost("v")
        late.expect_connection_close("NOT_ALLOWED - vhost v not found", methods.Connection.Open)

    def test_the_default_one_can_be_deleted_too(self, harness: BrokerHarness, client: Client) -> None:
        """Seen in RabbitMQ 3.10."""
        harness.node.delete_vhost("/")
        client.expect_connection_close("CONNECTION_FORCED - vhost '/' is deleted", None)
        late = harness.tcp()
        late.log_in()
        late.tune_ok()
        late.open_vhost("/")
        late.expect_connection_close("NOT_ALLOWED - vhost / not found", methods.Connection.Open)

    def test_one_that_is_missing_is_told(self, harness: BrokerHarness) -> None:
        with pytest.raises(KeyError):
            harness.node.delete_vhost("nosuch")

    def test_its_namesake_begins_empty(self, harness: BrokerHarness) -> None:
        harness.add_vhost("v", Metadata("old")).set_limits({"max-queues": 1})
        there = harness.connect(vhost="v")
        there.declare("q")
        there.declare_exchange("x")
        harness.node.delete_vhost("v")
        vhost = harness.add_vhost("v")
        again = harness.connect(vhost="v")
        assert not again.has_queue("q")
        assert not again.has_exchange("x")
        assert (vhost.metadata.description, vhost.limits) == ("", {})

    def test_a_connection_that_closes_already_is_left_alone(self, harness: BrokerHarness) -> None:
        harness.add_vhost("v")
        there = harness.connect(vhost="v")
        there.send(make(methods.Channel.Open))
        there.expect(methods.Connection.Close, channel=0)
        harness.node.delete_vhost("v")
        there.assert_silent()

    def test_nothing_of_it_is_kept(self, harness: BrokerHarness) -> None:
        """Not its timers, not its queues with what was handed out of them, not its exchanges."""
        harness.add_vhost("v")
        there = harness.connect(vhost="v")
        there.declare("q", arguments={"x-expires": 60_000, "x-message-ttl": 60_000, "x-max-length-bytes": 1000})
        there.declare_exchange("only here", "topic")
        there.declare_exchange("auto", "fanout", auto_delete=True)
        there.bind_exchange("auto", "only here", "#")
        there.bind("q", "auto")
        there.publish("only here", "k", b"handed out")
        there.publish("", "q", b"ready")
        there.get("q", no_ack=False)
        there.consume("q")
        harness.node.delete_vhost("v")
        there.received()
        there.lose()
        del there
        harness.run_work()
        assert kept("v") == []
        harness.advance(120)

    def test_an_auto_delete_exchange_goes_before_its_turn_comes(self, harness: BrokerHarness) -> None:
        vhost = harness.add_vhost("v")
        there = harness.connect(vhost="v")
        there.declare_exchange("a")
        there.declare_exchange("b", "fanout", auto_delete=True)
        there.bind_exchange("a", "b")
        there.declare_exchange("c", "fanout", auto_delete=True)
        there.declare("q")
        there.bind("q", "c")
        harness.node.delete_vhost("v")
        assert (list(vhost.exchanges), vhost.queues) == ([], {})


class TestDefaultQueueType:
    def test_classic_stands_in_the_arguments(self, harness: BrokerHarness, client: Client) -> None:
        """RabbitMQ: VER-37."""
        client.declare("q")
        assert stored_type(harness, "q") == "classic"

    @pytest.mark.parametrize("given", ["classic", "quorum"])
    def test_the_type_that_was_asked_for_stays(self, harness: BrokerHarness, given: str) -> None:
        harness.add_vhost("v", Metadata(default_queue_type="quorum"))
        harness.connect(vhost="v").declare("q", durable=True, arguments={"x-queue-type": given})
        assert stored_type(harness, "q", "v") == given

    def test_the_virtual_hosts_own_comes_first(self, harness: BrokerHarness) -> None:
        """RabbitMQ: QA-4."""
        harness.add_vhost("v", Metadata(default_queue_type="quorum"))
        there = harness.connect(vhost="v")
        there.declare("q", durable=True, arguments={"x-max-length": 5, "a": 1})
        assert stored_type(harness, "q", "v") == "quorum"
        assert sorted(harness.node.vhosts["v"].queues["q"].arguments) == ["a", "x-max-length", "x-queue-type"]

    def test_then_the_nodes(self) -> None:
        node = Node(now=lambda: 0.0, default_queue_type="quorum")
        chosen = [node.vhost("/"), node.add_vhost("v"), node.add_vhost("w", Metadata(default_queue_type="classic"))]
        assert [vhost.metadata.default_queue_type for vhost in chosen] == ["quorum", "quorum", "classic"]

    def test_it_may_be_changed(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("before", durable=True)
        harness.node.vhost("/").metadata = Metadata(default_queue_type="quorum")
        client.declare("after", durable=True)
        assert (stored_type(harness, "before"), stored_type(harness, "after")) == ("classic", "quorum")

    @pytest.mark.parametrize(
        "properties",
        [{}, {"durable": True, "exclusive": True}, {"durable": True, "auto_delete": True}],
        ids=["transient", "exclusive", "auto-delete"],
    )
    def test_where_the_properties_do_not_fit_it_is_classic(
        self, harness: BrokerHarness, properties: dict[str, bool]
    ) -> None:
        """RabbitMQ 4.x: is_compatible, else the fallback."""
        harness.add_vhost("v", Metadata(default_queue_type="quorum"))
        harness.connect(vhost="v").declare("q", **properties)
        assert stored_type(harness, "q", "v") == "classic"

    def test_the_default_is_compared_as_if_it_had_been_given(self, harness: BrokerHarness, client: Client) -> None:
        """RabbitMQ 4.x compares the arguments after it has added the type."""
        client.declare("q", durable=True)
        client.declare("q", durable=True, arguments={"x-queue-type": "classic"})
        harness.node.vhost("/").metadata = Metadata(default_queue_type="quorum")
        client.refused(
            make(Queue.Declare, queue="q", durable=True),
            "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received 'quorum' but "
            "current is 'classic'",
        )
        client.declare("q", durable=True, arguments={"x-queue-type": "classic"})

    def test_arguments_are_those_of_the_default_type(self, harness: BrokerHarness) -> None:
        harness.add_vhost("v", Metadata(default_queue_type="quorum"))
        there = harness.connect(vhost="v")
        there.declare("q", durable=True, arguments={"x-delivery-limit": 5})
        there.declare("q", durable=True, arguments={"x-delivery-limit": 5, "x-queue-type": "quorum"})
        there.send(make(Queue.Declare, queue="p", durable=True, arguments=table({"x-max-priority": 5})))
        there.expect_channel_close(
            "PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'p' in vhost 'v' of queue type "
            "rabbit_quorum_queue",
            Queue.Declare,
        )

    def test_the_broker_names_no_quorum_queues(self, harness: BrokerHarness) -> None:
        """RabbitMQ: QU-2, with the type that the declaration comes to."""
        harness.add_vhost("v", Metadata(default_queue_type="quorum"))
        there = harness.connect(vhost="v")
        assert there.declare("", exclusive=True).startswith("amq.gen-")
        there.send(make(Queue.Declare, durable=True))
        there.expect_channel_close(
            "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue", Queue.Declare
        )

    def test_a_type_that_does_not_exist_is_refused(self) -> None:
        with pytest.raises(ValueError, match="bogus is not a valid queue type"):
            Metadata(default_queue_type="bogus")
        with pytest.raises(ValueError, match="bogus is not a valid queue type"):
            Node(now=lambda: 0.0, default_queue_type="bogus")
