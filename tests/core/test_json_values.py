"""JSON from outside: what is kept of it can be told, stored and gone through."""

import pytest

from leveret.core.json_values import DEPTH_MAX, check_json, read_json


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
