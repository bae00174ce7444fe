"""The random exchanges: chance picks one of the bindings."""

import pytest

from tests.core.exchanges.topology import NamedQueue, bind, make_exchange, refusal, routed, unbind


class Chance:
    """Answers these numbers, one after the other, and notes among how many it was asked to choose."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)
        self.asked = []

    def __call__(self, count):
        self.asked.append(count)
        return self.numbers.pop(0)


@pytest.fixture
def queues():
    return [NamedQueue(f"q{number}") for number in range(3)]


@pytest.mark.parametrize("type_name", ["x-random", "x-local-random"])
def test_chance_picks_one_of_the_bindings(type_name, queues):
    """RabbitMQ: section 5.6. The message and its key are not looked at."""
    chance = Chance(2, 0, 1, 1)
    exchange = make_exchange(type_name, chance=chance)
    for queue in queues:
        bind(exchange, queue)
    assert [routed(exchange, key) for key in ("", "a", "b", "a")] == [[queues[number]] for number in (2, 0, 1, 1)]
    assert chance.asked == [3, 3, 3, 3]


@pytest.mark.parametrize("type_name", ["x-random", "x-local-random"])
def test_without_another_source_of_chance_every_binding_has_its_turn(type_name, queues):
    exchange = make_exchange(type_name)
    for queue in queues:
        bind(exchange, queue)
    missing = set(queues)
    while missing:  # 100 rounds would be one in 10^17
        missing.difference_update(routed(exchange))


def test_a_queue_bound_several_times_is_as_many_choices(queues):
    """As seen on RabbitMQ 3.10.8."""
    chance = Chance(0, 1, 2, 1, 0)
    exchange = make_exchange("x-random", chance=chance)
    bind(exchange, queues[0], "a")
    bind(exchange, queues[1], "a")
    bind(exchange, queues[0], "b")
    assert [routed(exchange)[0] for _ in range(3)] == [queues[0], queues[1], queues[0]]
    unbind(exchange, queues[0], "a")
    assert routed(exchange) == [queues[0]]
    exchange.unbind_destination(queues[0])
    assert routed(exchange) == [queues[1]]
    assert chance.asked == [3, 3, 3, 2, 1]


def test_nothing_bound_is_unroutable_and_leaves_chance_alone(queues):
    chance = Chance()
    exchange = make_exchange("x-random", chance=chance)
    assert routed(exchange) == []
    bind(exchange, queues[0])
    unbind(exchange, queues[0])
    assert routed(exchange) == []


def test_a_message_with_several_keys_goes_to_one_queue(queues):
    """As seen on RabbitMQ 3.10.8."""
    chance = Chance(1)
    exchange = make_exchange("x-random", chance=chance)
    for queue in queues:
        bind(exchange, queue)
    assert list(exchange.route(["a", "b", "c"], None)) == [queues[1]]


def test_asking_for_a_route_by_keys_leaves_chance_alone(queues):
    exchange = make_exchange("x-random", chance=Chance())
    bind(exchange, queues[0])
    assert exchange.route_by_keys(["k"]) is None


@pytest.mark.parametrize(
    ("destination", "key", "explanation"),
    [
        (NamedQueue("q"), "k", "Non empty binding 'k' key not permitted"),
        (NamedQueue("q", "quorum"), "k", "Non empty binding 'k' key not permitted"),
        (NamedQueue("q", "quorum"), "", "Queue type rabbit_quorum_queue not valid for this exchange type"),
        (NamedQueue("q", "stream"), "", "Queue type rabbit_stream_queue not valid for this exchange type"),
        (make_exchange("fanout", "f"), "", "Destination not found"),
    ],
)
def test_what_is_bound_locally_is_a_classic_queue_without_a_key(destination, key, explanation):
    """RabbitMQ: section 5.6, 4.0 and later."""
    assert refusal(bind, make_exchange("x-local-random"), destination, key) == f"PRECONDITION_FAILED - {explanation}"


def test_the_random_exchange_takes_every_binding(queues):
    exchange = make_exchange("x-random")
    assert bind(exchange, NamedQueue("q", "quorum"), "k")
    assert bind(exchange, make_exchange("fanout", "f"), "k")
