"""RabbitMQ's password hashes: base64(salt + sha256(salt + password))."""

import base64
import hashlib

import pytest

from leveret.auth.passwords import hash_password, is_password


def test_hash_is_that_of_rabbitmqs_documentation():
    """RabbitMQ "Passwords: computing password hash": password test12, salt 908DC60A."""
    assert hash_password("test12", bytes.fromhex("908DC60A")) == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"


def test_a_hash_made_by_rabbitmq_is_recognised():
    assert is_password("test12", "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR")


@pytest.mark.parametrize("wrong", ["", "test1", "test123", "Test12", "test12\0", "τest12"])
def test_another_password_does_not_match(wrong):
    assert not is_password(wrong, "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR")


def test_each_hash_has_a_salt_of_its_own():
    hashes = {hash_password("same") for _ in range(8)}
    assert len(hashes) == 8
    assert all(is_password("same", password_hash) for password_hash in hashes)


def test_password_bytes_that_are_not_utf8_are_hashed_as_they_came():
    salt = b"\1\2\3\4"
    password_hash = hash_password(b"\xffsecret".decode("utf-8", "surrogateescape"), salt)
    assert base64.b64decode(password_hash)[4:] == hashlib.sha256(salt + b"\xffsecret").digest()


@pytest.mark.parametrize("salt", [b"", b"\1\2\3", b"\1\2\3\4\5"])
def test_salt_of_another_length_is_refused(salt):
    with pytest.raises(ValueError, match="salt has 4 bytes"):
        hash_password("x", salt)


@pytest.mark.parametrize("password_hash", ["", "AAAA", "not base64!", base64.b64encode(bytes(37)).decode()])
def test_what_is_no_hash_is_refused(password_hash):
    with pytest.raises(ValueError):
        is_password("x", password_hash)
