"""The modulus hash exchange: the key picks one of the bindings."""

from collections import Counter

import pytest

from leveret.core.exchanges.hashing import stable_hash
from tests.core.exchanges.topology import NamedQueue, bind, make_exchange, routed, unbind

KEYS = [f"key-{number}" for number in range(600)]


@pytest.fixture
def exchange():
    return make_exchange("x-modulus-hash")


@pytest.fixture
def queues():
    return [NamedQueue(f"q{number}") for number in range(3)]


def shares(exchange, queues):
    counts = Counter(queue for key in KEYS for queue in routed(exchange, key))
    return [counts[queue] for queue in queues]


def test_keys_are_shared_out_whatever_the_binding_keys(exchange, queues):
    """RabbitMQ: section 5.6."""
    assert routed(exchange, "k") == []
    for queue, key in zip(queues, ["", "key-1", "9"], strict=True):
        bind(exchange, queue, key)
    assert shares(exchange, queues) == [pytest.approx(200, abs=25)] * 3


def test_each_binding_counts(exchange, queues):
    """As seen on RabbitMQ 3.10.8: a queue bound three times gets three times as much."""
    for queue, key in [(queues[0], "a"), (queues[1], "a"), (queues[0], "b"), (queues[0], "c")]:
        bind(exchange, queue, key)
    assert shares(exchange, queues) == [pytest.approx(450, abs=25), pytest.approx(150, abs=25), 0]
    unbind(exchange, queues[0], "b")
    exchange.unbind_destination(queues[1])
    assert shares(exchange, queues) == [600, 0, 0]


def test_all_keys_of_a_message_pick_one_queue_together(exchange, queues):
    """As seen on RabbitMQ 3.10.8: CC changes the choice, and the message still goes to one queue."""
    for queue in queues:
        bind(exchange, queue)
    picked = [list(exchange.route_by_keys(["same", key])) for key in KEYS]
    assert {len(queues) for queues in picked} == {1}
    assert {queue for (queue,) in picked} == set(queues)


def test_the_hash_is_the_same_in_every_process():
    assert stable_hash(b"key") == 14878992315609337077
