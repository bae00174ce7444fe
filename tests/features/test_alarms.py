"""Resource alarms: publishers are held up, all others go on (RabbitMQ: ALM-1 to ALM-7)."""

from __future__ import annotations

import pytest

from leveret.core.events import Event
from leveret_protocol import methods
from leveret_protocol.fields import plain
from leveret_protocol.methods import Queue, make
from tests.harness import CAPABILITIES, BrokerHarness, Client


@pytest.fixture
def publisher(harness: BrokerHarness) -> Client:
    """It has published before, and there is a queue q."""
    publisher = harness.connect()
    publisher.declare("q")
    publisher.publish("", "q", b"before")
    return publisher


def test_who_publishes_is_told_once_and_not_read_from_any_more(harness: BrokerHarness, publisher: Client) -> None:
    harness.node.alarms.begin("disk")
    publisher.assert_silent()
    assert not publisher.connection.is_blocked
    publisher.publish("", "q", b"during")
    assert publisher.expect(methods.Connection.Blocked, channel=0).reason == "low on disk"
    assert publisher.connection.is_blocked
    publisher.publish("", "q", b"in the same read")
    publisher.assert_silent()


def test_nothing_is_lost_and_it_goes_on_when_the_alarm_ends(harness: BrokerHarness, publisher: Client) -> None:
    harness.node.alarms.begin("disk")
    publisher.publish("", "q", b"during")
    publisher.expect(methods.Connection.Blocked, channel=0)
    harness.node.alarms.end("disk")
    publisher.expect(methods.Connection.Unblocked, channel=0)
    assert not publisher.connection.is_blocked
    publisher.publish("", "q", b"after")
    assert publisher.drain("q") == [b"before", b"during", b"after"]


@pytest.mark.parametrize("missing", [1, 60_000, 68_944])
def test_half_a_body_is_enough_to_be_held_up(harness: BrokerHarness, publisher: Client, missing: int) -> None:
    """RabbitMQ: at a header or body frame. Else the bodies that a peer never ends could fill any memory.

    Here at a body frame that is not the last: a publish of one body frame is never cut in two by an alarm.
    """
    harness.node.alarms.begin("memory")
    body = b"x" * 200_000
    data = publisher.published("", "q", body)
    publisher.send_bytes(data[:-missing])
    publisher.expect(methods.Connection.Blocked, channel=0)
    assert publisher.connection.is_blocked
    harness.node.alarms.end("memory")
    publisher.expect(methods.Connection.Unblocked, channel=0)
    publisher.send_bytes(data[-missing:])
    assert publisher.drain("q") == [b"before", body]


@pytest.mark.parametrize("missing", [1, 21, 22, 40])
def test_a_publish_of_one_body_frame_is_waited_for(harness: BrokerHarness, publisher: Client, missing: int) -> None:
    harness.node.alarms.begin("memory")
    data = publisher.published("", "q", b"in two halves")
    publisher.send_bytes(data[:-missing])
    publisher.assert_silent()
    publisher.send_bytes(data[-missing:])
    publisher.expect(methods.Connection.Blocked, channel=0)
    assert harness.connect().drain("q") == [b"before", b"in two halves"]


def test_who_was_in_the_midst_of_a_content_is_held_up_when_it_goes_on(
    harness: BrokerHarness, publisher: Client
) -> None:
    data = publisher.published("", "q", bytes(200_000))
    publisher.send_bytes(data[:150_000])
    harness.node.alarms.begin("memory")
    publisher.assert_silent()
    publisher.send_bytes(data[150_000:150_010])
    publisher.expect(methods.Connection.Blocked, channel=0)


def test_who_does_not_publish_hears_nothing(harness: BrokerHarness, publisher: Client) -> None:
    other = harness.connect()
    harness.node.alarms.begin("disk")
    assert other.get("q").body == b"before"
    other.call(make(Queue.Purge, queue="q"), Queue.PurgeOk)
    harness.node.alarms.end("disk")
    other.assert_silent()
    publisher.assert_silent()


def test_a_connection_that_comes_during_an_alarm_is_held_up_at_its_first_publish(harness: BrokerHarness) -> None:
    harness.node.alarms.begin("memory")
    client = harness.connect()
    client.declare("q")
    client.publish("", "q", b"one")
    assert client.expect(methods.Connection.Blocked, channel=0).reason == "low on memory"


def test_the_last_alarm_that_ends_lets_them_go(harness: BrokerHarness, publisher: Client) -> None:
    harness.node.alarms.begin("memory")
    harness.node.alarms.begin("disk")
    publisher.publish("", "q", b"one")
    assert publisher.expect(methods.Connection.Blocked, channel=0).reason == "low on disk & memory"
    harness.node.alarms.end("memory")
    publisher.assert_silent()
    assert publisher.connection.is_blocked
    harness.node.alarms.end("disk")
    publisher.expect(methods.Connection.Unblocked, channel=0)


def test_without_the_capability_it_is_only_not_read_from(harness: BrokerHarness) -> None:
    client = harness.connect(capabilities=CAPABILITIES | {"connection.blocked": False})
    client.declare("q")
    harness.node.alarms.begin("disk")
    client.publish("", "q", b"one")
    client.assert_silent()
    assert client.connection.is_blocked
    harness.node.alarms.end("disk")
    assert not client.connection.is_blocked
    client.assert_silent()


def test_an_alarm_that_is_on_already_is_not_told_again(harness: BrokerHarness, publisher: Client) -> None:
    harness.node.alarms.begin("disk")
    publisher.publish("", "q", b"one")
    publisher.expect(methods.Connection.Blocked, channel=0)
    harness.node.alarms.begin("disk")
    publisher.assert_silent()


def test_each_alarm_is_told_to_observers(harness: BrokerHarness) -> None:
    """Seen on RabbitMQ 3.10.8: XT-24."""
    events: list[tuple[str, list[tuple[str, object]]]] = []

    def observe(event: Event) -> None:
        events.append((event.name, [(name, plain(field)) for name, field in event.details.items()]))

    harness.node.events.add_observer(observe)
    harness.node.alarms.begin("memory")
    harness.node.alarms.begin("disk")
    harness.node.alarms.begin("disk")
    harness.node.alarms.end("memory")
    harness.node.alarms.end("disk")
    assert [(name, dict(details)["source"]) for name, details in events] == [
        ("alarm.set", "memory"), ("alarm.set", "disk"), ("alarm.cleared", "memory"), ("alarm.cleared", "disk"),
    ]  # fmt: skip
    assert events[0][1] == [("source", "memory"), ("node", "leveret@test")]  # the event exchange has the last first
