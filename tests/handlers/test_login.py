"""Who may log in, and what the others hear."""

from typing import Any

import pytest

from leveret.auth.access_control import AccessControl
from leveret.auth.users import User
from leveret.core.events import Event
from leveret.handlers.tls_session import PeerCertificate, TLSSession
from leveret_protocol.fields import Field, Table, plain, table
from leveret_protocol.methods import Connection
from leveret_protocol.tables import encode_table
from tests.harness import BrokerHarness, Client, assert_told

REFUSAL = "ACCESS_REFUSED - Login was refused using authentication mechanism {}. For details see the broker logfile."
REFUSED_SECONDS = 3.0


def amqplain(**fields: Field) -> str:
    """A table without its length, as text."""
    values: Table = dict(fields)
    return encode_table(values)[4:].decode("utf-8", "surrogateescape")


GUEST = {"LOGIN": Field("S", "guest"), "PASSWORD": Field("S", "guest")}


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [
        ("PLAIN", "\0guest\0guest"),
        ("AMQPLAIN", amqplain(**GUEST)),
        ("AMQPLAIN", amqplain(PASSWORD=Field("x", b"guest"), LOGIN=Field("x", b"guest"))),
    ],
)
def test_guest_logs_in(harness: BrokerHarness, mechanism: str, response: str) -> None:
    """RabbitMQ: CON-7, CON-10, CON-11; the locale is not checked."""
    client = harness.tcp()
    client.send_header()
    client.start_ok(mechanism=mechanism, response=response, locale="xx_YY")
    client.expect(Connection.Tune, channel=0)


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [
        ("PLAIN", "\0guest\0wrong"),
        ("PLAIN", "\0nobody\0guest"),
        ("PLAIN", "\0guest\0"),
        ("PLAIN", "\0\0"),
        ("AMQPLAIN", amqplain(LOGIN=Field("S", "guest"), PASSWORD=Field("S", "wrong"))),
    ],
)
class TestWrongCredentials:
    """RabbitMQ: CON-8. The same for an unknown user and a wrong password."""

    def test_are_told_to_clients_that_can_take_it(self, harness: BrokerHarness, mechanism: str, response: str) -> None:
        client = harness.tcp()
        client.send_header()
        client.start_ok(mechanism=mechanism, response=response)
        close = client.expect(Connection.Close, channel=0)
        assert_told(close, REFUSAL.format(mechanism), (0, 0))
        assert client.connection.drop_after_seconds == REFUSED_SECONDS

    def test_are_met_with_silence_otherwise(self, harness: BrokerHarness, mechanism: str, response: str) -> None:
        client = harness.tcp()
        client.send_header()
        client.start_ok(mechanism=mechanism, response=response, capabilities={"authentication_failure_close": False})
        client.assert_silent()
        assert client.connection.drop_after_seconds == REFUSED_SECONDS


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [
        ("PLAIN", ""),
        ("PLAIN", "guest\0guest"),
        ("PLAIN", "me\0guest\0guest"),
        ("PLAIN", "\0guest\0guest\0"),
        ("AMQPLAIN", ""),
        ("AMQPLAIN", amqplain(LOGIN=Field("S", "guest"))),
        ("AMQPLAIN", amqplain(PASSWORD=Field("S", "guest"))),
        ("AMQPLAIN", amqplain(LOGIN=Field("I", 1), PASSWORD=Field("S", "guest"))),
        ("AMQPLAIN", encode_table(GUEST).decode()),
        ("AMQPLAIN", "\x05LOGINS\udcff"),
        ("EXTERNAL", ""),
        ("RABBIT-CR-DEMO", "guest"),
        ("plain", "\0guest\0guest"),
        ("", "\0guest\0guest"),
    ],
)
def test_a_malformed_login_is_met_with_silence(harness: BrokerHarness, mechanism: str, response: str) -> None:
    """RabbitMQ: CON-9 to CON-11, also for clients that could be told."""
    client = harness.tcp()
    client.send_header()
    client.start_ok(mechanism=mechanism, response=response)
    client.assert_silent()
    assert client.connection.drop_after_seconds == REFUSED_SECONDS


@pytest.mark.parametrize(
    "capabilities",
    [Field("S", "all"), Field("F", table({"authentication_failure_close": 1})), Field("V", None)],
)
def test_a_capability_counts_only_as_a_boolean_in_a_table(harness: BrokerHarness, capabilities: Field) -> None:
    """RabbitMQ: CON-7."""
    client = harness.tcp()
    client.send_header()
    client.start_ok(password="wrong", client_properties={"capabilities": capabilities})
    client.assert_silent()


def test_after_a_refused_login_nothing_is_listened_to(harness: BrokerHarness) -> None:
    client = harness.tcp()
    client.send_header()
    client.start_ok(password="wrong")
    client.received()
    client.start_ok()
    client.assert_silent()


def test_client_properties_may_be_missing(harness: BrokerHarness) -> None:
    client = harness.tcp()
    client.send_header()
    client.start_ok(client_properties={})
    client.expect(Connection.Tune, channel=0)


def test_the_user_and_what_it_says_of_itself_are_remembered(harness: BrokerHarness) -> None:
    client = harness.tcp()
    client.send_header()
    client.start_ok("other", client_properties=table({"connection_name": "mine"}))
    assert client.connection.user.name == "other"
    assert "mine" in str(client.connection)


class TestLoopback:
    """RabbitMQ: CON-12. By the address of the peer, whatever the broker listens on."""

    @pytest.mark.parametrize("peer", ["127.0.0.1:5", "127.5.5.5:5", "[::1]:5", "[::ffff:127.0.0.1]:5"])
    def test_guest_comes_from_this_machine(self, harness: BrokerHarness, peer: str) -> None:
        client = harness.tcp(peer)
        client.send_header()
        client.start_ok()
        client.expect(Connection.Tune, channel=0)

    @pytest.mark.parametrize("peer", ["192.0.2.1:5", "[2001:db8::1]:5", "[::ffff:192.0.2.1]:5", "[fe80::1%eth0]:5"])
    def test_from_elsewhere_only_others_do(self, harness: BrokerHarness, peer: str) -> None:
        events: list[Event] = []
        harness.node.events.add_observer(events.append)
        client = harness.tcp(peer)
        client.send_header()
        client.start_ok()
        assert_told(client.expect(Connection.Close, channel=0), REFUSAL.format("PLAIN"), (0, 0))
        error = "".join(map(chr, plain(events[-1].details)["error"]))
        assert (events[-1].name, error) == (
            "user.authentication.failure",
            "user 'guest' can only connect via localhost",
        )
        client = harness.tcp(peer)
        client.send_header()
        client.start_ok("other")
        client.expect(Connection.Tune, channel=0)

    def test_it_is_a_setting(self, harness: BrokerHarness) -> None:
        harness.control.loopback_users = {"other"}
        client = harness.tcp("192.0.2.1:5")
        client.send_header()
        client.start_ok()
        client.expect(Connection.Tune, channel=0)
        client = harness.tcp("192.0.2.1:5")
        client.send_header()
        client.start_ok("other")
        client.expect(Connection.Close, channel=0)


CERTIFICATE = PeerCertificate(
    subject="CN=ann,O=Example", issuer="CN=ca", validity="", common_names=("ann", "second"),
    alternative_names=(("dns", "ann.example"), ("email", "ann@example"), ("dns", "second.example")),
)  # fmt: skip


class TestExternal:
    """RabbitMQ: rabbitmq_auth_mechanism_ssl. The user is the one whom the certificate names, and needs no password."""

    def start(self, harness: BrokerHarness, certificate: PeerCertificate | None, **settings: Any) -> Client:
        harness.control = AccessControl(harness.node, harness.users, mechanisms=("PLAIN", "EXTERNAL"), **settings)
        client = harness.tcp()
        client.connection.tls = TLSSession("tlsv1.3", "TLS_AES_256_GCM_SHA384", certificate)
        return client

    @pytest.mark.parametrize(
        ("settings", "name"),
        [
            ({}, "CN=ann,O=Example"),
            ({"certificate_name": "common_name"}, "ann,second"),
            ({"certificate_name": "subject_alternative_name"}, "ann.example"),
            ({"certificate_name": "subject_alternative_name", "alternative_name": ("dns", 1)}, "second.example"),
            ({"certificate_name": "subject_alternative_name", "alternative_name": ("email", 0)}, "ann@example"),
        ],
    )
    def test_the_certificate_names_the_user(self, harness: BrokerHarness, settings: dict[str, Any], name: str) -> None:
        client = self.start(harness, CERTIFICATE, **settings)
        harness.users.add(User(name))
        assert client.send_header().mechanisms == "PLAIN EXTERNAL"
        client.start_ok(mechanism="EXTERNAL", response="")
        client.expect(Connection.Tune, channel=0)
        assert client.connection.user_name == name

    @pytest.mark.parametrize(
        ("certificate", "settings"),
        [
            (CERTIFICATE, {}),
            (None, {}),
            (CERTIFICATE, {"certificate_name": "subject_alternative_name", "alternative_name": ("uri", 0)}),
            (CERTIFICATE, {"certificate_name": "subject_alternative_name", "alternative_name": ("dns", 2)}),
        ],
    )
    def test_a_certificate_of_nobody_is_refused(
        self, harness: BrokerHarness, certificate: PeerCertificate | None, settings: dict[str, Any]
    ) -> None:
        client = self.start(harness, certificate, **settings)
        client.send_header()
        client.start_ok(mechanism="EXTERNAL", response="")
        assert_told(client.expect(Connection.Close, channel=0), REFUSAL.format("EXTERNAL"), (0, 0))

    def test_it_is_not_offered_without_tls(self, harness: BrokerHarness) -> None:
        client = self.start(harness, None)
        client.connection.tls = None
        assert client.send_header().mechanisms == "PLAIN"
        client.start_ok(mechanism="EXTERNAL", response="")
        client.assert_silent()
        assert client.connection.drop_after_seconds == REFUSED_SECONDS


def test_the_log_has_no_secret(harness: BrokerHarness, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for password in ("s3cret", "secret"):
        client = harness.tcp()
        client.send_header()
        client.start_ok("other", password)
    assert "PLAIN login refused: user 'other' - invalid credentials" in caplog.text
    assert "cret" not in caplog.text
