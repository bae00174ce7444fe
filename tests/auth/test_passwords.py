"""RabbitMQ's password hashes: base64(salt + sha256(salt + password))."""

import base64
import hashlib

import pytest

from leveret.auth.passwords import MD5, SHA256, SHA512, check_password_hash, hash_password, is_password


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


@pytest.mark.parametrize(("algorithm", "digest"), [(SHA256, "sha256"), (SHA512, "sha512"), (MD5, "md5")])
def test_each_algorithm_hashes_salt_and_password(algorithm, digest):
    """RabbitMQ: rabbit_password_hashing_sha256, _sha512, and _md5 of before 3.6."""
    salted = b"salt" + hashlib.new(digest, b"saltsecret").digest()
    password_hash = base64.b64encode(salted).decode()
    check_password_hash(password_hash, algorithm)
    assert is_password("secret", password_hash, algorithm)
    assert not is_password("Secret", password_hash, algorithm)


def test_new_hashes_are_by_sha256_or_sha512():
    for algorithm in (SHA256, SHA512):
        assert is_password("secret", hash_password("secret", algorithm=algorithm), algorithm)
    for algorithm in (MD5, "rabbit_password_hashing_none"):
        with pytest.raises(ValueError, match="not an algorithm for new"):
            hash_password("secret", algorithm=algorithm)


@pytest.mark.parametrize(("made_by", "read_as"), [(SHA256, SHA512), (SHA512, SHA256), (SHA256, MD5)])
def test_a_hash_by_another_algorithm_is_refused(made_by, read_as):
    with pytest.raises(ValueError, match="a password hash has"):
        check_password_hash(hash_password("secret", algorithm=made_by), read_as)


def test_an_unknown_algorithm_is_refused():
    with pytest.raises(ValueError, match="there is no hashing algorithm rot13"):
        check_password_hash(hash_password("secret"), "rot13")
