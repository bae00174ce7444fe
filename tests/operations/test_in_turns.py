"""What an operator asks for and takes long is carried out in turns."""

from leveret.handlers.connection_state import State
from leveret.operations import outcome_offline
from leveret.operations.registry import STEPS_IN_A_TURN, Host, InSteps, Outcome, go_on, outcome
from tests.harness import BrokerHarness


def begun(harness: BrokerHarness, operation: str, **arguments: object) -> Outcome:
    return outcome(Host(harness.node, harness.users), {"operation": operation, "arguments": arguments})


def queues(count: int) -> dict[str, object]:
    return {"queues": [{"name": f"q{number}", "vhost": "/"} for number in range(count)]}


def test_many_connections_are_closed_in_turns(harness: BrokerHarness) -> None:
    count = 2 * STEPS_IN_A_TURN + 1
    connections = [harness.connect().connection for _ in range(count)]
    told = begun(harness, "close_all_connections", vhost="/", per_vhost=False, limit=0, reason="drained")
    closed = []
    while isinstance(told["result"], InSteps):
        told = go_on(told["result"])
        closed.append(sum(connection.state is State.CLOSING for connection in connections))
    assert closed == [STEPS_IN_A_TURN, 2 * STEPS_IN_A_TURN, count]
    assert told == {"result": count}


def test_definitions_are_imported_in_turns(harness: BrokerHarness) -> None:
    told = begun(harness, "import_definitions", definitions=queues(STEPS_IN_A_TURN + 1))
    assert len(harness.node.vhosts["/"].queues) == 0
    told = go_on(told["result"])
    assert len(harness.node.vhosts["/"].queues) == STEPS_IN_A_TURN
    assert go_on(told["result"]) == {"result": None}
    assert len(harness.node.vhosts["/"].queues) == STEPS_IN_A_TURN + 1


def test_an_error_in_a_later_turn_is_told(harness: BrokerHarness) -> None:
    definitions = {**queues(STEPS_IN_A_TURN), "bindings": [{}]}
    told = go_on(begun(harness, "import_definitions", definitions=definitions)["result"])
    told = go_on(told["result"])
    assert told["kind"] == "failed"
    assert told["error"].startswith("bindings, item 1: ")


def test_without_a_broker_all_is_done_at_once(harness: BrokerHarness) -> None:
    request = {"operation": "import_definitions", "arguments": {"definitions": queues(2 * STEPS_IN_A_TURN)}}
    assert outcome_offline(harness.node, harness.users, request) == {"result": None}
    assert len(harness.node.vhosts["/"].queues) == 2 * STEPS_IN_A_TURN
