"""What an operator asks for and takes long has many steps, between which others have their turn."""

import json
from typing import Any

import pytest

from leveret.core import body_bytes
from leveret.handlers.connection_state import State
from leveret.operations import outcome_offline
from leveret.operations.registry import Host, steps_of
from leveret.shell.turns import Steps
from tests.harness import BrokerHarness

COUNT = 5


def begun(harness: BrokerHarness, operation: str, **arguments: object) -> Steps[bytes]:
    return steps_of(Host(harness.node, harness.users), {"operation": operation, "arguments": arguments})


def outcome_of(steps: Steps[bytes]) -> Any:
    """What they come to with this step, the last one."""
    with pytest.raises(StopIteration) as done:
        next(steps)
    return json.loads(done.value.value)


def queues(count: int) -> dict[str, object]:
    return {"queues": [{"name": f"q{number}", "vhost": "/"} for number in range(count)]}


CLOSING = [
    ("close_all_connections", {"vhost": "/", "per_vhost": False, "limit": 0, "reason": "drained"}, COUNT),
    ("close_all_user_connections", {"username": "guest", "reason": "drained"}, COUNT),
    ("evaluate", {"expression": "[rabbit_networking:close_connection(P, x) || P <- rabbit_networking:connections()]"},
     "ok"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "arguments", "result"), CLOSING, ids=[operation for operation, *_ in CLOSING])
def test_connections_are_closed_in_steps(
    harness: BrokerHarness, operation: str, arguments: dict[str, Any], result: object
) -> None:
    connections = [harness.connect().connection for _ in range(COUNT)]
    steps = begun(harness, operation, **arguments)
    for number in range(1, COUNT + 1):
        next(steps)
        assert sum(connection.state is State.CLOSING for connection in connections) == number
    assert outcome_of(steps) == {"result": result}


def test_definitions_are_imported_in_steps(harness: BrokerHarness) -> None:
    steps = begun(harness, "import_definitions", definitions=queues(COUNT))
    for number in range(1, COUNT + 1):
        next(steps)
        assert len(harness.node.vhosts["/"].queues) == number
    assert outcome_of(steps) == {"result": None}


def test_an_error_in_a_later_step_is_told(harness: BrokerHarness) -> None:
    steps = begun(harness, "import_definitions", definitions={**queues(COUNT), "bindings": [{}]})
    for _ in range(COUNT):
        next(steps)
    told = outcome_of(steps)
    assert told["kind"] == "failed"
    assert told["error"].startswith("bindings, item 1: ")


def test_bytes_are_added_up_in_steps(harness: BrokerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is handed out is looked at in slices before the first row, a long backlog before the row of its queue."""
    for name, value in (("SLICE_HELD", 1), ("SLICE_ENTRIES", 1), ("UNKNOWN_MAX", 1)):
        monkeypatch.setattr(body_bytes, name, value)
    client = harness.connect()
    for name in ("held", "ready"):
        client.declare(name)
        for _ in range(COUNT):
            client.publish("", name, b"1234")
    client.consume("held")
    columns = ["name", "message_bytes_ready", "message_bytes_unacknowledged"]
    steps = begun(harness, "list_queues", vhost="/", columns=columns)
    for _ in range(COUNT + COUNT + len(("held", "ready"))):
        next(steps)
    assert [tuple(row.values()) for row in outcome_of(steps)["result"]] == [("held", 0, 20), ("ready", 20, 0)]


def test_a_virtual_host_with_much_in_it_has_gone_when_that_is_told(
    harness: BrokerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leveret.core.vhost.DELETED_IN_A_SLICE", 1)
    harness.add_vhost("v")
    steps = begun(harness, "delete_vhost", vhost="v")
    next(steps)
    next(steps)
    assert "v" in harness.node.vhosts
    harness.run_work()  # others go on with it as well
    assert "v" not in harness.node.vhosts
    assert outcome_of(steps) == {"result": None}


def test_a_virtual_host_goes_without_anybody_else_as_well(
    harness: BrokerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leveret.core.vhost.DELETED_IN_A_SLICE", 1)
    harness.add_vhost("v")
    request = {"operation": "delete_vhost", "arguments": {"vhost": "v"}}
    assert outcome_offline(harness.node, harness.users, request) == {"result": None}
    assert "v" not in harness.node.vhosts


def test_without_a_broker_all_is_done_at_once(harness: BrokerHarness) -> None:
    request = {"operation": "import_definitions", "arguments": {"definitions": queues(COUNT)}}
    assert outcome_offline(harness.node, harness.users, request) == {"result": None}
    assert len(harness.node.vhosts["/"].queues) == COUNT
