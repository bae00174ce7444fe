"""Limits: connections and queues of a virtual host, connections and channels of a user."""

from collections.abc import Callable

import pytest

from leveret_protocol import methods
from leveret_protocol.fields import table
from leveret_protocol.methods import Basic, Channel, Queue, make
from tests.harness import BrokerHarness, Client

VHOST_REFUSAL = "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit ({}) is reached"
USER_REFUSAL = "NOT_ALLOWED - connection refused for user 'guest': user connection limit ({}) is reached"
CHANNEL_REFUSAL = (
    "NOT_ALLOWED - number of channels opened for user 'guest' has reached the maximum allowed user limit of {}"
)
QUEUE_REFUSAL = "PRECONDITION_FAILED - cannot declare queue '{}': queue limit in vhost '/' ({}) is reached"


def refuse(harness: BrokerHarness, text: str, *, user: str = "guest", vhost: str = "/") -> None:
    """This user cannot open the virtual host."""
    client = harness.tcp()
    client.log_in(user)
    client.tune_ok()
    client.open_vhost(vhost)
    client.expect_connection_close(text, methods.Connection.Open)
    client.lose()


def limit_vhost(harness: BrokerHarness, max_connections: int) -> None:
    harness.node.vhost("/").set_limits({"max-connections": max_connections})


def limit_user(harness: BrokerHarness, max_connections: int) -> None:
    harness.users.set_limits("guest", {"max-connections": max_connections})


both_limits = pytest.mark.parametrize(
    ("limit", "refusal"), [(limit_vhost, VHOST_REFUSAL), (limit_user, USER_REFUSAL)], ids=["vhost", "user"]
)
Limit = Callable[[BrokerHarness, int], None]


class TestConnections:
    """RabbitMQ: PERM-9 and section 1.5. How connections count was seen in 3.10."""

    @both_limits
    def test_as_many_as_allowed_and_no_more(self, harness: BrokerHarness, limit: Limit, refusal: str) -> None:
        limit(harness, 2)
        harness.connect()
        harness.connect()
        refuse(harness, refusal.format(2))

    @both_limits
    def test_0_is_none_and_a_negative_number_no_limit(self, harness: BrokerHarness, limit: Limit, refusal: str) -> None:
        limit(harness, 0)
        refuse(harness, refusal.format(0))
        limit(harness, -1)
        harness.connect()

    @both_limits
    def test_those_that_are_open_stay(self, harness: BrokerHarness, limit: Limit, refusal: str) -> None:
        first, _ = harness.connect(), harness.connect()
        limit(harness, 1)
        first.declare("q")
        first.close()
        refuse(harness, refusal.format(1))

    @both_limits
    def test_one_that_closes_counts_until_tcp_has_ended(
        self, harness: BrokerHarness, limit: Limit, refusal: str
    ) -> None:
        limit(harness, 1)
        closing = harness.connect()
        closing.call(make(methods.Connection.Close, reply_code=200), methods.Connection.CloseOk, 0)
        refuse(harness, refusal.format(1))
        closing.lose()
        closing = harness.connect()
        closing.send(make(Channel.Open))
        closing.expect(methods.Connection.Close, channel=0)
        refuse(harness, refusal.format(1))
        closing.lose()
        harness.connect()

    @both_limits
    def test_one_in_its_handshake_does_not_count(self, harness: BrokerHarness, limit: Limit, refusal: str) -> None:
        limit(harness, 1)
        slow = harness.tcp()
        slow.log_in()
        slow.tune_ok()
        harness.connect()
        slow.open_vhost()
        slow.expect_connection_close(refusal.format(1), methods.Connection.Open)

    @both_limits
    def test_one_that_was_refused_does_not_count(self, harness: BrokerHarness, limit: Limit, refusal: str) -> None:
        limit(harness, 1)
        refused = harness.tcp()
        refused.log_in()
        refused.tune_ok()
        refused.open_vhost("nosuch")
        refused.expect(methods.Connection.Close, channel=0)
        harness.connect()
        refuse(harness, refusal.format(1))

    def test_other_virtual_hosts_and_users_are_not_limited(self, harness: BrokerHarness) -> None:
        harness.add_vhost("v")
        limit_vhost(harness, 1)
        harness.connect(user="other")
        harness.connect(vhost="v")
        limit_vhost(harness, -1)
        limit_user(harness, 1)
        harness.connect(user="other")
        refuse(harness, USER_REFUSAL.format(1), vhost="v")

    def test_the_virtual_hosts_limit_is_looked_at_first(self, harness: BrokerHarness) -> None:
        """RabbitMQ: section 1.5; a virtual host that is missing comes before both."""
        limit_user(harness, 0)
        refuse(harness, "NOT_ALLOWED - vhost nosuch not found", vhost="nosuch")
        limit_vhost(harness, 0)
        refuse(harness, VHOST_REFUSAL.format(0))


class TestChannels:
    """RabbitMQ: CH-4, in the words of 4.x (VER-36)."""

    def test_those_of_all_connections_of_a_user_count(self, harness: BrokerHarness) -> None:
        harness.users.set_limits("guest", {"max-channels": 3})
        harness.connect(user="other", channels=(1, 2, 3, 4))
        client = harness.connect(channels=(1, 2))
        harness.connect(channels=(7,))
        client.send(make(Channel.Open), channel=3)
        client.expect_connection_close(CHANNEL_REFUSAL.format(3), None)

    def test_a_closed_one_leaves_room_and_so_does_a_closed_connection(self, harness: BrokerHarness) -> None:
        harness.users.set_limits("guest", {"max-channels": 2})
        client, other = harness.connect(), harness.connect()
        client.close_channel()
        client.open(2)
        other.call(make(methods.Connection.Close, reply_code=200), methods.Connection.CloseOk, 0)
        client.open(3)

    def test_one_that_the_broker_closes_counts_until_close_ok(self, harness: BrokerHarness, client: Client) -> None:
        """Seen in RabbitMQ 3.10."""
        harness.users.set_limits("guest", {"max-channels": 2})
        client.send(make(Queue.Purge, queue="nosuch"), channel=2)
        client.expect(Channel.Close, channel=2)
        client.send(make(Channel.CloseOk), channel=2)
        client.open(3)
        client.send(make(Queue.Purge, queue="nosuch"), channel=3)
        client.expect(Channel.Close, channel=3)
        client.send(make(Channel.Open), channel=4)
        client.expect_connection_close(CHANNEL_REFUSAL.format(2), None)

    def test_it_holds_at_once_for_connections_that_are_open(self, harness: BrokerHarness, client: Client) -> None:
        harness.users.set_limits("guest", {"max-channels": 0})
        client.declare("q", channel=2)
        client.send(make(Channel.Open), channel=3)
        client.expect_connection_close(CHANNEL_REFUSAL.format(0), None)

    def test_a_negative_number_is_no_limit(self, harness: BrokerHarness) -> None:
        harness.users.set_limits("guest", {"max-channels": -1})
        harness.connect(channels=range(1, 20))

    def test_the_negotiated_number_is_looked_at_first(self, harness: BrokerHarness) -> None:
        client = harness.connect(channel_max=1)
        harness.users.set_limits("guest", {"max-channels": 0})
        client.send(make(Channel.Open), channel=2)
        client.expect_connection_close(
            "NOT_ALLOWED - number of channels opened (1) has reached the negotiated channel_max (1)", None
        )

    def test_it_comes_before_whether_the_method_is_right(self, harness: BrokerHarness) -> None:
        """Seen in RabbitMQ 3.10: a method on a channel that is not open takes a channel first (CH-1)."""
        harness.users.set_limits("guest", {"max-channels": 0})
        client = harness.connect(channels=())
        client.send(make(Basic.Qos))
        client.expect_connection_close(CHANNEL_REFUSAL.format(0), None)


class TestQueues:
    """RabbitMQ: QU-10."""

    def test_exclusive_ones_count_and_those_of_other_virtual_hosts_do_not(
        self, harness: BrokerHarness, client: Client
    ) -> None:
        harness.add_vhost("v")
        harness.connect(vhost="v").declare("elsewhere")
        harness.node.vhost("/").set_limits({"max-queues": 2})
        client.declare("a")
        client.declare("b", exclusive=True)
        client.refused(make(Queue.Declare, queue="c"), QUEUE_REFUSAL.format("c", 2))
        client.call(make(Queue.Delete, queue="a"), Queue.DeleteOk)
        client.declare("c")

    def test_0_is_none_and_a_negative_number_no_limit(self, harness: BrokerHarness, client: Client) -> None:
        harness.node.vhost("/").set_limits({"max-queues": 0})
        client.refused(make(Queue.Declare, queue="a"), QUEUE_REFUSAL.format("a", 0))
        harness.node.vhost("/").set_limits({"max-queues": -1})
        client.declare("a")

    def test_queues_that_are_there_stay_and_may_be_declared(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("a")
        harness.node.vhost("/").set_limits({"max-queues": 0})
        client.declare("a")
        assert client.counts("a") == (0, 0)
        client.refused(
            make(Queue.Declare, queue="a", durable=True),
            "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'a' in vhost '/': received 'true' but current "
            "is 'false'",
        )

    def test_the_text_has_the_name_that_the_broker_made(self, harness: BrokerHarness, client: Client) -> None:
        harness.node.vhost("/").set_limits({"max-queues": 0})
        client.send(make(Queue.Declare))
        close = client.expect(Channel.Close)
        assert "cannot declare queue 'amq.gen-" in str(close.reply_text)

    @pytest.mark.parametrize(
        ("queue", "arguments", "text"),
        [
            ("amq.x", {}, "ACCESS_REFUSED - queue name 'amq.x' contains reserved prefix 'amq.*'"),
            (
                "q",
                {"x-expires": 0},
                "PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'q' in vhost '/': {value_zero,0}",
            ),
            ("q", {"x-queue-type": "quorum"}, QUEUE_REFUSAL.format("q", 0)),
        ],
        ids=["name", "arguments", "properties"],
    )
    def test_it_is_looked_at_after_the_arguments_and_before_the_properties(
        self, harness: BrokerHarness, client: Client, queue: str, arguments: dict[str, object], text: str
    ) -> None:
        """RabbitMQ 4.x; in 3.10 the limit comes before the arguments."""
        harness.node.vhost("/").set_limits({"max-queues": 0})
        client.refused(make(Queue.Declare, queue=queue, exclusive=True, arguments=table(arguments)), text)

    def test_reply_queues_are_none(self, harness: BrokerHarness, client: Client) -> None:
        """Seen in RabbitMQ 3.10."""
        harness.node.vhost("/").set_limits({"max-queues": 0})
        client.consume("amq.rabbitmq.reply-to", no_ack=True)


class TestSetting:
    def test_those_of_a_virtual_host_are_set_all_together(self, harness: BrokerHarness) -> None:
        """Seen in RabbitMQ 3.10: rabbitmqctl set_vhost_limits replaces what was there."""
        vhost = harness.node.vhost("/")
        vhost.set_limits({"max-connections": 0})
        vhost.set_limits({"max-queues": 1})
        assert vhost.limits == {"max-queues": 1}
        vhost.set_limits({})
        assert vhost.limits == {}

    def test_those_of_a_user_are_set_one_by_one(self, harness: BrokerHarness) -> None:
        """Seen in RabbitMQ 3.10: rabbitmqctl set_user_limits keeps what is not named."""
        users = harness.users
        users.set_limits("guest", {"max-connections": 5})
        users.set_limits("guest", {"max-channels": 3})
        assert users.limits("guest") == {"max-connections": 5, "max-channels": 3}
        users.clear_limit("guest", "max-channels")
        users.clear_limit("guest", "no such limit")
        assert users.limits("guest") == users["guest"].limits == {"max-connections": 5}
        users.clear_limit("guest")
        assert users.limits("guest") == users.limits("nobody") == {}

    def test_a_user_who_does_not_exist_is_told(self, harness: BrokerHarness) -> None:
        with pytest.raises(KeyError):
            harness.users.set_limits("nobody", {})
        with pytest.raises(KeyError):
            harness.users.clear_limit("nobody")

    @pytest.mark.parametrize(
        ("value", "printed"),
        [("x", '<<"x">>'), (1.5, "1.5"), (True, "true"), (None, "null"), ([1], "[1]")],
        ids=lambda value: repr(value),
    )
    def test_a_limit_is_an_integer(self, harness: BrokerHarness, value: object, printed: str) -> None:
        """RabbitMQ 3.10's words, by rabbitmqctl. Nothing is changed."""
        told = []
        for set_limits, name in (
            (harness.node.vhost("/").set_limits, "max-queues"),
            (lambda limits: harness.users.set_limits("guest", limits), "max-channels"),
        ):
            with pytest.raises(ValueError, match="should be") as caught:
                set_limits({"max-connections": 1, name: value})
            told.append(str(caught.value))
        assert told == [f"max-{name} should be a number, actually was {printed}" for name in ("queues", "channels")]
        assert (harness.node.vhost("/").limits, harness.users.limits("guest")) == ({}, {})

    def test_a_limit_that_does_not_exist_is_refused(self, harness: BrokerHarness) -> None:
        """RabbitMQ 3.10's words, by rabbitmqctl."""
        with pytest.raises(ValueError, match="Unrecognised") as caught:
            harness.node.vhost("/").set_limits({"max-channels": 1, "max-queues": 1})
        assert str(caught.value) == 'Unrecognised terms [{<<"max-channels">>,1}] in limits'
        with pytest.raises(ValueError, match="Unrecognised") as caught:
            harness.users.set_limits("guest", {"foo": 1, "max-queues": "x"})
        assert str(caught.value) == 'Unrecognised terms [{<<"foo">>,1},{<<"max-queues">>,<<"x">>}] in user-limits'

    def test_everything_that_is_wrong_is_told(self, harness: BrokerHarness) -> None:
        """RabbitMQ 3.10's words and order, by rabbitmqctl."""
        with pytest.raises(ValueError, match="Unrecognised") as caught:
            harness.node.vhost("/").set_limits({"max-queues": "a", "max-connections": {}, "foo": "x"})
        assert str(caught.value).splitlines() == [
            'Unrecognised terms [{<<"foo">>,<<"x">>}] in limits',
            'max-queues should be a number, actually was <<"a">>',
            "max-connections should be a number, actually was #{}",
        ]
