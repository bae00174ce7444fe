"""The broker's users: name, password hash, tags, limits.

For now every user may open every vhost and use all that is in it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from leveret.auth.passwords import hash_password, is_password
from leveret.core.limits import USER_LIMITS, Limits, checked_limits


@dataclass(frozen=True, slots=True)
class User:
    """Tags are plain words; RabbitMQ gives five of them a meaning (PERM-7) and keeps any other.

    limits: max-connections and max-channels, see `Users.set_limits`.
    """

    name: str
    password_hash: str = field(repr=False)
    tags: tuple[str, ...] = ()
    limits: Limits = field(default_factory=dict, hash=False)

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

    def add(self, user: User) -> None:
        """Add the user, or put it in the place of the one with that name."""
        self._by_name[user.name] = user

    def limits(self, name: str) -> Limits:
        """Those in force now; none for a user who is no more."""
        user = self._by_name.get(name)
        return {} if user is None else user.limits

    def set_limits(self, name: str, limits: Mapping[str, object]) -> None:
        """max-connections, max-channels: 0 for none, negative for no limit. Those not named stay as they are.

        What is open already stays open (RabbitMQ: PERM-9).
        Raises KeyError: there is no such user; ValueError with RabbitMQ's text.
        """
        user = self._by_name[name]
        self._by_name[name] = replace(
            user, limits={**user.limits, **checked_limits(limits, USER_LIMITS, "user-limits")}
        )

    def clear_limit(self, name: str, limit: str | None = None) -> None:
        """Clear one of a user's limits; None: all of them. One that is not set is no error, as in RabbitMQ.

        Raises KeyError: there is no such user.
        """
        user = self._by_name[name]
        left = {} if limit is None else {key: value for key, value in user.limits.items() if key != limit}
        self._by_name[name] = replace(user, limits=left)
