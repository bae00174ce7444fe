"""Sizes that lie: frames, bodies, tables, logins. What they cost is bounded by a limit that has a name in the code."""

import struct

import pytest

from leveret_protocol import constants
from leveret_protocol.fields import Field, table
from leveret_protocol.methods import Basic, Connection, Queue, encode_method, make
from tests.harness import BrokerHarness, Client, header_payload, raw_frame
from tests.hostile.leftovers import assert_little_is_used, assert_nothing_stays

SILENT_SECONDS = 3.0
LARGEST_SIZE = 2**32 - 1
MEBIBYTE = 1024 * 1024
ENTRIES = 65_000

PUBLISH = encode_method(1, make(Basic.Publish, routing_key="q"))


def header(body_size: int) -> bytes:
    return raw_frame(constants.FRAME_HEADER, 1, header_payload(b"\0\0", body_size))


def body(octets: bytes) -> bytes:
    return raw_frame(constants.FRAME_BODY, 1, octets)


def frame_start(kind: int, channel: int, size: int) -> bytes:
    return struct.pack(">BHI", kind, channel, size)


def nested(depth: int) -> bytes:
    """A table in a table, `depth` of them, all with the key `n`, as bytes with their length; made without recursion."""
    octets = b""
    for _ in range(depth - 1):
        octets = b"\x01nF" + len(octets).to_bytes(4, "big") + octets
    return len(octets).to_bytes(4, "big") + octets


def declare_with(arguments: bytes) -> bytes:
    """queue.declare of `q` with these bytes as its table."""
    method = encode_method(1, make(Queue.Declare, queue="q"))
    return raw_frame(constants.FRAME_METHOD, 1, method[7:-5] + arguments)


class TestFrames:
    """FRAME_MAX, and HANDSHAKE_FRAME_MAX until tune-ok: judged by the first seven bytes."""

    @pytest.mark.parametrize("steps", [1, 2])
    def test_4_gib_before_login_end_in_silence_and_are_not_waited_for(self, harness: BrokerHarness, steps: int) -> None:
        peer = harness.tcp()
        for step in (peer.send_header, peer.log_in)[steps - 1 : steps]:
            step()
        peer.send_bytes(frame_start(constants.FRAME_METHOD, 0, LARGEST_SIZE))
        peer.assert_silent()
        assert peer.connection.drop_after_seconds == SILENT_SECONDS

    def test_4_gib_as_the_header_are_no_header(self, harness: BrokerHarness) -> None:
        peer = harness.tcp()
        peer.send_bytes(frame_start(constants.FRAME_METHOD, 0, LARGEST_SIZE) + b"x")
        assert peer.received_bytes() == constants.PROTOCOL_HEADER
        assert peer.connection.drop_after_seconds == 0

    def test_4_gib_after_login_are_refused(self, client: Client) -> None:
        client.send_bytes(frame_start(constants.FRAME_BODY, 1, LARGEST_SIZE))
        told = "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,4294967295,131064}"
        client.expect_connection_close(told, None)

    @pytest.mark.parametrize("steps", [0, 1, 2, 4])
    def test_what_follows_a_refused_size_is_not_kept(self, steps: int) -> None:
        """The peer goes on sending all the same."""

        def flood() -> None:
            peer = BrokerHarness().tcp()
            for step in (peer.send_header, peer.start_ok, peer.tune_ok, peer.open_vhost)[:steps]:
                step()
                peer.received_bytes()
            peer.send_bytes(frame_start(constants.FRAME_METHOD, 0, LARGEST_SIZE) + b"x")
            for _ in range(64):
                peer.send_bytes(bytes(64 * 1024))

        assert_little_is_used(flood, MEBIBYTE)

    def test_a_frame_that_never_ends_costs_frame_max(self, harness: BrokerHarness) -> None:
        def trickle() -> None:
            peer = harness.connect()
            peer.send_bytes(frame_start(constants.FRAME_METHOD, 1, constants.FRAME_MAX))
            for _ in range(constants.FRAME_MAX // 1024):
                peer.send_bytes(bytes(1024))
            peer.lose()

        assert_little_is_used(trickle, 2 * constants.FRAME_MAX)


class TestBodies:
    """MESSAGE_SIZE_MAX for what is kept, BODY_SIZE_CEILING for what may be announced. RabbitMQ: CVE-2026-67235."""

    @pytest.mark.parametrize("pieces", [[b"xxxx"], [b"x", b"xxx"], [b"", b"xx", b"xx"]])
    def test_more_than_the_header_says_ends_the_connection(
        self, harness: BrokerHarness, client: Client, pieces: list[bytes]
    ) -> None:
        client.declare("q")
        peer = harness.connect()
        peer.send_bytes(PUBLISH + header(3) + b"".join(map(body, pieces)))
        peer.expect_connection_close("FRAME_ERROR - content body frame exceeds remaining content size", Basic.Publish)
        assert client.counts("q") == (0, 0)

    def test_an_endless_body_is_cut_off_by_its_header(self, harness: BrokerHarness) -> None:
        """Frame after frame, none of which is too large."""

        def endless() -> None:
            peer = harness.connect()
            peer.send_bytes(PUBLISH + header(1024))
            for _ in range(1000):
                peer.send_bytes(body(bytes(1000)))
            peer.expect_connection_close(
                "FRAME_ERROR - content body frame exceeds remaining content size", Basic.Publish
            )
            peer.lose()

        assert_little_is_used(endless, MEBIBYTE)

    def test_a_body_over_the_limit_is_read_and_not_kept(self, harness: BrokerHarness) -> None:
        """And then refused with 406, see test_hostile_peers. Its channel, not its connection, is closed."""
        piece = body(bytes(constants.FRAME_MAX - constants.FRAME_OVERHEAD))
        size = constants.MESSAGE_SIZE_MAX + 1

        def oversize() -> None:
            peer = harness.connect()
            peer.send_bytes(PUBLISH + header(size))
            for _ in range(size // (len(piece) - constants.FRAME_OVERHEAD)):
                peer.send_bytes(piece)
            peer.assert_silent()
            peer.lose()

        assert_little_is_used(oversize, MEBIBYTE)

    def test_announcing_costs_nothing(self, harness: BrokerHarness) -> None:
        """The largest body on each of 2,047 channels, and not a byte of it."""
        opened = b"".join(raw_frame(1, number, b"\0\x14\0\x0a\0") for number in range(1, constants.CHANNEL_MAX + 1))
        publishes = b"".join(
            encode_method(number, make(Basic.Publish, routing_key="q"))
            + raw_frame(constants.FRAME_HEADER, number, header_payload(b"\0\0", constants.MESSAGE_SIZE_MAX))
            for number in range(1, constants.CHANNEL_MAX + 1)
        )

        def announce() -> None:
            peer = harness.connect(channels=())
            peer.send_bytes(opened)
            peer.received_bytes()
            peer.send_bytes(publishes)
            peer.assert_silent()
            peer.lose()

        assert_little_is_used(announce, 16 * MEBIBYTE)


class TestTables:
    """TABLE_DEPTH_MAX, and the frame that they come in."""

    def test_1000_deep_as_arguments_ends_the_connection(self, harness: BrokerHarness) -> None:
        def declare() -> None:
            peer = harness.connect()
            peer.send_bytes(declare_with(nested(1000)))
            close = peer.expect(Connection.Close, channel=0)
            assert (close.reply_code, close.class_id, close.method_id) == (501, 50, 10)
            peer.lose()

        assert_nothing_stays(declare)

    def test_100_deep_is_fine(self, client: Client) -> None:
        client.send_bytes(declare_with(nested(constants.TABLE_DEPTH_MAX)))
        client.expect(Queue.DeclareOk)

    def test_1000_deep_before_login_ends_in_silence(self, harness: BrokerHarness) -> None:
        """Depth of what fits into HANDSHAKE_FRAME_MAX."""
        peer = harness.tcp()
        peer.send_header()
        method = encode_method(0, make(Connection.StartOk, mechanism="PLAIN", response="\0guest\0guest"))
        peer.send_bytes(raw_frame(constants.FRAME_METHOD, 0, method[7:11] + nested(1000) + method[15:-1]))
        peer.assert_silent()
        assert peer.connection.drop_after_seconds == SILENT_SECONDS

    def test_1000_deep_as_a_login_ends_in_silence(self, harness: BrokerHarness) -> None:
        peer = harness.tcp()
        peer.send_header()
        peer.start_ok(mechanism="AMQPLAIN", response=nested(1000)[4:].decode("utf-8", "surrogateescape"))
        peer.assert_silent()
        assert peer.connection.drop_after_seconds == SILENT_SECONDS

    @pytest.mark.parametrize("exchange", ["amq.headers", "amq.topic", ""])
    def test_1000_deep_as_headers_is_an_internal_error_where_they_are_read(
        self, harness: BrokerHarness, client: Client, exchange: str
    ) -> None:
        """RabbitMQ: FRM-20. Nobody else has any of it, and the queue has no message that cannot be read."""
        client.declare("q")
        for bound_to in ("amq.headers", "amq.topic"):
            client.bind("q", bound_to, "q")
        peer = harness.connect()
        peer.publish(exchange, "q", b"x", property_bytes=b"\x20\x00" + nested(1000))
        peer.expect_connection_close("INTERNAL_ERROR", None)
        assert client.counts("q") == (0, 0)

    @pytest.mark.parametrize(
        "entries",
        [
            pytest.param(b"\0V" * ENTRIES, id="one key"),
            pytest.param(b"\x01aA" + ENTRIES.to_bytes(4, "big") + b"V" * ENTRIES, id="array"),
            pytest.param(b"".join(b"\x02%bV" % n.to_bytes(2, "big") for n in range(32_000)), id="other keys"),
            pytest.param(b"\x01aA" + (5 * 26_000).to_bytes(4, "big") + b"F\0\0\0\0" * 26_000, id="tables"),
        ],
    )
    def test_as_many_entries_as_fit_into_a_frame_are_let_go_with_their_queue(
        self, harness: BrokerHarness, entries: bytes
    ) -> None:
        def declare() -> None:
            peer = harness.connect()
            peer.send_bytes(declare_with(len(entries).to_bytes(4, "big") + entries))
            peer.expect(Queue.DeclareOk)
            peer.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
            peer.lose()

        assert_little_is_used(declare, 10 * MEBIBYTE)


class TestLogins:
    """HANDSHAKE_FRAME_MAX."""

    @pytest.mark.parametrize(
        "response", ["guest" * 1000, "\0" * 8000, "\0guest\0guest\0" + "x" * 8000, "\0" + "x" * 4000 + "\0"]
    )
    def test_plain_without_its_nuls_or_with_too_many_is_not_let_in(self, harness: BrokerHarness, response: str) -> None:
        peer = harness.tcp()
        peer.send_header()
        peer.start_ok(response=response, capabilities={})
        peer.assert_silent()
        assert peer.connection.drop_after_seconds == SILENT_SECONDS

    def test_a_mebibyte_of_password_is_not_kept(self, harness: BrokerHarness) -> None:
        def log_in() -> None:
            peer = harness.tcp()
            peer.send_header()
            login = make(Connection.StartOk, mechanism="PLAIN", response="\0guest\0" + "x" * MEBIBYTE)
            data = encode_method(0, login)
            for at in range(0, len(data), 64 * 1024):
                peer.send_bytes(data[at : at + 64 * 1024])
            peer.assert_silent()
            assert peer.connection.drop_after_seconds == SILENT_SECONDS
            peer.lose()

        assert_nothing_stays(log_in)

    def test_client_properties_of_any_type_are_only_looked_at(self, harness: BrokerHarness) -> None:
        peer = harness.tcp()
        peer.send_header()
        strange = {"capabilities": [1, 2], "connection_name": {"a": Field("x", b"\xff")}, "product": 2.5}
        login = make(Connection.StartOk, mechanism="PLAIN", response="\0guest\0guest", client_properties=table(strange))
        peer.send(login, channel=0)
        peer.expect(Connection.Tune, channel=0)
        assert str(peer.connection)
