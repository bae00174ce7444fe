"""x-consistent-hash and x-modulus-hash: equal keys go to one queue (RabbitMQ: XT-13 to XT-17, section 5.6)."""

import pytest

from leveret_protocol.fields import table
from leveret_protocol.methods import Exchange, Queue, make
from tests.harness import Client

KEYS = [f"key-{number}" for number in range(60)]
QUEUES = ("q0", "q1", "q2")


@pytest.fixture(params=["x-consistent-hash", "x-modulus-hash"])
def client(client: Client, request: pytest.FixtureRequest) -> Client:
    """Exchange x, and three queues of equal weight."""
    client.declare_exchange("x", request.param)
    for queue in QUEUES:
        client.declare(queue)
        client.bind(queue, "x", "1")
    return client


def drained(client: Client) -> list[list[bytes]]:
    return [client.drain(queue) for queue in QUEUES]


def publish(client: Client, exchange: str = "x") -> None:
    for key in KEYS:
        client.publish(exchange, key, key.encode())


def test_each_message_goes_to_one_queue_and_equal_keys_to_the_same(client: Client) -> None:
    publish(client)
    first = drained(client)
    assert sorted(body for bodies in first for body in bodies) == sorted(key.encode() for key in KEYS)
    assert all(len(bodies) >= 10 for bodies in first)
    publish(client)
    assert drained(client) == first


def test_behind_another_exchange_it_is_the_same(client: Client) -> None:
    publish(client)
    direct = drained(client)
    client.declare_exchange("first", "fanout")
    client.bind_exchange("x", "first")
    publish(client, "first")
    assert drained(client) == direct


def test_remembered_routes_are_void_when_a_queue_goes(client: Client) -> None:
    publish(client)
    drained(client)
    client.call(make(Queue.Delete, queue="q2"), Queue.DeleteOk)
    publish(client)
    assert client.counts("q0")[0] + client.counts("q1")[0] == len(KEYS)


def test_a_header_decides_where_the_exchange_says_so(client: Client) -> None:
    """XT-15: neither the key nor a remembered route does."""
    client.declare_exchange("h", "x-consistent-hash", {"hash-header": "h"})
    for queue in QUEUES:
        client.bind(queue, "h", "1")
    for _ in range(2):
        for value in KEYS:
            client.publish("h", "same key", value.encode(), headers={"h": value})
    by_header = drained(client)
    assert all(len(bodies) >= 20 for bodies in by_header)
    assert all(bodies == bodies[: len(bodies) // 2] * 2 for bodies in by_header)
    for key in KEYS:
        client.publish("h", key, b"", headers={"h": "same value"})
    assert sorted(len(bodies) for bodies in drained(client)) == [0, 0, len(KEYS)]


def test_cc_does_not_change_the_queue_of_a_consistent_hash(client: Client) -> None:
    client.declare_exchange("c", "x-consistent-hash")
    for queue in QUEUES:
        client.bind(queue, "c", "1")
    for key in KEYS:
        client.publish("c", "same key", b"", headers={"CC": [key]})
    assert sorted(len(bodies) for bodies in drained(client)) == [0, 0, len(KEYS)]


def test_a_binding_key_that_is_no_weight_is_refused(client: Client) -> None:
    """XT-13."""
    client.declare_exchange("c", "x-consistent-hash")
    client.refused(
        make(Queue.Bind, queue="q0", exchange="c", routing_key="abc"),
        'PRECONDITION_FAILED - The binding key must be an integer: <<"abc">>',
    )
    client.refused(
        make(Exchange.Bind, source="c", destination="x", routing_key="0"),
        "PRECONDITION_FAILED - The binding key must be greater than 0",
    )


def test_arguments_that_exclude_each_other_are_refused(client: Client) -> None:
    """XT-15."""
    arguments = table({"hash-header": "h", "hash-property": "message_id"})
    client.refused(
        make(Exchange.Declare, exchange="c", exchange_type="x-consistent-hash", arguments=arguments),
        "PRECONDITION_FAILED - hash-header and hash-property are mutually exclusive",
    )
    assert not client.has_exchange("c")
