"""amq.rabbitmq.event: what happens in the broker comes as messages (RabbitMQ: XT-24, XT-25)."""

from typing import Any

import pytest

from leveret.handlers.tls_session import PeerCertificate, TLSSession
from leveret_protocol import methods
from leveret_protocol.fields import Field
from leveret_protocol.methods import Basic, Channel, Exchange, Queue, make
from tests.harness import BrokerHarness, Client

EVENTS = "amq.rabbitmq.event"
NOW_MS = 1_700_000_000_000


class Listener:
    """A client with a queue that takes all events of these keys from now on."""

    def __init__(self, harness: BrokerHarness, *keys: str) -> None:
        self.client = harness.connect()
        self.queue = self.client.declare(exclusive=True)
        for key in keys or ("#",):
            self.client.bind(self.queue, EVENTS, key)
        self.keys()

    def keys(self) -> list[str]:
        """Those of what has come."""
        return [key for key, _ in self.events()]

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Keys and headers of what has come; headers as they stand on the wire, without their types."""
        ready, _ = self.client.counts(self.queue)
        received = [self.client.get(self.queue) for _ in range(ready)]
        return [(str(getattr(it.method, "routing_key")), it.headers) for it in received]  # noqa: B009

    def only(self) -> tuple[str, list[tuple[str, Any]]]:
        """The one event that has come: its key, and its headers in their order, but for the time."""
        ((key, headers),) = self.events()
        assert headers.pop("timestamp_in_ms") == NOW_MS
        return key, list(headers.items())


@pytest.fixture
def listener(harness: BrokerHarness) -> Listener:
    return Listener(harness)


class TestTheMessage:
    def test_it_has_no_body_and_the_time_twice(self, harness: BrokerHarness, listener: Listener) -> None:
        """Seen on RabbitMQ 3.10.8: persistent, seconds as a property, milliseconds as the last header."""
        harness.advance(1.2345)
        listener.client.declare_exchange("x")
        event = listener.client.get(listener.queue)
        assert isinstance(event.method, Basic.GetOk)
        assert (event.method.exchange, event.method.routing_key) == (EVENTS, "exchange.created")
        assert event.body == b""
        properties = event.properties
        assert (properties.delivery_mode, properties.timestamp) == (2, 1_700_000_001)
        assert properties.headers is not None
        assert list(properties.headers.items())[-1] == ("timestamp_in_ms", Field("l", 1_700_000_001_234))
        set_properties = [name for name in properties.__slots__ if getattr(properties, name) is not None]
        assert set_properties == ["headers", "delivery_mode", "timestamp"]

    def test_headers_are_the_details_the_other_way_round(self, listener: Listener) -> None:
        """Seen on RabbitMQ 3.10.8."""
        listener.client.declare_exchange("x", "topic", durable=True, arguments={"alternate-exchange": "ae"})
        event = listener.client.get(listener.queue)
        assert event.properties.headers is not None
        assert list(event.properties.headers.items()) == [
            ("user_who_performed_action", ("S", "guest")),
            ("policy", ("S", "")),
            ("arguments", ("A", [("S", '{<<"alternate-exchange">>,longstr,<<"ae">>}')])),
            ("internal", ("t", False)),
            ("auto_delete", ("t", False)),
            ("durable", ("t", True)),
            ("type", ("S", "topic")),
            ("name", ("S", "x")),
            ("vhost", ("S", "/")),
            ("timestamp_in_ms", ("l", NOW_MS)),
        ]

    def test_a_consumer_gets_it_on_its_own_channel_number(self, harness: BrokerHarness, listener: Listener) -> None:
        client = listener.client
        client.open(3)
        listener.keys()
        client.consume(listener.queue, "c", channel=3, no_ack=True)
        harness.connect(channels=())
        keys = [it.method.routing_key for it in client.deliveries() if isinstance(it.method, Basic.Deliver)]
        assert keys == ["consumer.created", "user.authentication.success", "connection.created"]


class TestTheExchange:
    def test_it_can_be_declared_passively_and_bound(self, client: Client) -> None:
        client.call(make(Exchange.Declare, exchange=EVENTS, passive=True), Exchange.DeclareOk)
        client.bind(client.declare("q"), EVENTS, "queue.*")
        client.declare("other")
        assert client.get("q").headers["name"] == "other"

    def test_it_is_durable_topic_and_internal(self, client: Client) -> None:
        declare = make(Exchange.Declare, exchange=EVENTS, exchange_type="topic", durable=True, internal=True)
        client.call(declare, Exchange.DeclareOk)

    def test_publishing_to_it_is_refused(self, client: Client) -> None:
        """RabbitMQ: XT-25, EX-19."""
        client.publish(EVENTS, "queue.created", b"forged")
        text = f"ACCESS_REFUSED - cannot publish to internal exchange '{EVENTS}' in vhost '/'"
        client.expect_channel_close(text, Basic.Publish)

    def test_it_cannot_be_deleted(self, client: Client) -> None:
        text = f"ACCESS_REFUSED - deletion of system exchange '{EVENTS}' in vhost '/' not allowed"
        client.refused(make(Exchange.Delete, exchange=EVENTS), text)

    def test_other_virtual_hosts_have_none_but_are_told_of(self, harness: BrokerHarness, listener: Listener) -> None:
        harness.add_vhost("v")
        elsewhere = harness.connect(vhost="v")
        assert not elsewhere.has_exchange(EVENTS)
        elsewhere.declare("there")
        created = [headers for key, headers in listener.events() if key == "queue.created"]
        assert [(it["vhost"], it["name"]) for it in created] == [("v", "there")]

    def test_keys_select(self, harness: BrokerHarness) -> None:
        listener = Listener(harness, "queue.*", "*.deleted")
        client = harness.connect()
        client.declare("q")
        client.declare_exchange("x")
        client.call(make(Exchange.Delete, exchange="x"), Exchange.DeleteOk)
        assert listener.keys() == ["queue.created", "exchange.deleted"]

    def test_its_own_first_binding_is_told_of_its_last_one_is_not(self, client: Client) -> None:
        """Seen on RabbitMQ 3.10.8: it listens from its first binding to its last."""
        client.declare("q")
        client.bind("q", EVENTS, "#")
        assert client.get("q").headers["source_name"] == EVENTS
        client.call(make(Queue.Unbind, queue="q", exchange=EVENTS, routing_key="#"), Queue.UnbindOk)
        client.declare("unheard")
        assert client.counts("q") == (0, 0)

    def test_without_bindings_no_message_is_made(self, harness: BrokerHarness, client: Client) -> None:
        """Also once they have gone, with their queue."""
        queue = client.declare(exclusive=True)
        client.bind(queue, EVENTS, "#")
        client.call(make(Queue.Delete, queue=queue), Queue.DeleteOk)

        def refuse(*_: object, **__: object) -> Any:
            raise AssertionError("a message was made for nobody")

        harness.node.make_message = refuse
        client.declare("q")
        harness.connect().close()

    def test_the_deletion_of_the_queue_that_listens_goes_well(self, listener: Listener) -> None:
        client = listener.client
        client.consume(listener.queue, "c", no_ack=True)
        client.send(make(Queue.Delete, queue=listener.queue))
        *_, deleted, cancelled = client.received()
        assert (type(deleted.method), type(cancelled.method)) == (Queue.DeleteOk, Basic.Cancel)
        assert not client.has_queue(listener.queue)

    def test_it_listens_again_once_the_default_virtual_host_is_made_anew(self, harness: BrokerHarness) -> None:
        Listener(harness)
        harness.node.delete_vhost("/")
        harness.add_vhost("/")
        listener = Listener(harness)
        harness.connect(channels=()).close()
        assert listener.keys() == ["user.authentication.success", "connection.created", "connection.closed"]


class TestPolicies:
    def test_numbers_that_fit_no_header(self, harness: BrokerHarness) -> None:
        listener = Listener(harness, "policy.set")
        policies = harness.node.vhosts["/"].policies
        policies.set("p", pattern="", definition={"max-length": 2**64 + 1}, priority=1e300)
        headers = dict(listener.only()[1])
        assert (headers["definition"], headers["priority"]) == ({"max-length": 1}, (2 - 2**-23) * 2.0**127)


class TestConnections:
    def test_one_that_opens(self, harness: BrokerHarness) -> None:
        """Seen on RabbitMQ 3.10.8, header by header."""
        listener = Listener(harness, "connection.created")
        client = harness.tcp()
        client.send_header()
        properties = {"product": Field("S", "tests"), "connection_name": Field("S", "mine")}
        client.start_ok(client_properties=properties)
        client.received()
        client.tune_ok(channel_max=100, frame_max=8192, heartbeat=13)
        client.open_vhost()
        assert listener.only() == (
            "connection.created",
            [
                ("user_who_performed_action", "guest"),
                ("node", "leveret@test"),
                ("connected_at", NOW_MS),
                ("client_properties", [
                    '{<<"product">>,longstr,<<"tests">>}', '{<<"connection_name">>,longstr,<<"mine">>}',
                ]),
                ("channel_max", 100), ("frame_max", 8192), ("timeout", 13), ("vhost", "/"), ("user", "guest"),
                ("protocol", "{0,9,1}"), ("ssl_hash", ""), ("ssl_cipher", ""), ("ssl_key_exchange", ""),
                ("ssl_protocol", ""), ("auth_mechanism", "PLAIN"), ("peer_cert_validity", ""),
                ("peer_cert_issuer", ""), ("peer_cert_subject", ""), ("ssl", False), ("peer_host", "{127,0,0,1}"),
                ("host", "{127,0,0,1}"), ("peer_port", 50002), ("port", 5672),
                ("name", "127.0.0.1:50002 -> 127.0.0.1:5672"), ("pid", client.connection.pid), ("type", "network"),
                ("user_provided_name", "mine"),
            ],
        )  # fmt: skip

    def test_one_that_opens_over_tls(self, harness: BrokerHarness) -> None:
        """Seen on RabbitMQ 3.10.8."""
        listener = Listener(harness, "connection.created")
        client = harness.tcp()
        certificate = PeerCertificate("CN=client,O=us", "CN=authority", "2000-01-01T00:00:00Z - 2030-01-01T00:00:00Z")
        client.connection.tls = TLSSession("tlsv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", certificate)
        client.log_in()
        client.tune_ok()
        client.open_vhost()
        details = dict(listener.only()[1])
        assert {name: value for name, value in details.items() if name.startswith(("ssl", "peer_cert"))} == {
            "ssl": True, "ssl_protocol": "tlsv1.2", "ssl_key_exchange": "ecdhe_ecdsa", "ssl_cipher": "aes_256_gcm",
            "ssl_hash": "aead", "peer_cert_subject": "CN=client,O=us", "peer_cert_issuer": "CN=authority",
            "peer_cert_validity": "2000-01-01T00:00:00Z - 2030-01-01T00:00:00Z",
        }  # fmt: skip

    def test_all_numbers_are_64_bits_wide(self, harness: BrokerHarness) -> None:
        listener = Listener(harness, "connection.created")
        harness.connect()
        headers = listener.client.get(listener.queue).properties.headers
        assert headers is not None
        names = {"connected_at", "channel_max", "frame_max", "timeout", "peer_port", "port", "timestamp_in_ms"}
        assert {name for name, field in headers.items() if field.tag == "l"} == names

    def test_one_that_ends(self, harness: BrokerHarness) -> None:
        listener = Listener(harness, "connection.closed")
        client = harness.connect()
        client.close()
        assert listener.only() == (
            "connection.closed",
            [
                ("client_properties", [
                    '{<<"capabilities">>,table,[{<<"authentication_failure_close">>,bool,true},'
                    '{<<"basic.nack">>,bool,true},{<<"connection.blocked">>,bool,true},'
                    '{<<"consumer_cancel_notify">>,bool,true},{<<"publisher_confirms">>,bool,true}]}',
                ]),
                ("node", "leveret@test"), ("pid", client.connection.pid),
                ("name", "127.0.0.1:50002 -> 127.0.0.1:5672"),
            ],
        )  # fmt: skip

    def test_one_with_a_name_of_its_own_has_it_to_the_end(self, harness: BrokerHarness) -> None:
        listener = Listener(harness, "connection.closed")
        client = harness.tcp()
        client.send_header()
        client.start_ok(client_properties={"connection_name": Field("S", "mine")})
        client.lose()
        assert listener.only()[1][-1] == ("user_provided_name", "mine")

    def test_a_port_check_is_told_of_too(self, harness: BrokerHarness) -> None:
        """Seen on RabbitMQ 3.10.8: every TCP connection that ends is."""
        listener = Listener(harness, "connection.*")
        harness.tcp().lose()
        key, headers = listener.only()
        assert (key, dict(headers)["client_properties"]) == ("connection.closed", [])

    def test_what_it_held_goes_before_it(self, harness: BrokerHarness) -> None:
        client = harness.connect(channels=(1, 2))
        client.declare("mine", exclusive=True)
        client.consume("mine", "c", channel=2)
        listener = Listener(harness)
        client.lose()
        assert listener.keys() == ["channel.closed", "channel.closed", "queue.deleted", "connection.closed"]

    def test_the_user_is_told_of_what_a_connection_does_in_its_name(self, harness: BrokerHarness) -> None:
        listener = Listener(harness, "queue.*", "exchange.*", "binding.*", "consumer.*", "channel.*")
        client = harness.connect(user="other")
        client.declare("q", exclusive=True, auto_delete=True)
        client.declare_exchange("x")
        client.bind("q", "x")
        client.call(make(Queue.Unbind, queue="q", exchange="x"), Queue.UnbindOk)
        client.bind_exchange("x", "amq.fanout")
        client.call(make(Exchange.Unbind, destination="x", source="amq.fanout"), Exchange.UnbindOk)
        client.call(make(Exchange.Delete, exchange="x"), Exchange.DeleteOk)
        client.consume("q", "c")
        client.cancel("c")
        client.declare("q2")
        client.call(make(Queue.Delete, queue="q2"), Queue.DeleteOk)
        client.close_channel()
        assert [(key, headers["user_who_performed_action"]) for key, headers in listener.events()] == [
            ("channel.created", "other"), ("queue.created", "other"), ("exchange.created", "other"),
            ("binding.created", "other"), ("binding.deleted", "other"), ("binding.created", "other"),
            ("binding.deleted", "other"), ("exchange.deleted", "other"), ("consumer.created", "other"),
            ("consumer.deleted", "other"), ("queue.deleted", "rmq-internal"), ("queue.created", "other"),
            ("queue.deleted", "other"), ("channel.closed", "other"),
        ]  # fmt: skip

    def test_a_quorum_queue_does_not_say_who_cancelled(self, harness: BrokerHarness) -> None:
        """Seen on RabbitMQ 3.10.8: it is the broker's doing."""
        listener = Listener(harness, "consumer.deleted")
        client = harness.connect()
        client.declare("q", durable=True, arguments={"x-queue-type": "quorum"})
        client.consume("q", "c")
        client.cancel("c")
        assert dict(listener.only()[1])["user_who_performed_action"] == "rmq-internal"

    def test_an_exclusive_queue_names_its_connection(self, harness: BrokerHarness) -> None:
        listener = Listener(harness, "queue.created")
        client = harness.connect()
        client.declare("mine", exclusive=True)
        assert dict(listener.only()[1])["owner_pid"] == client.connection.pid

    def test_a_queue_that_expires_is_deleted_by_the_broker(self, harness: BrokerHarness) -> None:
        """Seen on RabbitMQ 3.10.8."""
        listener = Listener(harness, "queue.deleted")
        harness.connect().declare("q", arguments={"x-expires": 1000})
        harness.advance(2)
        ((_, headers),) = listener.events()
        assert (headers["name"], headers["user_who_performed_action"]) == ("q", "rmq-internal")


class TestChannels:
    def test_one_that_opens(self, harness: BrokerHarness) -> None:
        listener = Listener(harness, "channel.#")
        client = harness.connect(channels=(7,))
        key, headers = listener.only()
        pid = dict(headers)["pid"]
        assert (key, headers) == (
            "channel.created",
            [
                ("user_who_performed_action", "guest"), ("vhost", "/"), ("user", "guest"), ("number", 7),
                ("connection", client.connection.pid), ("name", "127.0.0.1:50002 -> 127.0.0.1:5672 (7)"), ("pid", pid),
            ],
        )  # fmt: skip
        client.close_channel(7)
        assert listener.only() == (
            "channel.closed",
            [("consumer_count", 0), ("user_who_performed_action", "guest"), ("pid", pid)],
        )

    def test_an_error_closes_it_once(self, harness: BrokerHarness) -> None:
        """When the broker says so, not when the client has answered, nor again when the connection ends."""
        client = harness.connect()
        listener = Listener(harness, "channel.*")
        client.send(make(Queue.Declare, queue="nosuch", passive=True))
        assert listener.keys() == ["channel.closed"]
        client.send(make(Channel.CloseOk))
        client.lose()
        assert listener.keys() == []

    def test_a_reply_consumer_is_not_told_of(self, harness: BrokerHarness) -> None:
        """Seen on RabbitMQ 3.10.8."""
        client = harness.connect()
        listener = Listener(harness, "consumer.*")
        client.consume("amq.rabbitmq.reply-to", "c", no_ack=True)
        client.cancel("c")
        assert listener.keys() == []


class TestLogins:
    SHARED = (
        ("ssl", False), ("auth_mechanism", "PLAIN"), ("protocol", "{0,9,1}"), ("peer_port", 50002),
        ("peer_host", "{127,0,0,1}"), ("connection_name", "127.0.0.1:50002 -> 127.0.0.1:5672"),
        ("host", "{127,0,0,1}"),
    )  # fmt: skip

    @pytest.fixture
    def logins(self, harness: BrokerHarness) -> Listener:
        return Listener(harness, "user.#")

    def test_one_that_goes_well(self, harness: BrokerHarness, logins: Listener) -> None:
        """Seen on RabbitMQ 3.10.8; told before the virtual host is asked for."""
        harness.tcp().log_in("other")
        assert logins.only() == (
            "user.authentication.success",
            [*self.SHARED, ("name", "other"), ("connection_type", "network")],
        )

    @pytest.mark.parametrize("user", ["guest", "nobody"])
    def test_a_wrong_password_or_name(self, harness: BrokerHarness, logins: Listener, user: str) -> None:
        """Seen on RabbitMQ 3.10.8: the error is an Erlang string, an array of characters."""
        client = harness.tcp()
        client.send_header()
        client.start_ok(user, "wrong")
        key, (error, *others) = logins.only()
        assert (key, others) == (
            "user.authentication.failure",
            [*self.SHARED, ("name", user), ("connection_type", "network")],
        )
        assert error == ("error", [*f"user '{user}' - invalid credentials".encode()])

    @pytest.mark.parametrize(
        ("mechanism", "response", "error"),
        [
            ("PLAIN", "\0guest\0", "user 'guest' attempted to log in with a blank password, which is prohibited by "
             "the internal authN backend. To use TLS/x509 certificate-based authentication, see the "
             "rabbitmq_auth_mechanism_ssl plugin and configure the client to use the EXTERNAL authentication "
             "mechanism. Alternatively change the password for the user to be non-blank."),
            ("PLAIN", "garbage", 'response <<"garbage">> invalid'),
            ("AMQPLAIN", "\x05LOGINS\0\0\0\x05guest",
             "AMQPLAIN auth info [{<<76,79,71,73,78>>,longstr,<<103,117,101,115,116>>}] is missing LOGIN or PASSWORD "
             "field"),
            ("AMQPLAIN", "\x05LOGINI\0\0\0\x05\x08PASSWORDS\0\0\0\x01x",
             "AMQPLAIN auth info [{<<76,79,71,73,78>>,signedint,5},{<<80,65,83,83,87,79,82,68>>,longstr,<<120>>}] "
             "uses unsupported type for LOGIN or PASSWORD field"),
        ],
    )  # fmt: skip
    def test_other_failures(
        self, harness: BrokerHarness, logins: Listener, mechanism: str, response: str, error: str
    ) -> None:
        """Seen on RabbitMQ 3.10.8, the last one in its source; nobody's name is known of a malformed response."""
        client = harness.tcp()
        client.send_header()
        client.start_ok(mechanism=mechanism, response=response)
        key, headers = logins.only()
        assert key == "user.authentication.failure"
        assert "".join(map(chr, dict(headers)["error"])) == error
        assert ("name" in dict(headers)) == ("user 'guest'" in error)

    def test_a_missing_virtual_host_is_no_failed_login(self, harness: BrokerHarness) -> None:
        """Seen on RabbitMQ 3.10.8."""
        listener = Listener(harness)
        client = harness.tcp()
        client.log_in()
        client.tune_ok()
        client.open_vhost("nosuch")
        client.expect_connection_close("NOT_ALLOWED - vhost nosuch not found", methods.Connection.Open)
        client.lose()
        assert listener.keys() == ["user.authentication.success", "connection.closed"]
