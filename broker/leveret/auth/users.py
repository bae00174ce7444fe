"""The broker's users: name, password hash, tags.

For now every user may open every vhost and use all that is in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from leveret.auth.passwords import hash_password, is_password


@dataclass(frozen=True, slots=True)
class User:
    """Tags are plain words; RabbitMQ gives five of them a meaning (PERM-7) and keeps any other."""

    name: str
    password_hash: str = field(repr=False)
    tags: tuple[str, ...] = ()

    @classmethod
    def with_password(cls, name: str, password: str, tags: Iterable[str] = ()) -> Self:
        return cls(name, hash_password(password), tuple(tags))


class Users:
    """All users by name."""

    def __init__(self, users: Iterable[User] = ()) -> None:
        self._by_name = {user.name: user for user in users}
        # Checked where there is no such user, so that the answer takes as long as for a wrong password.
        self._nobody = User.with_password("", "")

    @classmethod
    def with_guest(cls) -> Self:
        """What a new RabbitMQ node has: guest with password guest, an administrator."""
        return cls([User.with_password("guest", "guest", ["administrator"])])

    def authenticate(self, name: str, password: str) -> User | None:
        """The user who has this name and password; None for a wrong password and an unknown name alike.

        RabbitMQ: its internal backend never lets a blank password in, whatever hash is kept.
        """
        user = self._by_name.get(name)
        matches = is_password(password, (user or self._nobody).password_hash)
        return user if matches and password else None

    def __getitem__(self, name: str) -> User:
        return self._by_name[name]
