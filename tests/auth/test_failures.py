"""Failed logins by address: after too many the next ones wait for their turn, and nobody is locked out."""

from __future__ import annotations

import pytest

from leveret.auth import failures
from leveret.auth.access_control import is_loopback
from leveret.auth.failures import FAILURES_FREE, FORGET_SECONDS, TURN_SECONDS, WAIT_SECONDS_MAX, LoginFailures
from leveret_protocol.methods import Connection
from tests.auth.conftest import Clock
from tests.harness import BrokerHarness, Client

HOST = "192.0.2.1"


def failed(logins: LoginFailures, times: int, host: str = HOST) -> None:
    for _ in range(times):
        logins.note(host)


class TestTurns:
    @pytest.fixture
    def logins(self, clock: Clock) -> LoginFailures:
        return LoginFailures(clock)

    def test_some_failures_are_free(self, logins: LoginFailures) -> None:
        failed(logins, FAILURES_FREE - 1)
        assert [logins.wait_seconds(HOST) for _ in range(100)] == [0] * 100

    def test_then_one_after_the_other_has_its_turn(self, logins: LoginFailures) -> None:
        failed(logins, FAILURES_FREE)
        assert [logins.wait_seconds(HOST) for _ in range(3)] == [0, TURN_SECONDS, 2 * TURN_SECONDS]

    def test_whoever_would_wait_too_long_is_refused_until_others_had_their_turn(
        self, logins: LoginFailures, clock: Clock
    ) -> None:
        failed(logins, 2 * FAILURES_FREE)
        places = int(WAIT_SECONDS_MAX / TURN_SECONDS) + 1
        assert None not in [logins.wait_seconds(HOST) for _ in range(places)]
        assert [logins.wait_seconds(HOST) for _ in range(3)] == [None] * 3
        clock.seconds += TURN_SECONDS
        assert logins.wait_seconds(HOST) == WAIT_SECONDS_MAX
        assert logins.wait_seconds(HOST) is None

    def test_failures_are_forgotten(self, logins: LoginFailures, clock: Clock) -> None:
        failed(logins, FAILURES_FREE)
        logins.wait_seconds(HOST)
        clock.seconds += FORGET_SECONDS
        assert [logins.wait_seconds(HOST) for _ in range(2)] == [0, 0]

    def test_other_addresses_do_not_wait(self, logins: LoginFailures) -> None:
        failed(logins, 10 * FAILURES_FREE)
        logins.wait_seconds(HOST)
        assert logins.wait_seconds("192.0.2.2") == 0

    def test_the_addresses_of_an_ipv6_network_are_one(self, logins: LoginFailures) -> None:
        for number in range(FAILURES_FREE):
            logins.note(f"2001:db8::{number:x}")
        logins.wait_seconds("2001:db8::ffff")
        assert logins.wait_seconds("2001:db8::1:1") == TURN_SECONDS
        assert logins.wait_seconds("2001:db8:0:1::1") == 0

    def test_no_more_than_so_many_addresses_are_remembered(
        self, logins: LoginFailures, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(failures, "ADDRESSES_MAX", 2)
        for host in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"):
            failed(logins, FAILURES_FREE, host)
            logins.wait_seconds(host)
        waits = [logins.wait_seconds(f"192.0.2.{number}") for number in (1, 2, 3)]
        assert waits == [2 * TURN_SECONDS, 0, TURN_SECONDS]


class TestLogins:
    def start(
        self, harness: BrokerHarness, password: str, peer: str = "192.0.2.1:50000", user: str = "other"
    ) -> Client:
        client = harness.tcp(peer)
        client.send_header()
        client.start_ok(user, password)
        return client

    def fail(self, harness: BrokerHarness) -> None:
        for _ in range(FAILURES_FREE):
            self.start(harness, "wrong").expect(Connection.Close, channel=0)

    def test_right_and_wrong_wait_alike(self, harness: BrokerHarness) -> None:
        self.fail(harness)
        self.start(harness, "wrong").expect(Connection.Close, channel=0)  # the first turn is now
        wrong, right = self.start(harness, "wrong"), self.start(harness, "secret")
        for client in (wrong, right):
            assert client.connection.is_blocked
            client.assert_silent()
        harness.advance(TURN_SECONDS)
        assert [client.connection.is_blocked for client in (wrong, right)] == [False, True]
        wrong.connection.go_on()
        wrong.expect(Connection.Close, channel=0)
        harness.advance(TURN_SECONDS)
        right.connection.go_on()
        right.expect(Connection.Tune, channel=0)

    def test_beyond_that_nothing_is_looked_at(self, harness: BrokerHarness) -> None:
        self.fail(harness)
        waiting = [self.start(harness, "secret") for _ in range(int(WAIT_SECONDS_MAX / TURN_SECONDS) + 1)]
        refused = self.start(harness, "secret")
        close = refused.expect(Connection.Close, channel=0)
        assert close.reply_text.startswith("ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.")
        neighbour = self.start(harness, "secret", "192.0.2.2:50000")
        neighbour.expect(Connection.Tune, channel=0)
        assert waiting[1].connection.is_blocked

    def test_a_connection_that_ends_while_it_waits_is_gone(self, harness: BrokerHarness) -> None:
        self.fail(harness)
        self.start(harness, "wrong")
        client = self.start(harness, "secret")
        client.lose()
        harness.advance(TURN_SECONDS)
        client.assert_silent()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.0.2.1", False),
        ("192.0.2.1", False),
        ("fe80::1%eth0", False),
        ("", False),
        ("localhost", False),
    ],
)
def test_loopback_addresses(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
