"""What happens is told to observers, with RabbitMQ's names and details (XT-24), and nothing is built for nobody."""

from collections.abc import Callable
from typing import Any

import pytest

from leveret.core.event_details import detail
from leveret.core.events import Event, Events
from leveret.core.metadata import Metadata
from leveret.core.node import Node
from leveret.core.vhost import VirtualHost
from leveret_protocol.errors import AMQPError
from leveret_protocol.fields import Field, Table, plain, table
from tests.core.scene import Client, bind, declare_exchange, declare_queue, unbind

NAME = "leveret@localhost"
PREDECLARED = ["", "amq.direct", "amq.topic", "amq.match", "amq.headers", "amq.fanout", "amq.rabbitmq.trace"]


@pytest.fixture
def told(node: Node) -> list[Event]:
    """What is told from now on."""
    events: list[Event] = []
    node.events.add_observer(events.append)
    return events


def of(events: list[Event], name: str) -> list[Any]:
    """The details of all events of this name, without their types."""
    return [plain(event.details) for event in events if event.name == name]


def story(events: list[Event], *names: str) -> list[tuple[Any, ...]]:
    """Each event's name, with these of its details."""
    return [(event.name, *(plain(event.details).get(name) for name in names)) for event in events]


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


class TestVirtualHosts:
    def test_adding_one(self, node: Node, told: list[Event]) -> None:
        node.add_vhost("v", Metadata('the "second"', ("a", "B c"), "quorum"), "me")
        *exchanges, created = told
        assert story(exchanges, "vhost", "name", "user_who_performed_action") == [
            ("exchange.created", "v", name, "me") for name in PREDECLARED
        ]
        assert created.name == "vhost.created"
        assert list(plain(created.details).items()) == [
            ("name", "v"), ("default_queue_type", "quorum"), ("protected_from_deletion", False),
            ("metadata",
             """#{default_queue_type => <<"quorum">>,description => <<"the \\"second\\"">>,tags => [a,'B c']}"""),
            ("tracing", False), ("cluster_state", {NAME: "running"}), ("user_who_performed_action", "me"),
            ("description", 'the "second"'), ("tags", ["a", "B c"]),
        ]  # fmt: skip

    def test_adding_it_again_is_not_told(self, node: Node, told: list[Event]) -> None:
        node.add_vhost("/")
        assert told == []

    def test_deleting_one(self, node: Node, told: list[Event]) -> None:
        """Seen on RabbitMQ 3.10.8, but for the order of exchanges: all that was in it, limits and policies too."""
        vhost = node.add_vhost("v")
        vhost.policies.set("p", pattern="", definition={"max-length": 1})
        vhost.operator_policies.set("o", pattern="", definition={"max-length": 1})
        vhost.set_limits({"max-queues": 5})
        bind(vhost, "amq.topic", declare_queue(vhost))
        told.clear()
        node.delete_vhost("v", "me")
        assert story(told, "name", "user_who_performed_action") == [
            ("binding.deleted", None, "rmq-internal"),
            ("queue.deleted", "q", "me"),
            *(("exchange.deleted", name, "me") for name in PREDECLARED),
            ("parameter.cleared", "limits", "me"),
            ("vhost.limits.cleared", "limits", "me"),
            ("policy.cleared", "p", "me"),
            ("parameter.cleared", "o", "me"),
            ("operator.policy.cleared", "o", "me"),
            ("vhost.deleted", "v", "me"),
            ("vhost.down", "v", "rmq-internal"),
        ]
        assert of(told, "vhost.down")[0]["node"] == NAME

    def test_limits(self, vhost: VirtualHost, told: list[Event]) -> None:
        """Seen on RabbitMQ 3.10.8; 4.2 adds the virtual host."""
        vhost.set_limits({"max-queues": 5, "max-connections": 10}, "me")
        vhost.set_limits({"max-queues": 5, "max-connections": 10}, "me")
        vhost.set_limits({}, "me")
        vhost.set_limits({}, "me")
        limits = {"max-connections": 10, "max-queues": 5}
        parameter = {"vhost": "/", "component": "vhost-limits", "name": "limits"}
        me = {"user_who_performed_action": "me"}
        assert [(event.name, plain(event.details)) for event in told] == [
            ("parameter.set", {**parameter, "value": limits, **me}),
            ("vhost.limits.set", {"name": "limits", "vhost": "/", **me, **limits}),
            ("parameter.cleared", {**parameter, **me}),
            ("vhost.limits.cleared", {"name": "limits", "vhost": "/", **me}),
        ]

    def test_refused_limits_are_not_told(self, vhost: VirtualHost, told: list[Event]) -> None:
        with pytest.raises(ValueError, match="Unrecognised"):
            vhost.set_limits({"nosuch": 1})
        assert told == []


class TestPolicies:
    def test_queues_to_which_it_applies_are_told_of_before_the_policy(
        self, vhost: VirtualHost, told: list[Event]
    ) -> None:
        """Seen on RabbitMQ 3.10.8."""
        for name in ("q1", "q2", "other"):
            declare_queue(vhost, name)
        told.clear()
        definition = {"max-length": 10, "expires": 1000, "dead-letter-exchange": "dlx"}
        vhost.policies.set("p", pattern="^q", definition=definition, priority=3, apply_to="queues", user="me")
        terms = [("pattern", "^q"), ("definition", definition), ("priority", 3), ("apply-to", "queues")]
        me = ("user_who_performed_action", "me")
        assert [(event.name, list(plain(event.details).items())) for event in told] == [
            *(
                (
                    "queue.policy.updated",
                    [("name", name), ("vhost", "/"), ("type", "rabbit_classic_queue"), me, *terms],
                )
                for name in ("q1", "q2")
            ),
            ("policy.set", [("name", "p"), ("vhost", "/"), me, *terms]),
        ]
        assert list(plain(told[0].details)["definition"]) == ["max-length", "expires", "dead-letter-exchange"]

    def test_one_that_does_not_win_concerns_no_queue(self, vhost: VirtualHost, told: list[Event]) -> None:
        """Seen on RabbitMQ 3.10.8: neither when it is set nor when it is cleared."""
        vhost.policies.set("p", pattern="^q", definition={"max-length": 10}, priority=3)
        declare_queue(vhost)
        told.clear()
        vhost.policies.set("weaker", pattern="^q", definition={"max-length": 11})
        vhost.policies.clear("weaker")
        assert [event.name for event in told] == ["policy.set", "policy.cleared"]

    def test_where_another_one_takes_its_place_the_queue_is_told_as_cleared(
        self, vhost: VirtualHost, told: list[Event]
    ) -> None:
        """Seen on RabbitMQ 3.10.8."""
        vhost.policies.set("p", pattern="^q", definition={"max-length": 10}, priority=3)
        vhost.policies.set("weaker", pattern="^q", definition={"max-length": 11})
        declare_queue(vhost)
        told.clear()
        vhost.policies.clear("p", "me")
        me = {"user_who_performed_action": "me"}
        assert [(event.name, plain(event.details)) for event in told] == [
            ("queue.policy.cleared", {"name": "q", "vhost": "/", "type": "rabbit_classic_queue", **me}),
            ("policy.cleared", {"name": "p", "vhost": "/", **me}),
        ]

    def test_setting_the_same_again_is_not_told_other_words_are(self, vhost: VirtualHost, told: list[Event]) -> None:
        declare_queue(vhost)
        told.clear()
        for length in (10, 10, 11):
            vhost.policies.set("p", pattern="^q", definition={"max-length": length})
        assert [event.name for event in told] == ["queue.policy.updated", "policy.set"] * 2

    def test_an_operator_policy_is_a_parameter_too(self, vhost: VirtualHost, told: list[Event]) -> None:
        """Seen on RabbitMQ 3.10.8: set as any policy, cleared by a name of its own."""
        declare_queue(vhost)
        told.clear()
        vhost.operator_policies.set("o", pattern="^q", definition={"max-length": 10}, user="me")
        vhost.operator_policies.clear("o", "me")
        assert story(told, "component", "user_who_performed_action") == [
            ("parameter.set", "operator_policy", "me"),
            ("queue.policy.updated", None, "me"),
            ("policy.set", None, "me"),
            ("parameter.cleared", "operator_policy", "me"),
            ("queue.policy.cleared", None, "me"),
            ("operator.policy.cleared", None, "me"),
        ]
        assert list(plain(told[0].details)["value"].items()) == [
            ("apply-to", "all"), ("priority", 0), ("definition", {"max-length": 10}), ("pattern", "^q"),
        ]  # fmt: skip

    def test_a_refused_one_is_not_told(self, vhost: VirtualHost, told: list[Event]) -> None:
        with pytest.raises(ValueError, match="pattern"):
            vhost.policies.set("p", pattern="(", definition={"max-length": 10})
        assert told == []


def test_a_node_without_a_way_to_make_messages_says_so(node: Node) -> None:
    make: Callable[..., object] = node.make_message
    with pytest.raises(RuntimeError, match="no way to make messages"):
        make("x", "k", {})
