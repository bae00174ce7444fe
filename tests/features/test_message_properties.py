"""What the broker does to the properties of a message: nothing, but to look at the few that mean something to it."""

import pytest

from leveret_protocol.fields import Field, Table
from leveret_protocol.methods import Basic, make
from leveret_protocol.tables import encode_table
from tests.harness import BrokerHarness, Client

HEADERS = b"\x20\x00"


def headers(entries: bytes) -> bytes:
    """Flags and value of a message with these entries in its header table."""
    return HEADERS + len(entries).to_bytes(4, "big") + entries


ALL_TYPES: Table = {
    "z": Field("t", True),
    "b": Field("b", -1),
    "B": Field("B", 255),
    "s": Field("s", -2),
    "u": Field("u", 65535),
    "I": Field("I", -3),
    "i": Field("i", 2**32 - 1),
    "l": Field("l", -(2**63)),
    "f": Field("f", 0.5),
    "d": Field("d", 0.1),
    "D": Field("D", (3, 2**32 - 1)),
    "S": Field("S", "\udcff\udcfe"),
    "x": Field("x", b"\x00\xff"),
    "T": Field("T", 2**64 - 1),
    "F": Field("F", {"y": Field("V", None), "a": Field("A", [])}),
    "A": Field("A", [Field("I", 1), Field("S", ""), Field("A", [Field("V", None)])]),
}

UNTOUCHED = {
    "nothing": b"\x00\x00",
    "all types, not sorted": HEADERS + encode_table(ALL_TYPES),
    "a key twice": headers(b"\x01aI\x00\x00\x00\x01\x01aI\x00\x00\x00\x02"),
    "an empty table": headers(b""),
    "an empty key": headers(b"\x00V"),
    "true as 2": headers(b"\x01at\x02"),
    "an unsigned 64 bit integer": headers(b"\x01aL" + b"\xff" * 8),
    "a key that is not UTF-8": headers(b"\x02\xff\xfeV"),
    "empty strings": b"\xc2\x00\x00\x00\x00",
    "strings that are not UTF-8": b"\x80\x00\x02\xff\xfe",
    "priority 255": b"\x08\x00\xff",
    "delivery-mode 3": b"\x10\x00\x03",
    "all ones as a timestamp": b"\x00\x40" + b"\xff" * 8,
    "the flags that nobody uses": b"\x00\x03",
    "everything else": b"\xc6\xac\x01a\x01b\x01c\x01d\x01e\x01f\x01g\x01h",
}


@pytest.mark.parametrize("property_bytes", UNTOUCHED.values(), ids=UNTOUCHED.keys())
class TestUntouched:
    """RabbitMQ: CT-6, FRM-21. The bytes come out as they went in, whichever way they take."""

    def test_to_a_consumer_on_another_channel_with_smaller_frames(
        self, harness: BrokerHarness, property_bytes: bytes
    ) -> None:
        client, small = harness.connect(), harness.connect(frame_max=4096, channels=(5,))
        client.declare("q")
        small.consume("q", channel=5)
        for body in (b"", b"x", b"x" * 10000):
            client.publish("", "q", body, property_bytes=property_bytes)
            (delivery,) = small.deliveries()
            assert (delivery.property_bytes, delivery.body) == (property_bytes, body)

    def test_by_get_and_when_redelivered(self, client: Client, property_bytes: bytes) -> None:
        client.declare("q")
        client.publish("", "q", b"x", property_bytes=property_bytes)
        assert client.get("q", no_ack=False).property_bytes == property_bytes
        client.reject(1, requeue=True)
        assert client.get("q").property_bytes == property_bytes

    def test_when_returned(self, client: Client, property_bytes: bytes) -> None:
        client.publish("", "nowhere", b"x", property_bytes=property_bytes, mandatory=True)
        (returned,) = client.received()
        assert returned.property_bytes == property_bytes

    def test_by_an_exchange_that_looks_at_headers(self, client: Client, property_bytes: bytes) -> None:
        client.declare("q")
        client.bind("q", "amq.headers", arguments={"x-match": "all"})
        client.publish("amq.headers", "", b"x", property_bytes=property_bytes)
        assert client.get("q").property_bytes == property_bytes


def test_cc_alone_is_no_reason_to_touch_them(client: Client) -> None:
    client.declare("q")
    sent = headers(b"\x01zV" + b"\x02CCA\x00\x00\x00\x06S\x00\x00\x00\x01q" + b"\x01aV")
    client.publish("", "nowhere", b"x", property_bytes=sent)
    assert client.get("q").property_bytes == sent


def test_removing_bcc_keeps_types_and_order_of_the_others(client: Client) -> None:
    client.declare("q")
    client.publish("", "q", b"x", headers={**ALL_TYPES, "BCC": ["elsewhere"]}, timestamp=2**64 - 1)
    assert client.get("q").property_bytes == b"\x20\x40" + encode_table(ALL_TYPES) + b"\xff" * 8


@pytest.mark.parametrize(
    "property_bytes",
    [
        b"\x80\x00",
        b"\x80\x00\x05abc",
        b"\x00\x00x",
        b"\x00\x01\x00\x00",
        headers(b"\x01a?"),
        headers(b"\x01aI\x00\x00"),
        HEADERS + b"\x00\x00\x00\x09\x01aV",
        headers(b"\x01aF\x00\x00\x00\xff"),
        headers(b"\x01ad\x7f\xf0\x00\x00\x00\x00\x00\x00"),
        headers(b"\x01af\x7f\xc0\x00\x00"),
    ],
)
def test_properties_that_cannot_be_decoded_end_the_connection(
    client: Client, other: Client, property_bytes: bytes
) -> None:
    """RabbitMQ: FRM-20, the bare text."""
    client.declare("q")
    client.publish("", "q", b"x", property_bytes=property_bytes)
    client.expect_connection_close("INTERNAL_ERROR", None)
    assert other.counts("q") == (0, 0)


def test_a_missing_exchange_is_told_before_properties_are_looked_at(client: Client) -> None:
    client.publish("nosuch", "", b"x", property_bytes=b"\x80\x00")
    client.expect_channel_close("NOT_FOUND - no exchange 'nosuch' in vhost '/'", Basic.Publish)


class TestUserId:
    """RabbitMQ: CT-10."""

    def test_ones_own_name_is_fine(self, client: Client) -> None:
        client.declare("q")
        client.publish("", "q", b"x", user_id="guest")
        assert client.get("q").properties.user_id == "guest"

    @pytest.mark.parametrize("user_id", ["other", "Guest", "guest ", ""])
    def test_another_one_is_refused(self, client: Client, user_id: str) -> None:
        client.publish("", "q", b"x", user_id=user_id)
        client.expect_channel_close(
            f"PRECONDITION_FAILED - user_id property set to '{user_id}' but authenticated user was 'guest'",
            Basic.Publish,
        )

    def test_it_is_refused_each_time(self, client: Client) -> None:
        """Properties are known by their bytes after the first time."""
        for _ in range(2):
            client.publish("", "q", b"x", user_id="other")
            client.expect_channel_close(
                "PRECONDITION_FAILED - user_id property set to 'other' but authenticated user was 'guest'",
                Basic.Publish,
            )
            client.open(1)

    def test_an_impersonator_may_be_anybody(self, harness: BrokerHarness) -> None:
        """RabbitMQ: PERM-7."""
        client = harness.connect(user="stand-in")
        client.declare("q")
        client.publish("", "q", b"x", user_id="other")
        assert client.get("q").properties.user_id == "other"

    def test_an_administrator_may_not(self, harness: BrokerHarness) -> None:
        client = harness.connect(user="guest")
        client.publish("", "q", b"x", user_id="other")
        assert len(client.received()) == 1


@pytest.mark.parametrize(
    ("expiration", "reason"),
    [
        ("abc", "no_integer"),
        ("", "no_integer"),
        ("-1", "{value_negative,-1}"),
        ("1.5", '{leftover_string,".5"}'),
        ("10 ", '{leftover_string," "}'),
        ("315360000001", "{value_too_large,315360000001}"),
    ],
)
def test_an_expiration_has_to_be_a_time(client: Client, expiration: str, reason: str) -> None:
    """RabbitMQ: CT-9."""
    client.publish("", "q", b"x", expiration=expiration)
    client.expect_channel_close(f"PRECONDITION_FAILED - invalid expiration '{expiration}': {reason}", Basic.Publish)


@pytest.mark.parametrize("expiration", ["+10000", "315360000000"])
def test_an_expiration_stays_as_it_was_written(client: Client, expiration: str) -> None:
    """RabbitMQ: CT-9."""
    client.declare("q")
    client.publish("", "q", b"x", expiration=expiration)
    assert client.get("q").properties.expiration == expiration


@pytest.mark.parametrize("delivery_mode", [None, 0, 1, 2, 3, 255])
def test_any_delivery_mode_is_taken(client: Client, delivery_mode: int | None) -> None:
    """RabbitMQ: from 3.13 (CT-8, VER-16)."""
    client.declare("q")
    client.publish("", "q", b"x", delivery_mode=delivery_mode)
    assert client.get("q").properties.delivery_mode == delivery_mode


def test_many_different_headers_are_each_taken_for_themselves(client: Client) -> None:
    """More than are remembered by their bytes."""
    for number in range(1500):
        client.publish("", "nowhere", b"", headers={"number": number})
    client.declare("q")
    client.publish("", "nowhere", b"x", headers={"number": 0, "CC": ["q"]})
    assert client.get("q").headers == {"number": 0, "CC": ["q"]}


def test_large_headers_pass(client: Client) -> None:
    client.declare("q")
    client.publish("", "q", b"x", headers={"long": "v" * 100_000})
    assert client.get("q").headers == {"long": "v" * 100_000}
    client.send(make(Basic.Get, queue="q"))
    client.expect(Basic.GetEmpty)
