"""A user, as clients and definitions have one."""

from __future__ import annotations

from leveret.auth.passwords import SHA256, check_password_hash, hash_password
from leveret.auth.users import User
from leveret.management.answers import bad_request
from leveret.management.bodies import Body, tags_of


def user_of(name: str, body: Body) -> User:
    """As the API and definitions have it. Raises Problem (400)."""
    if body.get("administrator") in (True, "true"):  # of RabbitMQ 1
        body.setdefault("tags", "administrator")
    if "tags" not in body:
        raise bad_request("tags_not_present")
    if "password" in body and "password_hash" in body:
        raise bad_request("both_password_and_password_hash_are_provided")
    algorithm = body.text("hashing_algorithm", SHA256)
    try:
        if "password" in body:
            password = body.text("password")
            hashed, algorithm = hash_password(password) if password else "", SHA256
        else:
            hashed = body.text("password_hash")
            if hashed:
                check_password_hash(hashed, algorithm)
    except ValueError as error:
        raise bad_request(str(error)) from None
    return User(name, hashed, tags_of(body["tags"]), {}, algorithm)
