"""What may lie: counting messages in a byte stream without decoding it, and the statistics made of the counts."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence

from interop.bench import wire

RECEIVE_SIZE = 256 * 1024  # the largest piece of a stream that is counted at once
MESSAGES_MAX = RECEIVE_SIZE // 32  # in one piece: no delivery is as small as that
CYCLE = bytes(range(wire.SEQUENCE_CYCLE)) * (MESSAGES_MAX // wire.SEQUENCE_CYCLE + 2)
FRAME_ENDS = bytes([wire.FRAME_END]) * MESSAGES_MAX
DELIVER_IDS = bytes([wire.BASIC_DELIVER[1]]) * MESSAGES_MAX
METHOD_ID_OFFSET = wire.METHOD_ARGUMENTS_OFFSET - 1

ACK_FORMAT = ">BHIHHQBB"
ACK_SIZE = struct.calcsize(ACK_FORMAT)
ACK_START = (wire.METHOD, wire.CHANNEL_NUMBER, ACK_SIZE - wire.FRAME_OVERHEAD, *wire.BASIC_ACK)


class WrongStream(Exception):
    """The broker sent something else than the load must bring about; the text names the first thing that differs."""


class DeliveryCounter:
    """Counts deliveries of equal size in pieces of a stream, whose borders fall anywhere.

    How this works: a position in the stream tells the message (position // size) and the octet within it, so nothing is
    carried over between pieces. One slice with a stride of the delivery's size takes the same octet of every message in
    the piece: frame ends and method ids must be all the same, the last octets of delivery tags and of bodies must count
    upwards by one. A lost, doubled, swapped or foreign frame breaks one of these. One message of a piece is compared
    whole.
    """

    def __init__(self, consumer_tag: str, expected: Callable[[int], bytes]) -> None:
        """`expected`: the whole n-th delivery, counted from 0; all must have one size."""
        self._expected = expected
        self.delivery_size = len(expected(0))
        self._end_offset = self.delivery_size - 1
        self._body_offset = self.delivery_size - 2
        self._tag_offset = wire.METHOD_ARGUMENTS_OFFSET + len(wire.short(consumer_tag)) + 7
        self._position = 0

    @property
    def messages(self) -> int:
        """Whole deliveries counted so far."""
        return self._position // self.delivery_size

    def feed(self, data: bytearray, size: int) -> None:
        """Count the first `size` octets of `data`, the next piece of the stream. Raises: WrongStream"""
        message, octets = self._octets(data, size, self._end_offset)
        self._compare(message, octets, FRAME_ENDS[: len(octets)], data, "frame end")
        message, octets = self._octets(data, size, METHOD_ID_OFFSET)
        self._compare(message, octets, DELIVER_IDS[: len(octets)], data, "method")
        message, octets = self._octets(data, size, self._body_offset)
        self._compare(message, octets, _counting(message, len(octets)), data, "end of the body")
        message, octets = self._octets(data, size, self._tag_offset)
        self._compare(message, octets, _counting(message + 1, len(octets)), data, "delivery tag")
        message, start = self._first(0)
        end = start + self.delivery_size
        if end <= size:
            self._compare(message, data[start:end], self._expected(message), data, "content")
        self._position += size

    def _first(self, offset: int) -> tuple[int, int]:
        """(message, index in this piece) of the first message whose octet at `offset` is not before this piece."""
        message = -((offset - self._position) // self.delivery_size)
        return message, message * self.delivery_size + offset - self._position

    def _octets(self, data: bytearray, size: int, offset: int) -> tuple[int, bytearray]:
        """The octet at `offset` of each message in the piece, and the number of the first of these messages."""
        message, start = self._first(offset)
        return message, data[start : size : self.delivery_size]

    def _compare(self, message: int, octets: bytearray, expected: bytes, data: bytearray, what: str) -> None:
        if octets != expected:
            start = max(0, message * self.delivery_size - self._position)
            near = bytes(data[start : start + 2 * self.delivery_size])
            raise WrongStream(f"wrong {what} at delivery {message} or one of the {len(octets)} after it; near {near!r}")


def _counting(number: int, count: int) -> bytes:
    """The last octets of `count` numbers from `number` on."""
    low = number % wire.SEQUENCE_CYCLE
    return CYCLE[low : low + count]


class ConfirmCounter:
    """Which publishes a stream of confirms has settled, in any order, single or multiple."""

    def __init__(self) -> None:
        self._all_up_to = 0
        self._above: set[int] = set()
        self._rest = b""

    @property
    def messages(self) -> int:
        """Publishes confirmed so far."""
        return self._all_up_to + len(self._above)

    def feed(self, data: bytes, published: int) -> None:
        """Count the next piece of the stream; `published` messages were sent before it was read.

        Raises: WrongStream, on anything but a first basic.ack for a message that was published
        """
        data = self._rest + data
        whole = len(data) // ACK_SIZE * ACK_SIZE
        self._rest = data[whole:]
        for *start, delivery_tag, multiple, frame_end in struct.iter_unpack(ACK_FORMAT, data[:whole]):
            if tuple(start) != ACK_START or frame_end != wire.FRAME_END:
                raise WrongStream(f"not a confirm in {data!r}")
            if not self._all_up_to < delivery_tag <= published or delivery_tag in self._above:
                raise WrongStream(f"confirm of {delivery_tag}, of {published} published, {self.messages} confirmed")
            self._settle(delivery_tag, multiple)

    def _settle(self, delivery_tag: int, multiple: int) -> None:
        if multiple:
            self._all_up_to = delivery_tag
            if self._above:
                self._above = {tag for tag in self._above if tag > delivery_tag}
        elif delivery_tag == self._all_up_to + 1:
            self._all_up_to = delivery_tag
        else:
            self._above.add(delivery_tag)
        while self._above and self._all_up_to + 1 in self._above:
            self._all_up_to += 1
            self._above.remove(self._all_up_to)


def acks_due(before: int, now: int, every: int) -> list[int]:
    """Delivery tags to ack (multiple) when the count of deliveries goes from `before` to `now`: each `every`-th."""
    return list(range((before // every + 1) * every, now + 1, every))


def percentile(values: Sequence[int], percent: float) -> int:
    """The smallest value that at least `percent` % of the values do not exceed (nearest rank). Raises: ValueError"""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
