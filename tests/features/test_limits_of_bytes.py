"""A limit of bytes for a long queue: what is in it is added up in slices, and then the limit holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leveret.core import body_bytes, keeping
from leveret.core import queue as queue_module
from leveret.core.policies import Policies
from leveret.storage.base import Line, Page
from leveret_protocol.methods import Basic, Confirm, make
from tests.harness import BrokerHarness, Client

COUNT = 40
LIMIT = 10  # bytes; a message has two


@pytest.fixture(autouse=True)
def _few_in_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "ADDED_UP_AT_ONCE", 5)
    monkeypatch.setattr(body_bytes, "SLICE_ENTRIES", 10)
    monkeypatch.setattr(body_bytes, "FEW_ENTRIES", 5)
    monkeypatch.setattr(keeping, "PAGE_MESSAGES", 4)
    monkeypatch.setattr(keeping, "HEAD_MESSAGES_MAX", 8)


@pytest.fixture
def policies(harness: BrokerHarness) -> Policies:
    return harness.node.vhost("/").policies


def bodies(*numbers: int) -> list[bytes]:
    return [b"%02d" % number for number in numbers]


def fill(client: Client, count: int = COUNT, **options: int) -> None:
    for body in bodies(*range(count)):
        client.publish("", "q", body, **options)


@pytest.mark.parametrize("arguments", [{}, {"x-max-priority": 3}, {"x-queue-type": "quorum"}])
def test_what_is_too_much_goes_when_it_is_known(
    client: Client, harness: BrokerHarness, policies: Policies, arguments: dict[str, object]
) -> None:
    client.declare("q", arguments=arguments, durable=True)
    fill(client)
    policies.set("p", pattern="", definition={"max-length-bytes": LIMIT})
    assert client.counts("q") == (COUNT, 0)
    assert harness.run_work() >= 4
    assert client.drain("q") == bodies(*range(35, 40))


def test_what_comes_and_goes_meanwhile_counts(client: Client, harness: BrokerHarness, policies: Policies) -> None:
    client.declare("q")
    fill(client)
    client.get("q", no_ack=False)
    policies.set("p", pattern="", definition={"max-length-bytes": LIMIT})
    harness.node.run_slice()
    client.nack(1)
    assert client.get("q").body == b"00"
    assert client.get("q").body == b"01"
    client.publish("", "q", b"new")
    harness.run_work()
    assert client.drain("q") == [*bodies(37, 38, 39), b"new"]
    client.publish("", "q", b"8 bytes!")
    client.publish("", "q", b"2!")
    client.publish("", "q", b"")
    assert client.drain("q") == [b"8 bytes!", b"2!", b""]


def test_few_are_added_up_at_once(client: Client, policies: Policies) -> None:
    client.declare("q")
    fill(client, 5)
    policies.set("p", pattern="", definition={"max-length-bytes": 4})
    assert client.counts("q") == (2, 0)


def test_another_limit_of_bytes_needs_no_adding_up(client: Client, harness: BrokerHarness, policies: Policies) -> None:
    client.declare("q", arguments={"x-max-length-bytes": 1000})
    fill(client)
    policies.set("p", pattern="", definition={"max-length-bytes": LIMIT})
    assert client.counts("q") == (5, 0)


def test_a_limit_that_goes_meanwhile(client: Client, harness: BrokerHarness, policies: Policies) -> None:
    client.declare("q")
    fill(client)
    policies.set("p", pattern="", definition={"max-length-bytes": LIMIT})
    policies.clear("p")
    harness.run_work()
    assert client.counts("q") == (COUNT, 0)


def test_a_queue_that_goes_meanwhile(client: Client, harness: BrokerHarness, policies: Policies) -> None:
    client.declare("q")
    fill(client)
    policies.set("p", pattern="", definition={"max-length-bytes": LIMIT})
    harness.node.vhosts["/"].delete_queue(harness.node.vhosts["/"].queues["q"])
    assert harness.run_work() == 2  # one of them frees the messages


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many messages each look at the store has brought."""
    counts: list[int] = []
    read = Line.read

    def counted(line: Line, after: int, messages_max: int, bytes_max: int) -> Page:
        page = read(line, after, messages_max, bytes_max)
        counts.append(len(page))
        return page

    monkeypatch.setattr(Line, "read", counted)
    return counts


def test_a_queue_that_drops_does_not_hold_up_the_start(pages: list[int]) -> None:
    harness = BrokerHarness.durable()
    client = harness.connect()
    client.declare("q", durable=True, arguments={"x-max-length-bytes": 2 * COUNT})
    fill(client, delivery_mode=2)
    client.get("q", no_ack=False)
    client.publish("", "q", b"!!", delivery_mode=2)  # so it is too much when that has come back
    harness.commit()
    harness = harness.killed()
    assert sum(pages) < 10
    client = harness.connect()
    assert client.counts("q") == (COUNT + 1, 0)
    harness.run_work()
    assert client.drain("q") == [*bodies(*range(1, COUNT)), b"!!"]


def test_one_that_refuses_publishers_does_so_from_the_start() -> None:
    harness = BrokerHarness.durable()
    client = harness.connect()
    client.declare("q", durable=True, arguments={"x-max-length-bytes": 2 * COUNT, "x-overflow": "reject-publish"})
    fill(client, delivery_mode=2)
    client = harness.stopped().connect()
    client.call(make(Confirm.Select), Confirm.SelectOk)
    client.publish("", "q", b"x", delivery_mode=2)
    client.expect(Basic.Nack)
