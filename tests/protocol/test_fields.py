import json

import pytest

from leveret_protocol import Field, field, plain, table
from leveret_protocol.fields import INTEGER_TAGS, TYPE_NAMES


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        (True, "t"),
        (0, "I"),
        (2**31 - 1, "I"),
        (-(2**31), "I"),
        (2**31, "l"),
        (-(2**31) - 1, "l"),
        (2**63 - 1, "l"),
        (-(2**63), "l"),
        ("text", "S"),
        (b"octets", "x"),
        (1.5, "d"),
        (None, "V"),
    ],
)
def test_a_python_value_has_its_natural_field(value, tag):
    assert field(value) == Field(tag, value)


def test_nested_values_become_nested_fields():
    assert field({"a": [1, {"b": "c"}]}) == Field(
        "F", {"a": Field("A", [Field("I", 1), Field("F", {"b": Field("S", "c")})])}
    )


def test_a_field_passes_through():
    assert table({"x": Field("B", 7)}) == {"x": Field("B", 7)}


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_an_integer_beyond_64_bits_has_no_field(value):
    with pytest.raises(ValueError, match="64-bit"):
        field(value)


def test_a_value_of_another_type_has_no_field():
    with pytest.raises(TypeError, match="complex"):
        field(1j)


def test_plain_takes_the_types_away():
    nested = table({"a": [1, None, {"b": True}], "c": Field("D", (2, 314)), "d": b"octets", "e": Field("T", 5)})
    assert plain(nested) == {"a": [1, None, {"b": True}], "c": 3.14, "d": "octets", "e": 5}


def test_plain_values_go_into_json():
    assert json.loads(json.dumps(plain(table({"x": b"\xff", "y": Field("D", (255, 1))})))) == {
        "x": "\udcff",
        "y": 1e-255,
    }


def test_plain_of_a_single_field_is_its_value():
    assert plain(field("x")) == "x"


def test_rabbitmq_has_a_name_for_each_integer_type():
    assert {TYPE_NAMES[tag] for tag in INTEGER_TAGS} == {
        "byte",
        "unsignedbyte",
        "short",
        "unsignedshort",
        "signedint",
        "unsignedint",
        "long",
    }
