"""JSON from outside: what is kept of it can be told, stored and gone through."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leveret.core import json_values
from leveret.core.json_values import DEPTH_MAX, PIECE_CHARACTERS, check_json, read_json, read_json_in_steps


def nested(depth):
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    "text", ["null", "1", '"\u00e4"', '{"a": [1.5, {}]}', nested(DEPTH_MAX)], ids=lambda text: text[:9]
)
def test_it_is_read(text):
    check_json(read_json(text))


@pytest.mark.parametrize(
    "text", ["", "NaN", "[-Infinity]", "1e999", '"\\ud800"', nested(DEPTH_MAX + 1), '{"a":' * 101 + "1" + "}" * 101,
             nested(10**6)], ids=lambda text: text[:9]
)  # fmt: skip
def test_what_could_not_be_kept_is_refused(text):
    with pytest.raises(ValueError):
        read_json(text)


def test_words_of_a_command_line_may_hold_any_bytes():
    assert read_json('"\udc80"', "surrogateescape") == "\udc80"


def in_steps(text):
    """What is read, and in how many steps."""
    steps, count = read_json_in_steps(text), 0
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value, count
        count += 1


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(values, st.sampled_from([None, 1]), st.integers(1, 40))
def test_in_steps_the_same_is_read(value, indent, characters):
    text = json.dumps(value, indent=indent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_values, "PIECE_CHARACTERS", characters)
        assert in_steps(text)[0] == value


@given(values, st.integers(0, 60), st.sampled_from(["", ",", "]", "}", '"', ":", "x", "NaN", "[", '{"a"', "1", "-"]))
def test_in_steps_the_same_is_refused(value, place, wrong):
    """Where something is inserted, or what follows is left out."""
    text = json.dumps(value)
    text = text[:place] + wrong + text[place:] if wrong else text[:place]
    try:
        expected = read_json(text)
    except ValueError:
        expected = ValueError
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_values, "PIECE_CHARACTERS", 5)
        try:
            got = in_steps(text)[0]
        except ValueError:
            got = ValueError
    assert got == expected


@pytest.mark.parametrize(
    "text", [nested(DEPTH_MAX + 1), nested(10**6), '["\\ud800", 1]', '{"\\ud800": 1}', "[1e999, 2]"]
)
def test_in_steps_what_could_not_be_kept_is_refused(text, monkeypatch):
    monkeypatch.setattr(json_values, "PIECE_CHARACTERS", 4)
    assert in_steps(nested(DEPTH_MAX))[0] == json.loads(nested(DEPTH_MAX))
    with pytest.raises(ValueError):
        in_steps(text)


def test_a_long_text_is_many_steps():
    queues = [{"name": f"q{number}", "arguments": {"x": [1, 2]}} for number in range(3_000)]
    text = json.dumps({"queues": queues, "long": "x" * 2 * PIECE_CHARACTERS, "rest": [{}]})
    value, count = in_steps(text)
    assert value == json.loads(text)
    assert count == len(queues) + 2
