"""Publisher confirms: every number is told once, after it is settled, and merged only where that is true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leveret.core.confirms import Confirms

ACK = True
NACK = False


@pytest.fixture
def confirms() -> Confirms:
    return Confirms()


def test_nothing_settled_is_nothing_to_tell(confirms: Confirms) -> None:
    confirms.owe(1, 1)
    assert confirms.take() == []


def test_one_number_is_told_alone(confirms: Confirms) -> None:
    confirms.settle(1)
    assert confirms.take() == [(1, False, ACK)]


def test_what_was_told_is_forgotten(confirms: Confirms) -> None:
    confirms.settle(1)
    confirms.take()
    assert confirms.take() == []


def test_a_burst_is_told_in_one(confirms: Confirms) -> None:
    """RabbitMQ CFM-3."""
    for number in (1, 2, 3):
        confirms.settle(number)
    assert confirms.take() == [(3, True, ACK)]


def test_a_number_is_settled_by_the_answer_of_its_last_queue(confirms: Confirms) -> None:
    """RabbitMQ CFM-4."""
    confirms.owe(1, 2)
    assert not confirms.confirm(1)
    assert confirms.take() == []
    assert confirms.confirm(1)
    assert confirms.take() == [(1, False, ACK)]


def test_answers_for_nothing_owed_tell_nothing(confirms: Confirms) -> None:
    confirms.owe(1, 1)
    confirms.confirm(1)
    assert not confirms.confirm(1)
    assert not confirms.confirm(2)
    assert confirms.take() == [(1, False, ACK)]


def test_numbers_above_an_open_one_are_told_one_by_one(confirms: Confirms) -> None:
    confirms.settle(1)
    confirms.settle(2)
    confirms.owe(3, 1)
    confirms.settle(4)
    confirms.settle(5)
    assert confirms.take() == [(2, True, ACK), (4, False, ACK), (5, False, ACK)]


def test_an_open_number_with_half_its_answers_is_still_in_the_way(confirms: Confirms) -> None:
    """The lowest open number counts, not the one that was heard of longest ago."""
    confirms.owe(1, 2)
    confirms.settle(2)
    confirms.settle(3)
    confirms.owe(4, 1)
    confirms.confirm(1)
    assert confirms.take() == [(2, False, ACK), (3, False, ACK)]


def test_numbers_settled_out_of_order_are_merged_in_order(confirms: Confirms) -> None:
    for number in (1, 2, 3):
        confirms.owe(number, 1)
    for number in (3, 1, 2):
        confirms.confirm(number)
    assert confirms.take() == [(3, True, ACK)]


def test_one_refusal_is_a_nack_whatever_the_others_say(confirms: Confirms) -> None:
    """RabbitMQ CFM-5."""
    confirms.owe(1, 3)
    confirms.confirm(1)
    confirms.reject(1)
    confirms.confirm(1)
    assert confirms.take() == [(1, False, NACK)]


def test_a_number_that_two_queues_refuse_is_told_once(confirms: Confirms) -> None:
    confirms.owe(1, 2)
    confirms.reject(1)
    confirms.reject(1)
    assert confirms.take() == [(1, False, NACK)]


def test_an_ack_never_covers_a_number_refused_at_the_same_time(confirms: Confirms) -> None:
    for number in (1, 2, 4, 5):
        confirms.settle(number)
    confirms.owe(3, 1)
    confirms.reject(3)
    assert confirms.take() == [(3, False, NACK), (2, True, ACK), (4, False, ACK), (5, False, ACK)]


# What happens next: a publish to so many queues (0: unroutable), the answer of a queue for one of the open numbers, or
# the end of a turn, when what is settled is told.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("answer"), st.integers(0, 1000), st.sampled_from([True, True, True, False])),
        st.tuples(st.just("tell"), st.just(0), st.just(True)),
    ),
    max_size=40,
)


class Publisher:
    """What a client makes of the acks and nacks it gets."""

    def __init__(self) -> None:
        self.outstanding: set[int] = set()
        self.results: dict[int, bool] = {}

    def hear(self, number: int, multiple: bool, is_ack: bool) -> None:
        assert number in self.outstanding, "told twice, or never published"
        covered = {n for n in self.outstanding if n <= number} if multiple else {number}
        self.outstanding -= covered
        self.results.update(dict.fromkeys(covered, is_ack))


@given(steps)
def test_each_number_is_told_once_and_truly(history: list[tuple[str, int, bool]]) -> None:
    """CFM-2 to CFM-5: never before all queues answered, never an ack for a refused one, at the end nothing is left."""
    confirms, publisher = Confirms(), Publisher()
    owed: dict[int, int] = {}  # every number -> answers its queues still owe
    refused: set[int] = set()

    def answer(number: int, accepts: bool) -> None:
        owed[number] -= 1
        if accepts:
            confirms.confirm(number)
        else:
            refused.add(number)
            confirms.reject(number)

    def tell() -> None:
        for told in confirms.take():
            publisher.hear(*told)
        settled = {number for number, answers in owed.items() if number in refused or not answers}
        assert publisher.results == {number: number not in refused for number in settled}

    for kind, value, flag in history:
        if kind == "publish":
            number = confirms.last = confirms.last + 1
            publisher.outstanding.add(number)
            owed[number] = value
            if value:
                confirms.owe(number, value)
            else:
                confirms.settle(number)
        elif kind == "answer":
            waiting = [number for number, answers in owed.items() if answers]
            if waiting:
                answer(waiting[value % len(waiting)], flag)
        else:
            tell()
    for number, answers in list(owed.items()):
        for _ in range(answers):
            answer(number, True)
    tell()
    assert not publisher.outstanding
