"""A hash that is the same in every process. RabbitMQ has another one: keys go to other queues there (XT-17)."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable

HASH_BYTES = 8


def stable_hash(value: bytes) -> int:
    """A number of 64 bits."""
    return int.from_bytes(hashlib.blake2b(value, digest_size=HASH_BYTES).digest())


def hash_input(value: Hashable) -> bytes:
    """The bytes that stand for a string, as they came over the wire; for any other value its Python notation.

    A timestamp counts as its digits, as in RabbitMQ.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return repr(value).encode("utf-8", "surrogateescape")
