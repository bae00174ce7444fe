import struct

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from pamqp import frame as pamqp_frame

from leveret_protocol import (
    Access,
    AMQPError,
    Basic,
    Channel,
    Connection,
    Exchange,
    Field,
    Queue,
    decode_method,
    encode_method,
    make,
    method_ids,
    method_name,
    table,
)
from leveret_protocol.methods import METHODS
from tests.protocol.frames import (
    Refusal,
    any_table,
    longstr,
    method,
    refusal,
    shortstr,
    steady_for_each_method,
    told,
    wire_strings,
)

OURS = {
    "bit": st.booleans(),
    "octet": st.integers(0, 2**8 - 1),
    "short": st.integers(0, 2**16 - 1),
    "long": st.integers(0, 2**32 - 1),
    "longlong": st.integers(0, 2**64 - 1),
    "shortstr": st.text(max_size=20),
    "longstr": wire_strings,
    "table": any_table,
}
PAMQPS = {
    "bit": st.booleans(),
    "octet": st.integers(0, 2**8 - 1),
    "short": st.integers(0, 2**16 - 1),
    "long": st.integers(0, 2**32 - 1),
    "longlong": st.integers(0, 2**63 - 1),
    "shortstr": st.text("abcXYZ09-_.:", max_size=20),
    "longstr": st.text(max_size=20),
    "table": st.dictionaries(st.text("abc", max_size=5), st.text(max_size=5), max_size=3),
}
# pamqp wants these to be what its constructors make of them.
RESERVED = {"ticket", "capabilities", "insist", "out_of_band", "channel_id", "known_hosts", "cluster_id"}
PAMQP_METHODS = [cls for cls in METHODS.values() if cls.__module__.startswith("pamqp")]


def fields_of(cls, strategies):
    return st.fixed_dictionaries({name: strategies[cls.amqp_type(name)] for name in cls.__slots__})


def payload_of(frame):
    assert frame[-1:] == b"\xce"
    assert struct.unpack(">I", frame[3:7])[0] == len(frame) - 8
    return frame[7:-1]


def refused(payload, channel_number=1):
    with pytest.raises(AMQPError) as caught:
        decode_method(payload, channel_number)
    return refusal(caught.value)


@pytest.mark.parametrize("cls", METHODS.values(), ids=method_name)
@steady_for_each_method
@given(st.data())
def test_a_method_comes_back_as_it_was(cls, data):
    fields = data.draw(fields_of(cls, OURS))
    if cls is Channel.OpenOk:
        fields["channel_id"] = ""
    made = make(cls, **fields)
    frame = encode_method(7, made)
    assert frame[:3] == b"\x01\x00\x07"
    decoded = decode_method(payload_of(frame))
    assert type(decoded) is cls
    assert told(decoded) == told(made)


@pytest.mark.filterwarnings("ignore:This command is deprecated")
@pytest.mark.parametrize("cls", PAMQP_METHODS, ids=method_name)
@steady_for_each_method
@given(st.data())
def test_pamqp_agrees_on_the_bytes_both_ways(cls, data):
    fields = data.draw(fields_of(cls, PAMQPS))
    fields = {name: value for name, value in fields.items() if name not in RESERVED}
    try:
        theirs = cls(**fields)
    except ValueError:
        reject()  # a value that pamqp finds improper
    octets = pamqp_frame.marshal(theirs, 7)
    if cls is Channel.OpenOk:
        theirs.channel_id = ""  # RabbitMQ: CH-5
        octets = b"\x01\x00\x07\x00\x00\x00\x08\x00\x14\x00\x0b\x00\x00\x00\x00\xce"
    ours = make(cls)
    for name in cls.__slots__:
        value = getattr(theirs, name)
        setattr(ours, name, table(dict(sorted(value.items()))) if isinstance(value, dict) else value)
    assert encode_method(7, ours) == octets
    assert told(decode_method(payload_of(octets))) == told(ours)
    _, channel_number, read_by_pamqp = pamqp_frame.unmarshal(octets)
    assert (channel_number, told(read_by_pamqp)) == (7, told(theirs))


@pytest.mark.parametrize("cls", METHODS.values(), ids=method_name)
def test_a_made_method_has_empty_fields(cls):
    empty = {"bit": False, "octet": 0, "short": 0, "long": 0, "longlong": 0, "shortstr": "", "longstr": "", "table": {}}
    made = make(cls)
    assert {name: getattr(made, name) for name in cls.__slots__} == {
        name: empty[cls.amqp_type(name)] for name in cls.__slots__
    }


def test_two_made_methods_do_not_share_a_table():
    make(Queue.Declare).arguments["x"] = Field("V", None)
    assert make(Queue.Declare).arguments == {}


def test_an_unknown_field_is_not_made():
    with pytest.raises(TypeError, match=r"queue\.declare has no colour"):
        make(Queue.Declare, colour="red")


@pytest.mark.parametrize("name", ["a=b~c", "x" * 255, "語" * 80, "\udcff\udcfe", "", "a\r\nb"])
def test_names_are_not_validated(name):
    """M-11; pamqp refuses these (PA-1)."""
    frame = encode_method(1, make(Queue.DeclareOk, queue=name))
    assert payload_of(frame) == b"\x00\x32\x00\x0b" + shortstr(name.encode("utf-8", "surrogateescape")) + bytes(8)


def test_a_name_of_256_bytes_cannot_be_encoded():
    with pytest.raises(ValueError, match="255"):
        encode_method(1, make(Queue.DeclareOk, queue="é" * 128))


def test_a_long_reply_text_is_cut():
    """GEN-3."""
    frame = encode_method(0, make(Connection.Close, reply_code=404, reply_text="x" * 300))
    assert decode_method(payload_of(frame)).reply_text == "x" * 252 + "..."


def test_channel_open_ok_is_what_rabbitmq_sends():
    """CH-5; pamqp's constructor puts "0" into the reserved field (PA-2)."""
    expected = b"\x01\x00\x07\x00\x00\x00\x08\x00\x14\x00\x0b\x00\x00\x00\x00\xce"
    assert encode_method(7, make(Channel.OpenOk)) == expected
    assert encode_method(7, Channel.OpenOk()) == expected


def test_a_delivery_tag_is_unsigned():
    """PA-8."""
    assert decode_method(b"\0\x3c\0\x50" + b"\xff" * 8 + b"\0").delivery_tag == 2**64 - 1


def test_access_request_is_known():
    """M-7, PA-5."""
    decoded = decode_method(b"\0\x1e\0\x0a" + shortstr(b"/data") + b"\x1d")
    assert told(decoded) == (
        "access.request",
        {"realm": "/data", "exclusive": True, "passive": False, "active": True, "write": True, "read": True},
    )
    assert encode_method(1, make(Access.RequestOk, ticket=1)) == method(30, 11, b"\0\x01")


def test_bits_without_a_field_are_ignored():
    decoded = decode_method(b"\0\x32\0\x0a\0\0" + shortstr(b"q") + b"\xe2" + longstr(b""))
    assert (decoded.passive, decoded.durable, decoded.exclusive, decoded.auto_delete, decoded.nowait) == (
        False,
        True,
        False,
        False,
        False,
    )


@pytest.mark.parametrize(
    ("cls", "name", "ids"),
    [
        (Queue.DeclareOk, "queue.declare-ok", (50, 11)),
        (Basic.RecoverAsync, "basic.recover-async", (60, 100)),
        (Connection.UpdateSecretOk, "connection.update-secret-ok", (10, 71)),
        (Exchange.UnbindOk, "exchange.unbind-ok", (40, 51)),
        (Access.Request, "access.request", (30, 10)),
        (Basic.GetOk, "basic.get-ok", (60, 71)),
    ],
)
def test_names_and_ids_are_the_specifications(cls, name, ids):
    assert (method_name(cls), method_ids(cls)) == (name, ids)
    assert (method_name(make(cls)), method_ids(make(cls))) == (name, ids)


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\x32\0"])
def test_a_payload_too_short_for_the_ids_is_an_unknown_frame(payload):
    """FRM-4."""
    shown = f"<<{','.join(map(str, payload))}>>"
    if payload == b"\0\x32\0":
        assert shown == "<<0,50,0>>"
    assert refused(payload) == Refusal(501, f"FRAME_ERROR - type 1, all octets = {shown}: unknown_frame", 0, 0)


@pytest.mark.parametrize(("class_id", "method_id"), [(50, 99), (99, 10), (65535, 65535), (0, 0)])
def test_an_unknown_method_is_refused_with_its_ids(class_id, method_id):
    """FRM-8: RabbitMQ resets TCP; we say so."""
    payload = struct.pack(">HH", class_id, method_id)
    assert refused(payload) == Refusal(503, "COMMAND_INVALID - unimplemented method", class_id, method_id)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (b"", "<<>>"),
        (b"\0\0\5ab", "<<0,0,5,97,98>>"),
        (b"\0\0\1\xff", "<<0,0,1,255>>"),  # the length comes first, then UTF-8
        (b"\0\0\1q\2\0\0\0\x64", "<<0,0,1,113,2,0,0,0,100>>"),
        (b"\0\0\1q\2\0\0\0\0z", "<<0,0,1,113,2,0,0,0,0,122>>"),
        (b"\0\0\1q\2\0\0\0\4\1a~\0", "<<0,0,1,113,2,0,0,0,4,1,97,126,0>>"),
        (b"\0\0\1q\2\0\0\0\4\1aI\0", "<<0,0,1,113,2,0,0,0,4,1,97,73,0>>"),
    ],
)
def test_malformed_arguments_are_shown_with_the_methods_ids(arguments, shown):
    """FRM-9, FRM-10."""
    assert refused(b"\0\x32\0\x0a" + arguments) == Refusal(501, f"FRAME_ERROR - cannot decode {shown}", 50, 10)


def test_of_many_malformed_arguments_as_many_are_shown_as_fit():
    """FRM-9, GEN-3."""
    text = refused(b"\0\x32\0\x0a" + bytes(range(100)) * 1000).reply_text
    assert text == "FRAME_ERROR - cannot decode <<" + ",".join(map(str, range(100)))[: 252 - 30] + "..."


@pytest.mark.parametrize("payload", [b"\0\x0a\0\x32\0", b"\0\x3c\0\x28\0", b"\0\x0a\0\x33\0"])
def test_malformed_arguments_on_channel_0_are_an_internal_error(payload):
    """FRM-9: the channel decides and not the class."""
    assert refused(payload, 0) == Refusal(541, "INTERNAL_ERROR", 0, 0)
    assert refused(payload, 1).code == 501


NOT_UTF8 = [b"\xff", b"\x80", b"\xc3", b"\xc0\x80", b"\xe0\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xed\xa0", b"a\xc3"]
UTF8_FOR_ERLANG = [b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf7\xbf\xbf\xbf", b"\xef\xbf\xbe", b"\0", b"\xc3\xa9"]


@pytest.mark.parametrize("octets", NOT_UTF8)
def test_a_short_string_has_to_be_utf8(octets):
    """FRM-11."""
    payload = b"\0\x32\0\x0a\0\0" + shortstr(octets) + b"\2" + longstr(b"")
    assert refused(payload) == Refusal(501, "FRAME_ERROR - Malformed UTF-8 in shortstr", 0, 0)


@pytest.mark.parametrize("octets", UTF8_FOR_ERLANG)
def test_what_erlang_takes_for_utf8_passes(octets):
    """FRM-11."""
    decoded = decode_method(b"\0\x32\0\x0a\0\0" + shortstr(octets) + b"\2" + longstr(b""))
    assert decoded.queue.encode("utf-8", "surrogateescape") == octets


def test_on_channel_0_the_refusal_of_a_short_string_names_the_method():
    """FRM-11, as RabbitMQ 3.10.8 answers to connection.close."""
    payload = b"\0\x0a\0\x32\0\xc8" + shortstr(b"\xff") + bytes(4)
    assert refused(payload, 0) == Refusal(501, "FRAME_ERROR - Malformed UTF-8 in shortstr", 10, 50)


@pytest.mark.parametrize("octets", NOT_UTF8)
def test_basic_publish_takes_any_bytes(octets):
    """FRM-11."""
    decoded = decode_method(b"\0\x3c\0\x28\0\0" + shortstr(octets) + shortstr(octets) + b"\0")
    assert decoded.exchange.encode("utf-8", "surrogateescape") == octets
    assert decoded.routing_key.encode("utf-8", "surrogateescape") == octets


def test_a_long_string_takes_any_bytes():
    """PA-9: an AMQPLAIN response is no text."""
    payload = b"\0\x0a\0\x0b" + longstr(b"") + shortstr(b"AMQPLAIN") + longstr(b"\xff\0\x80") + shortstr(b"en_US")
    assert decode_method(payload, 0).response.encode("utf-8", "surrogateescape") == b"\xff\0\x80"


@pytest.mark.parametrize("cls", METHODS.values(), ids=method_name)
@steady_for_each_method
@given(st.binary(max_size=40))
def test_any_arguments_give_a_method_or_one_error(cls, arguments):
    payload = struct.pack(">HH", *method_ids(cls)) + arguments
    try:
        decoded = decode_method(payload)
    except AMQPError as error:
        assert error.reply_code == 501
        assert (error.class_id, error.method_id) in (method_ids(cls), (0, 0))
    else:
        assert type(decoded) is cls


def test_a_table_nested_too_deep_is_malformed():
    nested = longstr(b"")
    for _ in range(1000):
        nested = longstr(shortstr(b"") + b"F" + nested)
    error = refused(b"\0\x32\0\x0a\0\0" + shortstr(b"q") + b"\0" + nested)
    assert (error.code, error.class_id, error.method_id) == (501, 50, 10)
