"""What may be written for a value of each kind, and what is made of it."""

from pathlib import Path

import pytest

from leveret.config.settings import LEVEL
from leveret.config.values import (
    ADDRESSES,
    BOOLEAN,
    FRACTION,
    NAMES,
    PATH,
    SIZE,
    TEXT,
    Address,
    WrongValue,
    choice,
    optional,
    size,
    whole,
)

SECONDS = whole("a number of seconds", 0, 100)


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (SECONDS, "0", 0),
        (SECONDS, "100", 100),
        (SECONDS, 7, 7),
        (whole("channels", 1, 65535, words=[("0", 65535)]), "0", 65535),
        (whole("channels", 1, 65535, words=[("0", 65535)]), 0, 65535),
        (SIZE, "1000", 1000),
        (SIZE, 1000, 1000),
        (SIZE, "1k", 1000),
        (SIZE, "1kB", 1000),
        (SIZE, "2KiB", 2048),
        (SIZE, "2Ki", 2048),
        (SIZE, "50MB", 50_000_000),
        (SIZE, "1GiB", 2**30),
        (SIZE, "1 gib", 2**30),
        (SIZE, "3tb", 3 * 10**12),
        (size(10, 20), "20", 20),
        (FRACTION, "0.6", 0.6),
        (FRACTION, 1, 1.0),
        (BOOLEAN, "true", True),
        (BOOLEAN, False, False),
        (NAMES, "a, b", ("a", "b")),
        (NAMES, ["a"], ("a",)),
        (NAMES, [], ()),
        (NAMES, "none", ()),
        (ADDRESSES, "5672", (Address("", 5672),)),
        (ADDRESSES, 5672, (Address("", 5672),)),
        (ADDRESSES, "127.0.0.1:0", (Address("127.0.0.1", 0),)),
        (ADDRESSES, "localhost:1, [::1]:2", (Address("localhost", 1), Address("::1", 2))),
        (ADDRESSES, [5672, "[::]:5673"], (Address("", 5672), Address("::", 5673))),
        (ADDRESSES, "none", ()),
        (TEXT, "", ""),
        (PATH, "a/b", Path("a/b")),
        (choice("a", "b"), "A", "a"),
        (LEVEL, "notice", "info"),
        (optional(SECONDS, "undefined"), "undefined", None),
        (optional(SECONDS, "undefined"), False, None),
        (optional(SECONDS, "undefined"), 0, 0),
    ],
)
def test_what_may_be_written(kind, written, value):
    parsed = kind.parse(written)
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (SECONDS, "-1"),
        (SECONDS, "101"),
        (SECONDS, "1.0"),
        (SECONDS, 1.0),
        (SECONDS, True),
        (SECONDS, " 1"),
        (SECONDS, "٣"),
        (SECONDS, ""),
        (SECONDS, "9" * 5000),
        (SIZE, "1XB"),
        (SIZE, "1b"),
        (SIZE, "1i"),
        (SIZE, "-1"),
        (SIZE, -1),
        (SIZE, "1.5GB"),
        (size(10, 20), "9"),
        (size(10, 20), "1k"),
        (FRACTION, "half"),
        (FRACTION, "-0.1"),
        (FRACTION, "101"),
        (FRACTION, float("nan")),
        (FRACTION, True),
        (BOOLEAN, "yes"),
        (BOOLEAN, 1),
        (NAMES, "a,,b"),
        (NAMES, [1]),
        (ADDRESSES, "65536"),
        (ADDRESSES, "::1:5672"),
        (ADDRESSES, ":5672"),
        (ADDRESSES, "localhost"),
        (ADDRESSES, "a:b"),
        (ADDRESSES, ""),
        (ADDRESSES, True),
        (TEXT, 1),
        (PATH, ""),
        (PATH, "a\0b"),
        (choice("a", "b"), "c"),
        (choice("a", "b"), 1),
        (optional(SECONDS, "undefined"), True),
    ],
)
def test_what_may_not(kind, written):
    with pytest.raises(WrongValue) as raised:
        kind.parse(written)
    assert str(raised.value).endswith(f"not {written!r}")


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (SECONDS, "7"),
        (SIZE, "50"),
        (FRACTION, "0.6"),
        (BOOLEAN, "true"),
        (NAMES, "a, b"),
        (NAMES, "none"),
        (ADDRESSES, "5672, 127.0.0.1:1, [::1]:2"),
        (ADDRESSES, "none"),
        (PATH, "a/b"),
        (optional(SECONDS, "undefined"), "undefined"),
        (optional(SECONDS, "undefined"), "7"),
    ],
)
def test_a_value_is_shown_as_it_could_be_written(kind, written):
    assert kind.show(kind.parse(written)) == written
