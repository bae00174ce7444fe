"""Messages as the store keeps them: their frames as they came, behind the names they were published to."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

# Kind, failed_count, payload bytes of the header frame, the channel number in the frames, bytes of further keys; then
# exchange and routing key as short strings, the further keys as short strings, the frames.
START = struct.Struct(">BIIHI")
PLAIN: Final = 0
DEAD_LETTER: Final = 1
BLIND_COPIED: Final = 2


def pack(
    kind: int, failed_count: int, header_size: int, channel_number: int, names: bytes, more_keys: Sequence[str],
    frames: bytes,
) -> bytes:  # fmt: skip
    keys = b"".join(map(_short_string, more_keys))
    return START.pack(kind, failed_count, header_size, channel_number, len(keys)) + names + keys + frames


def _short_string(text: str) -> bytes:
    octets = text.encode("utf-8", "surrogateescape")
    return bytes((len(octets),)) + octets


def short_strings(octets: bytes) -> list[str]:
    """Those that stand one behind the other."""
    texts = []
    while octets:
        end = 1 + octets[0]
        texts.append(octets[1:end].decode("utf-8", "surrogateescape"))
        octets = octets[end:]
    return texts
