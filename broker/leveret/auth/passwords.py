"""RabbitMQ's salted password hashes, in the form its definitions files and HTTP API carry them.

Base64 of 4 bytes of salt followed by a digest of salt and password, by one of three algorithms.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Callable
from typing import Any, Final

SALT_BYTES = 4  # RabbitMQ "Passwords: computing password hash"

SHA256: Final = "rabbit_password_hashing_sha256"
SHA512: Final = "rabbit_password_hashing_sha512"
MD5: Final = "rabbit_password_hashing_md5"  # of definitions that a RabbitMQ before 3.6 made; no new hash is made by it

_DIGESTS: Final[dict[str, Callable[[bytes], Any]]] = {
    SHA256: hashlib.sha256,
    SHA512: hashlib.sha512,
    MD5: lambda octets: hashlib.md5(octets, usedforsecurity=False),
}


def hash_password(password: str, salt: bytes | None = None, algorithm: str = SHA256) -> str:
    """The hash to keep for `password`, under a salt of its own unless one is given.

    A password is text as the wire layer decodes it: bytes that are not UTF-8 come as surrogate escapes and count as
    the bytes they were.
    Raises ValueError: no such algorithm, or not one for new hashes; the salt has another length.
    """
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    if algorithm not in (SHA256, SHA512):
        raise ValueError(f"{algorithm} is not an algorithm for new password hashes")
    return base64.b64encode(salt + _digest(algorithm, salt, password)).decode("ascii")


def is_password(password: str, password_hash: str, algorithm: str = SHA256) -> bool:
    """Whether `password` is the one that was hashed, in a time that does not depend on how wrong it is.

    Raises ValueError if `password_hash` is no hash of this kind.
    """
    salt, digest = _parts(password_hash, algorithm)
    return hmac.compare_digest(_digest(algorithm, salt, password), digest)


def check_password_hash(password_hash: str, algorithm: str = SHA256) -> None:
    """Raises ValueError: no such algorithm, or no hash by it. The text has nothing of the hash."""
    if algorithm not in _DIGESTS:
        raise ValueError(f"there is no hashing algorithm {algorithm}")
    _parts(password_hash, algorithm)


def _parts(password_hash: str, algorithm: str) -> tuple[bytes, bytes]:
    try:
        salted = base64.b64decode(password_hash, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a password hash is base64") from None
    digest_bytes = _DIGESTS[algorithm](b"").digest_size
    if len(salted) != SALT_BYTES + digest_bytes:
        raise ValueError(f"a password hash has {SALT_BYTES + digest_bytes} bytes, not {len(salted)}")
    return salted[:SALT_BYTES], salted[SALT_BYTES:]


def _digest(algorithm: str, salt: bytes, password: str) -> bytes:
    digest: bytes = _DIGESTS[algorithm](salt + password.encode("utf-8", "surrogateescape")).digest()
    return digest
