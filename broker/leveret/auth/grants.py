"""Who was given which permission: rows by user and virtual host, and for topics by exchange (RabbitMQ: PERM-1, PERM-6).

Any change counts for the next operation, so it moves on the generation of the virtual host, behind which routes are
remembered.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator

from leveret.auth import events
from leveret.auth.errors import NoSuchUser, NoSuchVirtualHost
from leveret.auth.permissions import Permission, TopicPermission
from leveret.core.names import INTERNAL_USER
from leveret.core.node import Node


class Grants:
    """user_names: those of all users, as they come and go.

    `by`, in all that changes something: the name of who does it, for observers.
    """

    def __init__(self, node: Node, user_names: Container[str]) -> None:
        self._node = node
        self._user_names = user_names
        self._keeper = node.keeper
        self._rows: dict[tuple[str, str], Permission] = {}
        self._topic_rows: dict[tuple[str, str, str], TopicPermission] = {}
        node.on_vhost_delete = self._vhost_deleted
        for definition in () if node.keeper is None else node.keeper.store.definitions():
            if definition.kind == "permission":
                user, vhost = json.loads(definition.name)
                self._rows[user, vhost] = Permission(**json.loads(definition.value))
            elif definition.kind == "topic_permission":
                user, vhost, exchange = json.loads(definition.name)
                self._topic_rows[user, vhost, exchange] = TopicPermission(**json.loads(definition.value))

    # -- asking -----------------------------------------------------------------------------------------------------

    def may_open(self, user: str, vhost: str) -> bool:
        """Any row will do, even three empty patterns (RabbitMQ: PERM-8)."""
        return (user, vhost) in self._rows

    def may_use(self, user: str, vhost: str, _kind: str, name: str, right: str) -> bool:
        """name: of a queue or an exchange; the default exchange goes by `amq.default`."""
        row = self._rows.get((user, vhost))
        return row is not None and row.allows(right, name)

    def may_use_topic(self, user: str, vhost: str, exchange: str, routing_key: str, right: str) -> bool:
        """Without a row for the exchange: yes."""
        row = self._topic_rows.get((user, vhost, exchange))
        return row is None or row.allows(right, routing_key, user, vhost)

    def of_user(self, user: str) -> Iterator[tuple[str, Permission]]:
        """By virtual host. Raises NoSuchUser."""
        self._check_user(user)
        return ((vhost, row) for (name, vhost), row in self._rows.items() if name == user)

    def of_vhost(self, vhost: str) -> Iterator[tuple[str, Permission]]:
        """By user. Raises NoSuchVirtualHost."""
        self._check_vhost(vhost)
        return ((user, row) for (user, name), row in self._rows.items() if name == vhost)

    def topics_of_user(self, user: str) -> Iterator[tuple[str, str, TopicPermission]]:
        """Virtual host, exchange, permission. Raises NoSuchUser."""
        self._check_user(user)
        return ((vhost, exchange, row) for (name, vhost, exchange), row in self._topic_rows.items() if name == user)

    def topics_of_vhost(self, vhost: str) -> Iterator[tuple[str, str, TopicPermission]]:
        """User, exchange, permission. Raises NoSuchVirtualHost."""
        self._check_vhost(vhost)
        return ((user, exchange, row) for (user, name, exchange), row in self._topic_rows.items() if name == vhost)

    # -- changing ---------------------------------------------------------------------------------------------------

    def set(self, user: str, vhost: str, permission: Permission, by: str = INTERNAL_USER) -> None:
        """Raises NoSuchUser, NoSuchVirtualHost."""
        self._check(user, vhost)
        self._rows[user, vhost] = permission
        value = {"configure": permission.configure, "write": permission.write, "read": permission.read}
        self._define("permission", [user, vhost], value)
        self._changed(vhost)
        self._node.events.tell("permission.created", events.permission_created, user, vhost, permission, by)

    def clear(self, user: str, vhost: str, by: str = INTERNAL_USER) -> None:
        """Rows for topics stay. One that is not there is no error. Raises NoSuchUser, NoSuchVirtualHost."""
        self._check(user, vhost)
        if self._rows.pop((user, vhost), None) is not None:
            self._undefine("permission", [user, vhost])
            self._changed(vhost)
        self._node.events.tell("permission.deleted", events.permission_deleted, user, vhost, by)

    def set_topic(
        self, user: str, vhost: str, exchange: str, permission: TopicPermission, by: str = INTERNAL_USER
    ) -> None:
        """Whether there is such an exchange does not matter. Raises NoSuchUser, NoSuchVirtualHost."""
        self._check(user, vhost)
        self._topic_rows[user, vhost, exchange] = permission
        self._define("topic_permission", [user, vhost, exchange], {"write": permission.write, "read": permission.read})
        self._changed(vhost)
        self._node.events.tell(
            "topic.permission.created", events.topic_permission_created, user, vhost, exchange, permission, by
        )

    def clear_topic(self, user: str, vhost: str, exchange: str | None = None, by: str = INTERNAL_USER) -> None:
        """That of one exchange; None: of all. Raises NoSuchUser, NoSuchVirtualHost."""
        self._check(user, vhost)
        for key in [key for key in self._topic_rows if key[:2] == (user, vhost) and exchange in (None, key[2])]:
            del self._topic_rows[key]
            self._undefine("topic_permission", [*key])
        self._changed(vhost)
        name = "topic.permission.deleted" if exchange is None else "permission.deleted"
        self._node.events.tell(name, events.permission_deleted, user, vhost, by)

    def user_deleted(self, user: str) -> None:
        """Its rows go. RabbitMQ tells nobody of them."""
        for vhost in {*self._forget(user=user), *self._forget_topics(user=user)}:
            self._changed(vhost[1])

    def _vhost_deleted(self, vhost: str, by: str) -> None:
        for user, _ in self._forget(vhost=vhost):
            self._node.events.tell("permission.deleted", events.permission_deleted, user, vhost, by)
        for user, _ in self._forget_topics(vhost=vhost):
            self._node.events.tell("topic.permission.deleted", events.permission_deleted, user, vhost, by)

    def _forget(self, *, user: str | None = None, vhost: str | None = None) -> list[tuple[str, str]]:
        keys = [key for key in self._rows if user in (None, key[0]) and vhost in (None, key[1])]
        for key in keys:
            del self._rows[key]
            self._undefine("permission", [*key])
        return keys

    def _forget_topics(self, *, user: str | None = None, vhost: str | None = None) -> list[tuple[str, str]]:
        keys = [key for key in self._topic_rows if user in (None, key[0]) and vhost in (None, key[1])]
        for key in keys:
            del self._topic_rows[key]
            self._undefine("topic_permission", [*key])
        return [key[:2] for key in keys]

    def _changed(self, vhost: str) -> None:
        self._node.vhosts[vhost].topology_changed()

    def _check(self, user: str, vhost: str) -> None:
        self._check_user(user)
        self._check_vhost(vhost)

    def _check_user(self, user: str) -> None:
        if user not in self._user_names:
            raise NoSuchUser(user)

    def _check_vhost(self, vhost: str) -> None:
        if vhost not in self._node.vhosts:
            raise NoSuchVirtualHost(vhost)

    def _define(self, kind: str, key: list[str], value: dict[str, str] | None) -> None:
        if self._keeper is not None:
            self._keeper.define(kind, json.dumps(key), None if value is None else json.dumps(value).encode())

    def _undefine(self, kind: str, key: list[str]) -> None:
        self._define(kind, key, None)
