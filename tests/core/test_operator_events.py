"""What is told of virtual hosts, their limits and their policies (RabbitMQ: XT-24)."""

import pytest

from leveret.core.events import Event
from leveret.core.metadata import Metadata
from leveret.core.node import Node
from leveret.core.vhost import VirtualHost
from leveret_protocol.fields import plain
from tests.core.event_stories import of, story
from tests.core.scene import bind, declare_queue

NAME = "rabbit@localhost"
PREDECLARED = ["", "amq.direct", "amq.topic", "amq.match", "amq.headers", "amq.fanout", "amq.rabbitmq.trace"]


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
