"""Messages as bytes, in columns and not in rows: to pack a thousand numbers at once costs as much as ten singly.

    positions: u64 each, where they are asked for; sizes of payloads: u32 each; with EXPIRES when: f64 each or NaN; with
    SHARED the ids of payloads that lie elsewhere: u64 each or 0, and the size of such a one is 0; the payloads

All little-endian.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from struct import Struct, pack
from typing import NamedTuple

from leveret.storage.base import Added, SharedPayload

EXPIRES, SHARED = 4, 8  # in flags whose other bits are somebody else's


class Columns(NamedTuple):
    """expiries, payload_ids: empty if no message has one."""

    positions: Sequence[int]
    payloads: Sequence[bytes]
    expiries: Sequence[float | None] = ()
    payload_ids: Sequence[int] = ()

    @property
    def flags(self) -> int:
        return (EXPIRES if self.expiries else 0) | (SHARED if self.payload_ids else 0)

    def cut(self, start: int, end: int) -> Columns:
        """Some of the messages."""
        expiries, payload_ids = self.expiries[start:end], self.payload_ids[start:end]
        return Columns(
            self.positions[start:end],
            self.payloads[start:end],
            expiries if any(when is not None for when in expiries) else (),
            payload_ids if any(payload_ids) else (),
        )

    def encode(self, *, with_positions: bool) -> list[bytes]:
        """In pieces."""
        pieces = [u64s(self.positions)] if with_positions else []
        pieces.append(u32s(list(map(len, self.payloads))))
        if self.expiries:
            times = (math.nan if when is None else when for when in self.expiries)
            pieces.append(pack(f"<{len(self.expiries)}d", *times))
        if self.payload_ids:
            pieces.append(u64s(self.payload_ids))
        return [*pieces, *self.payloads]


def columns_of(added: Mapping[int, Added], shared: dict[int, bytes]) -> Columns:
    """Messages that were noted, at least one. shared: gets the payloads that do not stand in the columns."""
    payloads, expiries, _ = zip(*added.values(), strict=True)
    octets: Sequence[bytes] = list(map(bytes, payloads))
    payload_ids: Sequence[int] = ()
    if SharedPayload in set(map(type, payloads)):
        payload_ids = [payload.id if isinstance(payload, SharedPayload) else 0 for payload in payloads]
        shared |= {id: payload for id, payload in zip(payload_ids, octets, strict=True) if id}
        octets = [b"" if id else payload for id, payload in zip(payload_ids, octets, strict=True)]
    return Columns(
        list(added),
        octets,
        expiries if expiries.count(None) < len(expiries) else (),
        payload_ids,
    )


class Reader:
    """What has not been read yet."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def take(self, size: int) -> bytes:
        self._at += size
        return self._octets[self._at - size : self._at]

    def unpack(self, struct: Struct) -> tuple[int, ...]:
        return struct.unpack(self.take(struct.size))

    def numbers(self, code: str, count: int) -> tuple[int, ...]:
        """So many numbers of a type of `struct`."""
        return self.unpack(Struct(f"<{count}{code}"))

    def columns(self, flags: int, count: int, positions: Sequence[int] | None = None) -> Columns:
        """So many messages. positions: if they are not among the columns."""
        if positions is None:
            positions = self.numbers("Q", count)
        sizes: Sequence[int] = self.numbers("I", count)
        expiries: Sequence[float | None] = ()
        if flags & EXPIRES:
            expiries = [None if math.isnan(when) else when for when in self.numbers("d", count)]
        payload_ids = self.numbers("Q", count) if flags & SHARED else ()
        if payload_ids:  # format 2 gave the sizes of those elsewhere, too
            sizes = [0 if id else size for id, size in zip(payload_ids, sizes, strict=True)]
        ends = list(accumulate(sizes, initial=self._at))
        self._at = ends[-1]
        octets = self._octets
        return Columns(positions, [octets[start:end] for start, end in pairwise(ends)], expiries, payload_ids)


def u64s(numbers: Sequence[int]) -> bytes:
    return pack(f"<{len(numbers)}Q", *numbers)


def u32s(numbers: Sequence[int]) -> bytes:
    return pack(f"<{len(numbers)}I", *numbers)
