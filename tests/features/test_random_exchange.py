"""x-random and x-local-random: chance decides anew for each message (RabbitMQ: section 5.6)."""

import random
from collections.abc import Callable

import pytest

from leveret_protocol.methods import Queue, make
from tests.harness import Client

BODIES = [str(number).encode() for number in range(30)]


@pytest.fixture(params=["x-random", "x-local-random"])
def client(client: Client, request: pytest.FixtureRequest) -> Client:
    """Exchange x, and three queues bound to it."""
    client.declare_exchange("x", request.param)
    for queue in ("q0", "q1", "q2"):
        client.declare(queue)
        client.bind(queue, "x")
    return client


@pytest.fixture
def chosen() -> Callable[[], list[list[bytes]]]:
    """Fixes chance; what the three queues get of BODIES."""
    random.seed(1)
    choices = [random.randrange(3) for _ in BODIES]
    random.seed(1)
    return lambda: [[body for body, choice in zip(BODIES, choices, strict=True) if choice == n] for n in range(3)]


def drained(client: Client) -> list[list[bytes]]:
    return [client.drain(queue) for queue in ("q0", "q1", "q2")]


def test_each_message_goes_to_one_queue(client: Client, chosen: Callable[[], list[list[bytes]]]) -> None:
    for body in BODIES:
        client.publish("x", "same key", body)
    assert drained(client) == chosen()


def test_behind_another_exchange_no_route_is_remembered(
    client: Client, chosen: Callable[[], list[list[bytes]]]
) -> None:
    """Nor is chance used up to find that out."""
    client.declare_exchange("first", "direct")
    client.bind_exchange("x", "first", "k")
    for body in BODIES:
        client.publish("first", "k", body)
    assert drained(client) == chosen()


def test_several_keys_are_one_choice(client: Client, chosen: Callable[[], list[list[bytes]]]) -> None:
    """As seen on RabbitMQ 3.10.8."""
    for body in BODIES:
        client.publish("x", "a", body, headers={"CC": ["b", "c"]})
    assert drained(client) == chosen()


def test_other_keys_of_the_exchange_before_it_are_remembered(client: Client) -> None:
    """One key of `first` leads to chance, the other one does not."""
    client.declare_exchange("first", "direct")
    client.bind_exchange("x", "first", "chance")
    client.declare("sure")
    client.bind("sure", "first", "sure")
    for key in ("sure", "chance", "sure"):
        client.publish("first", key, key.encode(), mandatory=True)
    client.assert_silent()
    assert client.drain("sure") == [b"sure", b"sure"]
    assert sorted(body for bodies in drained(client) for body in bodies) == [b"chance"]


def test_quorum_queues_are_not_bound_locally(client: Client) -> None:
    """RabbitMQ: 4.0 and later."""
    client.declare_exchange("local", "x-local-random")
    client.declare("quorum", durable=True, arguments={"x-queue-type": "quorum"})
    client.refused(
        make(Queue.Bind, queue="quorum", exchange="local"),
        "PRECONDITION_FAILED - Queue type rabbit_quorum_queue not valid for this exchange type",
    )
    client.refused(
        make(Queue.Bind, queue="q0", exchange="local", routing_key="k"),
        "PRECONDITION_FAILED - Non empty binding 'k' key not permitted",
    )
