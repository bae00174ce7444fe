import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode as pamqp_decode
from pamqp import encode as pamqp_encode

from leveret_protocol import Field, MalformedTable, canonical, decode_table, encode_table, plain, table
from leveret_protocol.constants import TABLE_DEPTH_MAX
from tests.protocol.frames import any_table, longstr, shortstr, steady


def decoded(octets):
    found, offset = decode_table(octets, 0, len(octets))
    assert offset == len(octets)
    return found


def table_of(*pairs):
    return longstr(b"".join(shortstr(key) + value for key, value in pairs))


@steady
@given(any_table)
def test_any_typed_table_comes_back_as_it_was(fields):
    octets = encode_table(fields)
    assert decoded(octets) == fields
    assert encode_table(decoded(octets)) == octets


@steady
@given(any_table, st.binary(max_size=5), st.binary(max_size=5))
def test_a_table_is_found_at_its_offset_and_ends_there(fields, before, after):
    octets = encode_table(fields)
    data = before + octets + after
    assert decode_table(data, len(before), len(data)) == (fields, len(before) + len(octets))


@steady
@given(any_table, st.data())
def test_a_table_cut_short_is_malformed(fields, data):
    octets = encode_table(fields)
    end = data.draw(st.integers(0, len(octets) - 1))
    with pytest.raises(MalformedTable):
        decode_table(octets, 0, end)
    with pytest.raises(MalformedTable):
        decode_table(octets[:end], 0, end)


@steady
@given(any_table, st.data())
def test_a_changed_byte_gives_a_table_or_malformed(fields, data):
    octets = bytearray(encode_table(fields))
    octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_table(bytes(octets), 0, len(octets))
    except MalformedTable:
        pass


@steady
@given(st.binary(max_size=60))
def test_any_bytes_give_a_table_or_malformed(octets):
    try:
        found, _ = decode_table(longstr(octets), 0, 4 + len(octets))
    except MalformedTable:
        return
    assert isinstance(found, dict)


PAMQP_VALUES = {
    "t": st.booleans(),
    "b": st.integers(-128, 127),
    "s": st.integers(-(2**15), 2**15 - 1),
    "u": st.integers(0, 2**16 - 1),
    "I": st.integers(-(2**31), 2**31 - 1),
    "i": st.integers(0, 2**32 - 1),
    "l": st.integers(-(2**63), 2**63 - 1),
    "d": st.floats(allow_nan=False, allow_infinity=False),
    "f": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "S": st.text(max_size=10),
    "V": st.none(),
}
pamqp_fields = st.one_of(
    *(values.map(lambda value, tag=tag: Field(tag, value)) for tag, values in PAMQP_VALUES.items())
)
pamqp_tables = st.dictionaries(st.text("abcXYZ-_", max_size=10), pamqp_fields, max_size=5)


@steady
@given(pamqp_tables)
def test_pamqp_reads_our_tables(fields):
    octets = encode_table(fields)
    assert pamqp_decode.field_table(octets) == (len(octets), plain(fields))


@steady
@given(
    st.dictionaries(
        st.text("abcXYZ-_", min_size=1, max_size=10),
        st.one_of(
            st.booleans(),
            st.integers(-(2**63), 2**63 - 1),
            st.text(max_size=10),
            st.none(),
            st.lists(st.text(max_size=5), max_size=3),
        ),
        max_size=5,
    )
)
def test_we_read_the_tables_of_pamqp(values):
    assert plain(decoded(pamqp_encode.field_table(values))) == values


def test_the_first_of_duplicate_keys_counts():
    """CT-7."""
    assert decoded(table_of((b"k", b"b\1"), (b"other", b"V"), (b"k", b"b\2"))) == {
        "k": Field("b", 1),
        "other": Field("V", None),
    }


def test_the_second_signed_64_bit_type_is_signed_and_keeps_its_tag():
    assert decoded(table_of((b"k", b"L" + b"\xff" * 8))) == {"k": Field("L", -1)}


def test_a_boolean_is_true_unless_it_is_0():
    assert decoded(table_of((b"k", b"t\x02"))) == {"k": Field("t", True)}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"~", id="a type nobody knows"),
        pytest.param(b"\0", id="the type 0, which pamqp takes for void"),
        pytest.param(b"", id="no type"),
        pytest.param(b"I\0\0\0", id="an integer cut short"),
        pytest.param(b"t", id="a boolean cut short"),
        pytest.param(b"D\0\0\0", id="a decimal cut short"),
        pytest.param(b"S\0\0\0\2x", id="a string cut short"),
        pytest.param(b"S\0\0", id="a length cut short"),
        pytest.param(b"x\xff\xff\xff\xff", id="4 GiB of octets"),
        pytest.param(b"A\0\0\0\1S", id="an array whose item runs past it"),
        pytest.param(b"F\0\0\0\2\1a", id="a table whose key has no value"),
        pytest.param(b"d" + struct.pack(">d", float("nan")), id="not a number"),
        pytest.param(b"d" + struct.pack(">d", float("inf")), id="infinity"),
        pytest.param(b"f" + struct.pack(">f", float("-inf")), id="single infinity"),
    ],
)
def test_a_malformed_value_is_refused(value):
    """FRM-10, FRM-20."""
    octets = table_of((b"k", value))
    with pytest.raises(MalformedTable):
        decode_table(octets, 0, len(octets))


def test_a_value_may_not_borrow_bytes_from_behind_its_table():
    octets = longstr(shortstr(b"k") + b"I\0\0") + b"\0\0\0\0"
    with pytest.raises(MalformedTable):
        decode_table(octets, 0, len(octets))


def nested_tables(depth):
    octets = longstr(b"")
    for _ in range(depth - 1):
        octets = longstr(shortstr(b"") + b"F" + octets)
    return octets


def nested_arrays(depth):
    octets = longstr(b"")
    for _ in range(depth - 2):
        octets = longstr(b"A" + octets)
    return longstr(shortstr(b"") + b"A" + octets)


@pytest.mark.parametrize("nested", [nested_tables, nested_arrays])
@pytest.mark.parametrize("depth", [TABLE_DEPTH_MAX + 1, 1000, 20000])
def test_deep_nesting_is_refused(nested, depth):
    octets = nested(depth)
    with pytest.raises(MalformedTable, match="nested"):
        decode_table(octets, 0, len(octets))


@pytest.mark.parametrize("nested", [nested_tables, nested_arrays])
def test_nesting_up_to_the_limit_is_fine(nested):
    octets = nested(TABLE_DEPTH_MAX)
    assert encode_table(decoded(octets)) == octets


@steady
@given(any_table, st.randoms(use_true_random=False))
def test_the_canonical_form_does_not_depend_on_the_order_of_keys(fields, random):
    def shuffled(value):
        if isinstance(value, dict):
            keys = list(value)
            random.shuffle(keys)
            return {key: Field(value[key].tag, shuffled(value[key].value)) for key in keys}
        if isinstance(value, list):
            return [Field(item.tag, shuffled(item.value)) for item in value]
        return value

    assert canonical(shuffled(fields)) == canonical(fields)
    assert decoded(canonical(fields)) == fields


def test_the_canonical_form_keeps_types_apart():
    assert canonical({"k": Field("I", 1)}) != canonical({"k": Field("l", 1)})


def test_a_key_of_256_bytes_cannot_be_encoded():
    with pytest.raises(ValueError, match="255"):
        encode_table(table({"x" * 256: 1}))


def test_a_value_of_the_wrong_type_cannot_be_encoded():
    with pytest.raises(ValueError, match="'S'"):
        encode_table({"k": Field("S", 1)})
