"""Messages as the store keeps them: their frames as they came, behind the names they were published to."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

# Kind, failed_count, payload bytes of the header frame, the channel number in the frames, bytes of further keys; then
# exchange and routing key as short strings, the further keys as short strings, the frames.
_START = struct.Struct(">BIIHI")
PLAIN: Final = 0
DEAD_LETTER: Final = 1
BLIND_COPIED: Final = 2


class StoredForm(NamedTuple):
    """names: exchange and routing key as two short strings. more_keys, failed_count: not of plain ones."""

    kind: int
    failed_count: int
    header_size: int
    channel_number: int
    names: bytes
    more_keys: list[str]
    frames: bytes


def pack_plain(header_size: int, channel_number: int, names: bytes, frames: bytes) -> bytes:
    return _START.pack(PLAIN, 0, header_size, channel_number, 0) + names + frames


def pack(
    kind: int, failed_count: int, header_size: int, channel_number: int, names: bytes, more_keys: Sequence[str],
    frames: bytes,
) -> bytes:  # fmt: skip
    keys = b"".join(map(_short_string, more_keys))
    return _START.pack(kind, failed_count, header_size, channel_number, len(keys)) + names + keys + frames


def unpack(octets: bytes) -> StoredForm:
    """The store has seen to it that these are the bytes it was given."""
    kind, failed_count, header_size, channel_number, keys_size = _START.unpack_from(octets)
    exchange_end = _START.size + 1 + octets[_START.size]
    names_end = exchange_end + 1 + octets[exchange_end]
    frames_start = names_end + keys_size
    more_keys = _short_strings(octets[names_end:frames_start])
    names = octets[_START.size : names_end]
    return StoredForm(kind, failed_count, header_size, channel_number, names, more_keys, octets[frames_start:])


def _short_string(text: str) -> bytes:
    octets = text.encode("utf-8", "surrogateescape")
    return bytes((len(octets),)) + octets


def _short_strings(octets: bytes) -> list[str]:
    texts = []
    while octets:
        end = 1 + octets[0]
        texts.append(octets[1:end].decode("utf-8", "surrogateescape"))
        octets = octets[end:]
    return texts
