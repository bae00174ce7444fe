"""RabbitMQ's salted password hashes, in the form its definitions files and HTTP API carry them.

`rabbit_password_hashing_sha256`: base64 of 4 bytes of salt followed by SHA-256 of salt and password.
"""

import base64
import hashlib
import hmac
import os

SALT_BYTES = 4  # RabbitMQ "Passwords: computing password hash"
_DIGEST_BYTES = 32


def hash_password(password: str, salt: bytes | None = None) -> str:
    """The hash to keep for `password`, under a salt of its own unless one is given.

    A password is text as the wire layer decodes it: bytes that are not UTF-8 come as surrogate escapes and count as
    the bytes they were.
    """
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return base64.b64encode(salt + _digest(salt, password)).decode("ascii")


def is_password(password: str, password_hash: str) -> bool:
    """Whether `password` is the one that was hashed, in a time that does not depend on how wrong it is.

    Raises ValueError if `password_hash` is no hash of this kind.
    """
    salted = base64.b64decode(password_hash, validate=True)
    if len(salted) != SALT_BYTES + _DIGEST_BYTES:
        raise ValueError(f"a password hash has {SALT_BYTES + _DIGEST_BYTES} bytes, not {len(salted)}")
    salt, digest = salted[:SALT_BYTES], salted[SALT_BYTES:]
    return hmac.compare_digest(_digest(salt, password), digest)


def _digest(salt: bytes, password: str) -> bytes:
    return hashlib.sha256(salt + password.encode("utf-8", "surrogateescape")).digest()
