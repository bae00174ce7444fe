"""What a policy that concerns very many queues and exchanges does to them: the same, in slices."""

from __future__ import annotations

import pytest

from leveret.core import policy_changes
from leveret.core.policies import Policies
from leveret.core.queue import Queue
from leveret_protocol import methods
from leveret_protocol.methods import make
from tests.harness import BrokerHarness, Client

EXCHANGES = 8  # that there are; they are looked at first


@pytest.fixture
def policies(harness: BrokerHarness) -> Policies:
    return harness.node.vhost("/").policies


@pytest.fixture
def ten_queues(harness: BrokerHarness, client: Client, monkeypatch: pytest.MonkeyPatch) -> list[Queue]:
    """Each with two messages. A slice is of as many objects, and messages that are too much, as there are queues."""
    monkeypatch.setattr(policy_changes, "LOOKED_AT_IN_A_SLICE", 10)
    vhost = harness.node.vhosts["/"]
    assert len(vhost.exchanges) == EXCHANGES
    for number in range(10):
        client.declare(f"q{number}")
        client.send_bytes(client.published("", f"q{number}") * 2)
    return list(vhost.queues.values())


def test_one_that_concerns_many_queues_comes_to_them_in_slices(
    harness: BrokerHarness, policies: Policies, ten_queues: list[Queue]
) -> None:
    """RabbitMQ: each queue's process is told, and nobody waits for it."""
    policies.set("p", pattern="", definition={"max-length": 1}, apply_to="queues")
    assert [queue.message_count for queue in ten_queues] == [1, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    harness.node.run_slice()
    assert [queue.message_count for queue in ten_queues] == [1, 1, 1, 1, 1, 1, 2, 2, 2, 2]
    assert harness.run_work() == 1
    assert [queue.message_count for queue in ten_queues] == [1] * 10


def test_one_that_concerns_few_of_many_queues_takes_slices_as_well(
    harness: BrokerHarness, policies: Policies, ten_queues: list[Queue]
) -> None:
    policies.set("p", pattern="9", definition={"max-length": 1}, apply_to="queues")
    assert harness.run_work() == 1
    assert [queue.message_count for queue in ten_queues] == [2] * 9 + [1]


def test_the_last_of_several_changes_holds_and_is_told_of_last(
    harness: BrokerHarness, policies: Policies, ten_queues: list[Queue]
) -> None:
    told: list[str] = []
    harness.node.events.add_observer(lambda event: told.append(event.name))
    policies.set("p", pattern="", definition={"max-length": 5})
    policies.set("p", pattern="", definition={"max-length": 1})
    policies.clear("p")
    policies.set("r", pattern="", definition={"max-length": 3})
    harness.run_work()
    assert [queue.settings.max_length for queue in ten_queues] == [3] * 10
    updated, cleared = ["queue.policy.updated"] * 10, ["queue.policy.cleared"] * 10
    assert told == [
        *updated, "policy.set", *updated, "policy.set", *cleared, "policy.cleared", *updated, "policy.set"
    ]  # fmt: skip


def test_queues_that_come_and_go_meanwhile(
    harness: BrokerHarness, client: Client, policies: Policies, ten_queues: list[Queue]
) -> None:
    told: list[str] = []
    harness.node.events.add_observer(lambda event: told.append(event.name))
    policies.set("p", pattern="", definition={"max-length": 1})
    client.send(make(methods.Queue.Delete, queue="q9"))
    client.received()
    client.declare("q9")
    client.send_bytes(client.published("", "q9") * 2)
    assert client.counts("q9") == (1, 0)
    harness.run_work()
    assert told.count("queue.policy.updated") == 9


def test_it_is_kept_before_all_know_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever set it has been told so."""
    monkeypatch.setattr(policy_changes, "LOOKED_AT_IN_A_SLICE", 1)
    harness = BrokerHarness.durable()
    policies = harness.node.vhosts["/"].policies
    policies.set("gone", pattern="", definition={"max-length": 1})
    harness.run_work()
    policies.set("p", pattern="", definition={"max-length": 1})
    policies.clear("gone")
    assert harness.node.has_work()
    harness.commit()
    assert [policy.name for policy in harness.killed().node.vhosts["/"].policies] == ["p"]


def test_exchanges_are_given_their_alternate_in_slices_too(
    harness: BrokerHarness, client: Client, policies: Policies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_changes, "LOOKED_AT_IN_A_SLICE", 1)
    client.declare("q")
    client.declare_exchange("ae", "fanout")
    client.bind("q", "ae")
    client.declare_exchange("e")
    client.publish("e", "nowhere", b"dropped")
    policies.set("p", pattern="^e$", definition={"alternate-exchange": "ae"})
    client.publish("e", "nowhere", b"dropped, and its route is remembered")
    harness.run_work()
    client.publish("e", "nowhere", b"alternate")
    assert client.drain("q") == [b"alternate"]


def test_a_change_that_fails_is_not_in_the_way_of_the_next(
    client: Client, harness: BrokerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours; the operator is told. Later changes, and the deletion of the virtual host, waited for it."""
    client.declare("q")
    vhost = harness.node.vhost("/")
    with monkeypatch.context() as failing, pytest.raises(ZeroDivisionError):
        failing.setattr(policy_changes, "timeout_changed", lambda queue: 1 // 0)
        vhost.policies.set("p", pattern="", definition={"max-length": 1})
    vhost.policies.set("p", pattern="", definition={"max-length": 2})
    assert vhost.queues["q"].settings.max_length == 2
