"""The broker's users: name, password hash, tags, limits. What they may do is in `Users.permissions`.

What an operator does to users is here, for whoever speaks for the operator: Python, the command line, an HTTP API. The
texts of errors are RabbitMQ's (rabbitmqctl's, where there are several).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from leveret.auth import events
from leveret.auth.errors import InvalidCredentials, NoSuchUser, UserExists
from leveret.auth.grants import Grants
from leveret.auth.passwords import SHA256, check_password_hash, hash_password, is_password
from leveret.core.limits import USER_LIMITS, Limits, checked_limits
from leveret.core.names import INTERNAL_USER
from leveret.core.node import Node


@dataclass(frozen=True, slots=True)
class User:
    """Tags are plain words; RabbitMQ gives five of them a meaning (PERM-7) and keeps any other.

    password_hash: empty for one who cannot log in with a password; hashing_algorithm: RabbitMQ's name of it.
    limits: max-connections and max-channels, see `Users.set_limits`.
    """

    name: str
    password_hash: str = field(default="", repr=False)
    tags: tuple[str, ...] = ()
    limits: Limits = field(default_factory=dict, hash=False)
    hashing_algorithm: str = SHA256

    @classmethod
    def with_password(cls, name: str, password: str, tags: Iterable[str] = ()) -> Self:
        """A blank password is none (RabbitMQ: nobody logs in with it)."""
        return cls(name, hash_password(password) if password else "", tuple(tags))

    @classmethod
    def with_hash(cls, name: str, password_hash: str, tags: Iterable[str] = (), algorithm: str = SHA256) -> Self:
        """One whose password somebody else has hashed. Raises ValueError: that is no hash by this algorithm."""
        if password_hash:
            check_password_hash(password_hash, algorithm)
        return cls(name, password_hash, tuple(tags), hashing_algorithm=algorithm)


class Users:
    """All users by name, and what they may do.

    They are kept in the store of the node, if it has one, and are those that are there already.
    `by`, in all that changes something: the name of who does it, for observers.
    permissions: what they may do, see Grants.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._keeper = node.keeper
        self._by_name: dict[str, User] = {}
        self.permissions = Grants(node, self._by_name)
        # Checked where there is no such user, so that the answer takes as long as for a wrong password.
        self._nobody = User.with_password("", "nobody's")
        for definition in () if node.keeper is None else node.keeper.store.definitions():
            if definition.kind == "user":
                value = json.loads(definition.value)
                user = User(
                    json.loads(definition.name)[0], value["password_hash"], tuple(value["tags"]), value["limits"],
                    value["hashing_algorithm"],
                )  # fmt: skip
                self._by_name[user.name] = user

    def authenticate(self, name: str, password: str) -> User | None:
        """The user who has this name and password; None for a wrong password and an unknown name alike.

        RabbitMQ: its internal backend never lets a blank password in, whatever hash is kept.
        """
        user = self._by_name.get(name)
        checked = user if user is not None and user.password_hash else self._nobody
        matches = is_password(password, checked.password_hash, checked.hashing_algorithm)
        return user if matches and password and checked is user else None

    def check_password(self, name: str, password: str) -> None:
        """Raises InvalidCredentials with RabbitMQ's text."""
        if self.authenticate(name, password) is None:
            raise InvalidCredentials(name)

    def __getitem__(self, name: str) -> User:
        """Raises NoSuchUser."""
        try:
            return self._by_name[name]
        except KeyError:
            raise NoSuchUser(name) from None

    def get(self, name: str) -> User | None:
        return self._by_name.get(name)

    def __iter__(self) -> Iterator[User]:
        return iter(self._by_name.values())

    def add(self, user: User, by: str = INTERNAL_USER) -> None:
        """Raises UserExists; ValueError: a name is not empty."""
        if not user.name:
            raise ValueError("Bad argument: user cannot be an empty string")
        if user.name in self._by_name:
            raise UserExists(user.name)
        self._put(user)
        self._node.events.tell("user.created", events.user_changed, user.name, by)

    def put(self, user: User, by: str = INTERNAL_USER) -> None:
        """Add the user, or let the one of this name have this password, tags and limits, as definitions do."""
        if user.name not in self._by_name:
            self.add(replace(user, tags=(), limits={}), by)
        self._put(user)
        kind = "user.password.changed" if user.password_hash else "user.password.cleared"
        self._node.events.tell(kind, events.user_changed, user.name, by)
        self._node.events.tell("user.tags.set", events.tags_set, user.name, user.tags, by)

    def delete(self, name: str, by: str = INTERNAL_USER) -> None:
        """With all its permissions; its connections are closed: CONNECTION_FORCED (320). Raises NoSuchUser."""
        del self._by_name[self[name].name]
        self.permissions.user_deleted(name)
        if self._keeper is not None:
            self._keeper.define("user", json.dumps([name]), None)
        self._node.events.tell("user.deleted", events.user_changed, name, by)
        for connection in self._node.connections.of_user(name):
            connection.force_close(f"user '{name}' is deleted")

    def change_password(self, name: str, password: str, by: str = INTERNAL_USER) -> None:
        """Open connections stay. A blank one is none (RabbitMQ: nobody logs in with it). Raises NoSuchUser."""
        self._put(
            replace(self[name], password_hash=hash_password(password) if password else "", hashing_algorithm=SHA256)
        )
        self._node.events.tell("user.password.changed", events.user_changed, name, by)

    def clear_password(self, name: str, by: str = INTERNAL_USER) -> None:
        """It cannot log in with any. Raises NoSuchUser."""
        self._put(replace(self[name], password_hash=""))
        self._node.events.tell("user.password.cleared", events.user_changed, name, by)

    def set_tags(self, name: str, tags: Iterable[str], by: str = INTERNAL_USER) -> None:
        """Instead of all it had. They count from its next login on. Raises NoSuchUser."""
        user = replace(self[name], tags=tuple(tags))
        self._put(user)
        self._node.events.tell("user.tags.set", events.tags_set, name, user.tags, by)

    # -- limits -----------------------------------------------------------------------------------------------------

    def limits(self, name: str) -> Limits:
        """Those in force now; none for a user who is no more."""
        user = self._by_name.get(name)
        return {} if user is None else user.limits

    def set_limits(self, name: str, limits: Mapping[str, object], by: str = INTERNAL_USER) -> None:
        """max-connections, max-channels: 0 for none, negative for no limit. Those not named stay as they are.

        What is open already stays open (RabbitMQ: PERM-9).
        Raises NoSuchUser; ValueError with RabbitMQ's text.
        """
        user = self[name]
        changed = checked_limits(limits, USER_LIMITS, "user-limits")
        self._put(replace(user, limits={**user.limits, **changed}))
        self._node.events.tell("user.limits.set", events.limits_set, name, changed, by)

    def clear_limit(self, name: str, limit: str | None = None, by: str = INTERNAL_USER) -> None:
        """Clear one of a user's limits; None: all of them. One that is not set is no error, as in RabbitMQ.

        Raises NoSuchUser.
        """
        user = self[name]
        left = {} if limit is None else {key: value for key, value in user.limits.items() if key != limit}
        self._put(replace(user, limits=left))
        self._node.events.tell("user.limits.cleared", events.limits_cleared, name, by)

    def _put(self, user: User) -> None:
        self._by_name[user.name] = user
        if self._keeper is not None:
            value = {
                "password_hash": user.password_hash,
                "hashing_algorithm": user.hashing_algorithm,
                "tags": user.tags,
                "limits": dict(user.limits),
            }
            self._keeper.define("user", json.dumps([user.name]), json.dumps(value).encode())
