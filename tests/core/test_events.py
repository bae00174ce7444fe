"""What happens is told to observers, with RabbitMQ's names and details (XT-24), and nothing is built for nobody."""

from collections.abc import Callable

import pytest

from leveret.core.event_details import SINGLE_MAX, detail
from leveret.core.events import Event, Events
from leveret.core.node import Node
from leveret.core.vhost import VirtualHost
from leveret_protocol.errors import AMQPError
from leveret_protocol.fields import Field, Table, plain, table
from tests.core.event_stories import of, story
from tests.core.scene import Client, bind, declare_exchange, declare_queue, unbind

NAME = "rabbit@localhost"


class TestTelling:
    def test_an_observer_is_told_name_time_and_details(self) -> None:
        seen: list[Event] = []
        events = Events(lambda: 12.3456)
        events.add_observer(seen.append)
        events.tell("it.happened", lambda number: table({"n": number}), 7)
        assert seen == [Event("it.happened", 12345, {"n": Field("I", 7)})]

    def test_nothing_is_described_to_nobody(self) -> None:
        def describe() -> Table:
            raise AssertionError("there is nobody to hear of it")

        events = Events(lambda: 0.0)
        events.tell("it.happened", describe)
        seen: list[Event] = []
        events.add_observer(seen.append)
        events.remove_observer(seen.append)
        events.tell("it.happened", describe)
        assert seen == []

    def test_all_observers_are_told_of_one_event(self) -> None:
        first: list[Event] = []
        second: list[Event] = []
        events = Events(lambda: 0.0)
        for observer in (first.append, second.append):
            events.add_observer(observer)
        events.tell("it.happened", dict)
        assert first == second
        assert first[0] is second[0]

    def test_an_observer_that_goes_meanwhile_hears_the_event_to_its_end(self) -> None:
        seen: list[Event] = []
        events = Events(lambda: 0.0)

        def hear_once(event: Event) -> None:
            events.remove_observer(seen.append)

        events.add_observer(hear_once)
        events.add_observer(seen.append)
        events.tell("first", dict)
        events.tell("second", dict)
        assert [event.name for event in seen] == ["first"]

    def test_removing_an_observer_that_is_not_there_is_no_error(self) -> None:
        Events(lambda: 0.0).remove_observer(print)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, ("S", "null")),
        (True, ("t", True)),
        (1, ("l", 1)),
        (1.5, ("f", 1.5)),
        ("x", ("S", "x")),
        ([1, "x"], ("A", [("l", 1), ("S", "x")])),
        (("x",), ("A", [("S", "x")])),
        ([], ("A", [])),
        ({}, ("A", [])),
        ({"a": {"b": 1}}, ("F", {"a": ("F", {"b": ("l", 1)})})),
    ],
)
def test_types_are_those_of_the_event_exchange(value: object, field: Field) -> None:
    """Seen on RabbitMQ 3.10.8: a global parameter with all of them."""
    assert detail(value) == field


def test_objects_come_last_entry_first() -> None:
    """Seen on RabbitMQ 3.10.8."""
    shown = plain(detail({"a": 1, "b": {"c": 2, "d": 3}}))
    assert repr(shown) == "{'b': {'d': 3, 'c': 2}, 'a': 1}"


def test_numbers_of_json_that_do_not_fit_are_no_trouble() -> None:
    numbers = [2**63 - 1, 2**63, -(2**63) - 1, 1.5, 1e300, -1e300]
    assert plain(detail(numbers)) == [2**63 - 1, -(2**63), 2**63 - 1, 1.5, SINGLE_MAX, -SINGLE_MAX]


def test_a_value_that_no_event_has_is_a_bug() -> None:
    with pytest.raises(TypeError):
        detail(b"bytes")


class TestQueues:
    def test_a_classic_queue(self, vhost: VirtualHost, told: list[Event]) -> None:
        declare_queue(vhost, "q", durable=True, arguments={"x-max-length": 5})
        ((details,)) = of(told, "queue.created")
        assert list(details.items()) == [
            ("vhost", "/"), ("name", "q"), ("durable", True), ("auto_delete", False),
            ("arguments", ['{<<"x-max-length">>,signedint,5}', '{<<"x-queue-type">>,longstr,<<"classic">>}']),
            ("owner_pid", ""), ("exclusive", False), ("user_who_performed_action", "rmq-internal"), ("leader", NAME),
            ("members", [NAME]), ("type", "rabbit_classic_queue"),
        ]  # fmt: skip

    def test_a_quorum_queue_has_fewer_details(self, vhost: VirtualHost, told: list[Event]) -> None:
        declare_queue(vhost, "q", durable=True, arguments={"x-queue-type": "quorum"})
        ((details,)) = of(told, "queue.created")
        assert list(details.items()) == [
            ("vhost", "/"), ("name", "q"), ("durable", True), ("auto_delete", False), ("exclusive", False),
            ("type", "rabbit_quorum_queue"), ("arguments", ['{<<"x-queue-type">>,longstr,<<"quorum">>}']),
            ("user_who_performed_action", "rmq-internal"),
        ]  # fmt: skip

    def test_an_exclusive_queue_names_its_owner(self, vhost: VirtualHost, told: list[Event]) -> None:
        class Owner:
            pid = "<the owner>"

        declare_queue(vhost, exclusive=True, owner=Owner())
        assert [(it["exclusive"], it["owner_pid"]) for it in of(told, "queue.created")] == [(True, "<the owner>")]

    def test_declaring_it_again_is_not_told(self, vhost: VirtualHost, told: list[Event]) -> None:
        declare_queue(vhost)
        declare_queue(vhost)
        assert len(told) == 1

    def test_a_refused_declaration_is_not_told(self, vhost: VirtualHost, told: list[Event]) -> None:
        with pytest.raises(AMQPError):
            declare_queue(vhost, arguments={"x-max-length": -1})
        assert told == []

    def test_deleting_it(self, vhost: VirtualHost, told: list[Event]) -> None:
        """RabbitMQ: bindings go by the broker's own doing, whoever deletes the queue."""
        declare_exchange(vhost, "x", auto_delete=True)
        queue = declare_queue(vhost)
        bind(vhost, "x", queue, "a")
        bind(vhost, "x", queue, "b")
        bind(vhost, "amq.topic", queue, "t")
        told.clear()
        vhost.delete_queue(queue, user="me")
        assert story(told, "name", "routing_key", "user_who_performed_action") == [
            ("exchange.deleted", "x", None, "rmq-internal"),
            ("binding.deleted", None, "a", "rmq-internal"),
            ("binding.deleted", None, "b", "rmq-internal"),
            ("binding.deleted", None, "t", "rmq-internal"),
            ("queue.deleted", "q", None, "me"),
        ]
        assert of(told, "queue.deleted") == [
            {"vhost": "/", "name": "q", "type": "rabbit_classic_queue", "user_who_performed_action": "me"}
        ]

    def test_consumers_of_a_deleted_queue_are_told_of_twice(
        self, vhost: VirtualHost, client: Client, told: list[Event]
    ) -> None:
        """Seen on RabbitMQ 3.10.8, and so in the source of 4.2: by the queue, and by the channel without a user."""
        queue = declare_queue(vhost)
        client.consume(queue, "c")
        told.clear()
        vhost.delete_queue(queue, user="me")
        assert story(told, "consumer_tag", "user_who_performed_action") == [
            ("consumer.deleted", "c", "me"),
            ("queue.deleted", None, "me"),
            ("consumer.deleted", "c", None),
        ]

    def test_those_of_a_quorum_queue_once(self, vhost: VirtualHost, client: Client, told: list[Event]) -> None:
        """Seen on RabbitMQ 3.10.8."""
        queue = declare_queue(vhost, durable=True, arguments={"x-queue-type": "quorum"})
        client.consume(queue, "c")
        told.clear()
        vhost.delete_queue(queue, user="me")
        assert story(told, "consumer_tag", "user_who_performed_action") == [
            ("queue.deleted", None, "me"),
            ("consumer.deleted", "c", None),
        ]


class TestExchanges:
    def test_details(self, vhost: VirtualHost, told: list[Event]) -> None:
        vhost.policies.set("ae", pattern="^x", definition={"alternate-exchange": "amq.fanout"})
        declare_exchange(vhost, "x", "topic", durable=True, internal=True, arguments={"other": [1, "a"]})
        ((details,)) = of(told, "exchange.created")
        assert list(details.items()) == [
            ("vhost", "/"), ("name", "x"), ("type", "topic"), ("durable", True), ("auto_delete", False),
            ("internal", True), ("arguments", ['{<<"other">>,array,[{signedint,1},{longstr,<<"a">>}]}']),
            ("policy", "ae"), ("user_who_performed_action", "rmq-internal"),
        ]  # fmt: skip

    def test_declaring_it_again_is_not_told(self, vhost: VirtualHost, told: list[Event]) -> None:
        declare_exchange(vhost)
        declare_exchange(vhost)
        assert len(told) == 1

    def test_deleting_it_takes_its_bindings(self, vhost: VirtualHost, told: list[Event]) -> None:
        """Seen on RabbitMQ 3.10.8: there is a parameter meanwhile, which events tell of."""
        for name in ("x", "source"):
            declare_exchange(vhost, name)
        bind(vhost, "x", declare_queue(vhost), "to q")
        bind(vhost, "source", vhost.exchange("x"), "to x")
        told.clear()
        vhost.delete_exchange("x", if_unused=False, user="me")
        assert story(told, "name", "routing_key", "user_who_performed_action") == [
            ("parameter.set", "x", None, "me"),
            ("exchange.deleted", "x", None, "me"),
            ("binding.deleted", None, "to q", "me"),
            ("binding.deleted", None, "to x", "me"),
            ("parameter.cleared", "x", None, "me"),
        ]
        assert told[0].details == {
            "vhost": ("S", "/"), "component": ("S", "exchange-delete-in-progress"), "name": ("S", "x"),
            "value": ("t", True), "user_who_performed_action": ("S", "me"),
        }  # fmt: skip

    def test_deleting_one_that_is_missing_or_in_use_has_the_parameter_too(
        self, vhost: VirtualHost, told: list[Event]
    ) -> None:
        """Seen on RabbitMQ 3.10.8."""
        declare_exchange(vhost, "x")
        bind(vhost, "x", declare_queue(vhost))
        told.clear()
        vhost.delete_exchange("nosuch", if_unused=False)
        with pytest.raises(AMQPError, match="in use"):
            vhost.delete_exchange("x", if_unused=True)
        assert story(told, "name") == [
            ("parameter.set", "nosuch"),
            ("parameter.cleared", "nosuch"),
            ("parameter.set", "x"),
            ("parameter.cleared", "x"),
        ]

    @pytest.mark.parametrize("name", ["", "amq.direct"])
    def test_a_refused_deletion_is_not_told(self, vhost: VirtualHost, told: list[Event], name: str) -> None:
        with pytest.raises(AMQPError):
            vhost.delete_exchange(name, if_unused=False)
        assert told == []


class TestBindings:
    def test_details(self, vhost: VirtualHost, told: list[Event]) -> None:
        """RabbitMQ: arguments are sorted, those inside of others are not."""
        bind(vhost, "amq.headers", declare_queue(vhost), "k", table({"z": 1, "a": {"y": 1, "b": 2}}))
        ((details,)) = of(told, "binding.created")
        assert list(details.items()) == [
            ("source_name", "amq.headers"), ("source_kind", "exchange"), ("destination_name", "q"),
            ("destination_kind", "queue"), ("routing_key", "k"),
            ("arguments", [
                '{<<"a">>,table,[{<<"y">>,signedint,1},{<<"b">>,signedint,2}]}', '{<<"z">>,signedint,1}',
            ]),
            ("vhost", "/"), ("user_who_performed_action", "rmq-internal"),
        ]  # fmt: skip

    def test_unbinding_tells_the_same(self, vhost: VirtualHost, told: list[Event]) -> None:
        queue = declare_queue(vhost)
        bind(vhost, "amq.topic", queue)
        unbind(vhost, "amq.topic", queue)
        assert of(told, "binding.deleted") == of(told, "binding.created")

    def test_binding_again_is_not_told(self, vhost: VirtualHost, told: list[Event]) -> None:
        queue = declare_queue(vhost)
        bind(vhost, "amq.topic", queue)
        bind(vhost, "amq.topic", queue)
        assert len(of(told, "binding.created")) == 1

    def test_the_last_one_of_an_auto_delete_exchange(self, vhost: VirtualHost, told: list[Event]) -> None:
        """Seen on RabbitMQ 3.10.8: the exchange first, and by the same user."""
        declare_exchange(vhost, "x", auto_delete=True)
        bind(vhost, "x", vhost.exchange("amq.fanout"))
        told.clear()
        binding = vhost.find_binding("x", vhost.exchange("amq.fanout"), "k", {})
        assert binding is not None
        vhost.unbind(binding, "me")
        assert story(told, "destination_kind", "user_who_performed_action") == [
            ("exchange.deleted", None, "me"),
            ("binding.deleted", "exchange", "me"),
        ]


class TestChannelsAndConsumers:
    def test_a_consumer(self, vhost: VirtualHost, client: Client, told: list[Event]) -> None:
        client.channel.set_prefetch(7)
        client.consume(declare_queue(vhost), "c", no_ack=True, exclusive=True)
        ((details,)) = of(told, "consumer.created")
        assert list(details.items()) == [
            ("consumer_tag", "c"), ("exclusive", True), ("ack_required", False), ("channel", client.channel.pid),
            ("vhost", "/"), ("queue", "q"), ("prefetch_count", 7), ("arguments", []),
            ("user_who_performed_action", "rmq-internal"),
        ]  # fmt: skip

    def test_cancelling_takes_an_auto_delete_queue_along(
        self, vhost: VirtualHost, client: Client, told: list[Event]
    ) -> None:
        client.consume(declare_queue(vhost, auto_delete=True), "c")
        told.clear()
        client.channel.cancel("c")
        assert [event.name for event in told] == ["consumer.deleted", "queue.deleted"]
        assert list(of(told, "consumer.deleted")[0].items()) == [
            ("consumer_tag", "c"), ("channel", client.channel.pid), ("vhost", "/"), ("queue", "q"),
            ("user_who_performed_action", "rmq-internal"),
        ]  # fmt: skip

    def test_a_channel_that_ends_tells_how_many_consumers_it_had(
        self, vhost: VirtualHost, client: Client, told: list[Event]
    ) -> None:
        """RabbitMQ from 3.13 on; queues of type quorum tell of each of theirs, as before."""
        quorum = declare_queue(vhost, "quorum", durable=True, arguments={"x-queue-type": "quorum"})
        classic = declare_queue(vhost, "classic", auto_delete=True)
        for queue, tag in ((classic, "a"), (quorum, "b"), (classic, "c")):
            client.consume(queue, tag)
        told.clear()
        client.channel.close()
        assert story(told, "consumer_count", "consumer_tag", "name") == [
            ("channel.closed", 3, None, None),
            ("consumer.deleted", None, "b", None),
            ("queue.deleted", None, None, "classic"),
        ]

    def test_it_ends_only_once(self, client: Client, told: list[Event]) -> None:
        client.channel.close_consumers()
        client.channel.close()
        client.channel.close()
        assert [event.name for event in told] == ["channel.closed"]

    def test_pids_differ(self, vhost: VirtualHost) -> None:
        pids = {Client(vhost).channel.pid for _ in range(3)}
        assert len(pids) == 3
        assert all(pid.startswith(f"<{NAME}.") and pid.endswith(".0>") for pid in pids)


def test_a_node_without_a_way_to_make_messages_says_so(node: Node) -> None:
    make: Callable[..., object] = node.make_message
    with pytest.raises(RuntimeError, match="no way to make messages"):
        make("x", "k", {})
