"""What an operator does, in one way for a real RabbitMQ and for Leveret: each scenario in a virtual host of its own.

On RabbitMQ it is `rabbitmqctl` that does it, a second for each command. On Leveret it is `Broker.call`: the broker runs
in a thread of the test's own process.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import leveret
from leveret.auth.permissions import Permission, TopicPermission
from leveret.auth.users import User
from leveret.core.policies import Policies
from leveret.core.vhost import VirtualHost

COMMAND_SECONDS = 30.0
ALL = (".*", ".*", ".*")


class Admin(ABC):
    """An operator of the virtual host `vhost`; `url` is its address for clients, as guest. Raises what goes wrong."""

    def __init__(self, url: str, vhost: str) -> None:
        self.vhost = vhost
        self._address = urlsplit(url).netloc.rpartition("@")[2]
        self.url = self.url_of("guest", "guest")

    def url_of(self, user: str, password: str) -> str:
        """The virtual host's address for a user."""
        return f"amqp://{user}:{password}@{self._address}/{quote(self.vhost, safe='')}"

    @abstractmethod
    def set_policy(
        self, name: str, pattern: str, *, apply_to: str = "queues", priority: int = 0, **definition: Any
    ) -> None:
        """definition: its keys with underscores instead of hyphens."""

    @abstractmethod
    def clear_policy(self, name: str) -> None: ...

    @abstractmethod
    def set_operator_policy(self, name: str, pattern: str, *, priority: int = 0, **definition: Any) -> None:
        """As set_policy; it applies to queues."""

    @abstractmethod
    def set_vhost_limits(self, **limits: int) -> None: ...

    @abstractmethod
    def delete_vhost(self) -> None: ...

    @abstractmethod
    def add_user(self, name: str, password: str, permission: tuple[str, str, str] = ALL) -> str:
        """Add a user with this permission here: configure, write, read. Answers the virtual host's address for it."""

    @abstractmethod
    def set_permissions(self, name: str, configure: str, write: str, read: str) -> None: ...

    @abstractmethod
    def clear_permissions(self, name: str) -> None: ...

    @abstractmethod
    def set_topic_permissions(self, name: str, exchange: str, write: str, read: str) -> None: ...

    @abstractmethod
    def set_user_tags(self, name: str, *tags: str) -> None: ...

    @abstractmethod
    def change_password(self, name: str, password: str) -> None: ...

    @abstractmethod
    def delete_user(self, name: str) -> None: ...

    @abstractmethod
    def set_user_limits(self, name: str, **limits: int) -> None: ...

    @abstractmethod
    def trace_on(self) -> None: ...

    @abstractmethod
    def trace_off(self) -> None: ...


def _hyphened(words: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "-"): value for name, value in words.items()}


class RabbitMQAdmin(Admin):
    """rabbitmqctl: the script that `interop.rabbitmq` names."""

    def __init__(self, url: str, rabbitmqctl: Path, vhost: str) -> None:
        super().__init__(url, vhost)
        self._rabbitmqctl = rabbitmqctl
        self._users: list[str] = []
        self._do("add_vhost", vhost)
        self._do("set_permissions", "guest", ".*", ".*", ".*", "-p", vhost)

    def _do(self, *command: str) -> None:
        done = subprocess.run(
            [self._rabbitmqctl, *command], capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)

    def set_policy(
        self, name: str, pattern: str, *, apply_to: str = "queues", priority: int = 0, **definition: Any
    ) -> None:
        options = ["-p", self.vhost, "--apply-to", apply_to, "--priority", str(priority)]
        self._do("set_policy", *options, "--", name, pattern, json.dumps(_hyphened(definition)))

    def clear_policy(self, name: str) -> None:
        self._do("clear_policy", "-p", self.vhost, name)

    def set_operator_policy(self, name: str, pattern: str, *, priority: int = 0, **definition: Any) -> None:
        options = ["-p", self.vhost, "--apply-to", "queues", "--priority", str(priority)]
        self._do("set_operator_policy", *options, "--", name, pattern, json.dumps(_hyphened(definition)))

    def set_vhost_limits(self, **limits: int) -> None:
        self._do("set_vhost_limits", "-p", self.vhost, json.dumps(_hyphened(limits)))

    def delete_vhost(self) -> None:
        self._do("delete_vhost", self.vhost)

    def add_user(self, name: str, password: str, permission: tuple[str, str, str] = ALL) -> str:
        self._users.append(name)
        self._do("add_user", name, password)
        self.set_permissions(name, *permission)
        return self.url_of(name, password)

    def set_permissions(self, name: str, configure: str, write: str, read: str) -> None:
        self._do("set_permissions", "-p", self.vhost, name, configure, write, read)

    def clear_permissions(self, name: str) -> None:
        self._do("clear_permissions", "-p", self.vhost, name)

    def set_topic_permissions(self, name: str, exchange: str, write: str, read: str) -> None:
        self._do("set_topic_permissions", "-p", self.vhost, name, exchange, write, read)

    def set_user_tags(self, name: str, *tags: str) -> None:
        self._do("set_user_tags", name, *tags)

    def change_password(self, name: str, password: str) -> None:
        self._do("change_password", name, password)

    def delete_user(self, name: str) -> None:
        self._users.remove(name)
        self._do("delete_user", name)

    def set_user_limits(self, name: str, **limits: int) -> None:
        self._do("set_user_limits", name, json.dumps(_hyphened(limits)))

    def trace_on(self) -> None:
        self._do("trace_on", "-p", self.vhost)

    def trace_off(self) -> None:
        self._do("trace_off", "-p", self.vhost)

    def clean_up(self) -> None:
        """Delete the virtual host, if the scenario has not, and the users."""
        with contextlib.suppress(RuntimeError):
            self.delete_vhost()
        for name in self._users:
            self._do("delete_user", name)


class LeveretAdmin(Admin):
    """The Python API of the broker's core."""

    def __init__(self, broker: leveret.Broker, vhost: str) -> None:
        super().__init__(broker.url, vhost)
        self._broker = broker
        broker.call(lambda node, users: node.add_vhost(vhost))
        self.set_permissions("guest", *ALL)

    def _set(self, kind: str, name: str, **policy: Any) -> None:
        def set_policy(vhost: VirtualHost) -> None:
            policies: Policies = getattr(vhost, kind)
            policies.set(name, **policy)

        self._broker.call(lambda node, users: set_policy(node.vhosts[self.vhost]))

    def set_policy(
        self, name: str, pattern: str, *, apply_to: str = "queues", priority: int = 0, **definition: Any
    ) -> None:
        policy = {"pattern": pattern, "apply_to": apply_to, "priority": priority, "definition": _hyphened(definition)}
        self._set("policies", name, **policy)

    def clear_policy(self, name: str) -> None:
        self._broker.call(lambda node, users: node.vhosts[self.vhost].policies.clear(name))

    def set_operator_policy(self, name: str, pattern: str, *, priority: int = 0, **definition: Any) -> None:
        policy = {"pattern": pattern, "apply_to": "queues", "priority": priority, "definition": _hyphened(definition)}
        self._set("operator_policies", name, **policy)

    def set_vhost_limits(self, **limits: int) -> None:
        self._broker.call(lambda node, users: node.vhosts[self.vhost].set_limits(_hyphened(limits)))

    def delete_vhost(self) -> None:
        self._broker.call(lambda node, users: node.delete_vhost(self.vhost))

    def add_user(self, name: str, password: str, permission: tuple[str, str, str] = ALL) -> str:
        self._broker.call(lambda node, users: users.add(User.with_password(name, password)))
        self.set_permissions(name, *permission)
        return self.url_of(name, password)

    def set_permissions(self, name: str, configure: str, write: str, read: str) -> None:
        permission = Permission(configure, write, read)
        self._broker.call(lambda node, users: users.permissions.set(name, self.vhost, permission))

    def clear_permissions(self, name: str) -> None:
        self._broker.call(lambda node, users: users.permissions.clear(name, self.vhost))

    def set_topic_permissions(self, name: str, exchange: str, write: str, read: str) -> None:
        permission = TopicPermission(write, read)
        self._broker.call(lambda node, users: users.permissions.set_topic(name, self.vhost, exchange, permission))

    def set_user_tags(self, name: str, *tags: str) -> None:
        self._broker.call(lambda node, users: users.set_tags(name, tags))

    def change_password(self, name: str, password: str) -> None:
        self._broker.call(lambda node, users: users.change_password(name, password))

    def delete_user(self, name: str) -> None:
        self._broker.call(lambda node, users: users.delete(name))

    def set_user_limits(self, name: str, **limits: int) -> None:
        self._broker.call(lambda node, users: users.set_limits(name, _hyphened(limits)))

    def trace_on(self) -> None:
        self._broker.call(lambda node, users: node.vhosts[self.vhost].firehose.start())

    def trace_off(self) -> None:
        self._broker.call(lambda node, users: node.vhosts[self.vhost].firehose.stop())


@contextlib.contextmanager
def rabbitmq_admin(url: str) -> Iterator[RabbitMQAdmin | None]:
    """An operator of the RabbitMQ that runs there; None if it is not known how to become one."""
    rabbitmqctl = os.environ.get("LEVERET_INTEROP_RABBITMQCTL")
    if rabbitmqctl is None:
        yield None
        return
    admin = RabbitMQAdmin(url, Path(rabbitmqctl), _new_name())
    try:
        yield admin
    finally:
        admin.clean_up()


@contextlib.contextmanager
def leveret_admin() -> Iterator[LeveretAdmin]:
    """An operator of a Leveret of its own. Raises AssertionError at the end if that logged an error of its own."""
    errors = _Errors()
    logger = logging.getLogger("leveret")
    logger.addHandler(errors)
    try:
        with leveret.run_in_thread() as broker:
            yield LeveretAdmin(broker, _new_name())
    finally:
        logger.removeHandler(errors)
    assert errors.texts == []


def _new_name() -> str:
    return f"interop-{uuid.uuid4().hex[:12]}"


class _Errors(logging.Handler):
    """Keeps what is logged with a traceback: a defect of the broker's."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.texts.append(logging.Formatter().format(record))
