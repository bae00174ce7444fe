"""JSON as Erlang prints it. Each expectation was printed by OTP 25 (`~tp`), but for what Erlang does not have."""

from typing import Any

import pytest

from leveret.core.erlang_terms import pairs, printed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (-5, "-5"),
        (10**30, str(10**30)),
        (1.0, "1.0"),
        (0.1, "0.1"),
        (100.0, "100.0"),
        (1000.0, "1.0e3"),
        (1e22, "1.0e22"),
        ("", "<<>>"),
        ("a\tb", r'<<"a\tb">>'),
        ('"\\', r'<<"\"\\">>'),
        ("\0", "<<0>>"),
        ("\x7f", "<<127>>"),
        ("é", '<<"é"/utf8>>'),
        ("\xa0", '<<"\xa0"/utf8>>'),
        ("\x85", "<<194,133>>"),
        ("日本", "<<230,151,165,230,156,172>>"),
        ([], "[]"),
        ([1, 2], "[1,2]"),
        ([97, 98], '"ab"'),
        ([97, 98, 1000], "[97,98,1000]"),
        ([97, True], "[97,true]"),
        (["a", []], '[<<"a">>,[]]'),
        ({}, "#{}"),
        ({"b": [1, 2], "a": 1}, '#{<<"a">> => 1,<<"b">> => [1,2]}'),
        ({"a": {"é": None}}, '#{<<"a">> => #{<<"é"/utf8>> => null}}'),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_a_value(value: Any, text: str) -> None:
    assert printed(value) == text


def test_pairs_come_in_one_line() -> None:
    assert pairs([]) == "[]"
    assert pairs([("a" * 80, 1), ("b", "c")]) == f'[{{<<"{"a" * 80}">>,1}},{{<<"b">>,<<"c">>}}]'
