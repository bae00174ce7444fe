"""Who may log in, and what the others hear."""

import pytest

from leveret_protocol.fields import Field, Table, table
from leveret_protocol.methods import Connection
from leveret_protocol.tables import encode_table
from tests.harness import BrokerHarness, assert_told

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
