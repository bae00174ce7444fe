"""Deleting a virtual host with very many queues and connections: the same as one with few, in slices."""

from __future__ import annotations

import pytest

from leveret.core import node as node_module
from leveret.core import vhost as vhost_module
from leveret.core.vhost import VirtualHost
from leveret_protocol import methods
from leveret_protocol.methods import Basic, make
from tests.harness import BrokerHarness

SLICE = 4
QUEUES = 10


@pytest.fixture
def vhost(harness: BrokerHarness, monkeypatch: pytest.MonkeyPatch) -> VirtualHost:
    """It has ten queues, and the seven exchanges of all."""
    monkeypatch.setattr(vhost_module, "DELETED_IN_A_SLICE", SLICE)
    monkeypatch.setattr(node_module, "CLOSED_IN_A_SLICE", 2)
    vhost = harness.add_vhost("v")
    client = harness.connect(vhost="v")
    for number in range(QUEUES):
        client.declare(f"q{number}")
    client.close()
    return vhost


def test_its_queues_and_exchanges_go_in_slices(harness: BrokerHarness, vhost: VirtualHost) -> None:
    harness.node.delete_vhost("v")
    left = []
    while harness.node.has_work():
        left.append((len(vhost.queues), len(vhost.exchanges)))
        assert harness.node.vhosts["v"] is vhost
        harness.node.run_slice()
    assert left == [(6, 7), (2, 7), (0, 5), (0, 1)]
    assert "v" not in harness.node.vhosts


def test_consumers_that_are_told_count_as_well(harness: BrokerHarness, vhost: VirtualHost) -> None:
    there = harness.connect(vhost="v")
    for _ in range(SLICE):
        there.consume("q0")
    harness.node.delete_vhost("v")
    assert len(vhost.queues) == QUEUES - 1
    assert [type(it.method) for it in there.received()] == [Basic.Cancel] * SLICE


def test_it_can_be_used_until_then(harness: BrokerHarness, vhost: VirtualHost) -> None:
    """RabbitMQ: permissions go, its queues one after the other, then the virtual host, and then connections end."""
    there = harness.connect(vhost="v")
    harness.node.delete_vhost("v")
    there.refused(
        make(Basic.Get, queue="q9"), "ACCESS_REFUSED - read access to queue 'q9' in vhost 'v' refused for user 'guest'"
    )
    harness.allow_all("v")
    assert not there.has_queue("q0")
    assert there.has_queue("q9")
    there.publish("", "q9", b"x")
    assert there.get("q9").body == b"x"
    there.declare("late")
    there.declare("q0")
    late = harness.connect(vhost="v")
    harness.run_work()
    for client in (there, late):
        client.expect_connection_close("CONNECTION_FORCED - vhost 'v' is deleted", None)
    assert (vhost.queues, vhost.exchanges) == ({}, {})


def test_its_connections_are_closed_in_slices(harness: BrokerHarness, vhost: VirtualHost) -> None:
    clients = [harness.connect(vhost="v") for _ in range(5)]
    harness.node.delete_vhost("v")
    while "v" in harness.node.vhosts:
        harness.node.run_slice()
    told = [len(client.received()) for client in clients]
    assert told == [1, 1, 0, 0, 0]
    harness.add_vhost("v")
    again = harness.connect(vhost="v")
    harness.run_work()
    assert [len(client.received()) for client in clients] == [0, 0, 1, 1, 1]
    again.assert_silent()
    harness.node.delete_vhost("v")
    harness.run_work()
    again.expect_connection_close("CONNECTION_FORCED - vhost 'v' is deleted", None)


def test_deleting_it_once_more_meanwhile_is_the_same_deletion(harness: BrokerHarness, vhost: VirtualHost) -> None:
    told: list[str] = []
    harness.node.events.add_observer(lambda event: told.append(event.name))
    assert harness.node.delete_vhost("v") is harness.node.delete_vhost("v")
    assert len(vhost.queues) == QUEUES - SLICE
    harness.run_work()
    assert (told.count("queue.deleted"), told.count("vhost.deleted")) == (QUEUES, 1)


def test_a_policy_that_is_still_coming_to_its_queues(harness: BrokerHarness, vhost: VirtualHost) -> None:
    told: list[str] = []
    harness.node.events.add_observer(lambda event: told.append(event.name))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("leveret.core.policy_changes.LOOKED_AT_IN_A_SLICE", 1)
        vhost.policies.set("p", pattern="", definition={"max-length": 1})
        harness.node.delete_vhost("v")
        harness.run_work()
    assert [name for name in told if name.startswith(("policy", "vhost"))] == [
        "policy.set", "policy.cleared", "vhost.deleted", "vhost.down"
    ]  # fmt: skip


def test_a_broker_that_is_stopped_meanwhile_deletes_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vhost_module, "DELETED_IN_A_SLICE", SLICE)
    harness = BrokerHarness.durable()
    harness.add_vhost("v")
    there = harness.connect(vhost="v")
    for number in range(QUEUES):
        there.declare(f"q{number}", durable=True)
    harness.node.delete_vhost("v")
    assert harness.node.has_work()
    assert list(harness.stopped().node.vhosts) == ["/"]


def test_a_connection_that_is_lost_meanwhile(harness: BrokerHarness, vhost: VirtualHost) -> None:
    there = harness.connect(vhost="v")
    there.call(make(methods.Queue.Declare, queue="mine", exclusive=True), methods.Queue.DeclareOk)
    harness.node.delete_vhost("v")
    there.lose()
    harness.run_work()
    assert "v" not in harness.node.vhosts


def test_a_deletion_that_fails_can_be_tried_again(harness: BrokerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of ours; the operator is told. The second one answered, and deleted nothing."""
    harness.add_vhost("v")
    with monkeypatch.context() as failing, pytest.raises(ZeroDivisionError):
        failing.setattr(harness.node, "on_vhost_delete", lambda name, user: 1 // 0)
        harness.node.delete_vhost("v")
    harness.node.delete_vhost("v")
    assert "v" not in harness.node.vhosts
