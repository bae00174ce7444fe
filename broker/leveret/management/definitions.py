"""Definitions: all that is declared, as RabbitMQ's files have it, out of a broker and into one.

What is imported is added, or put in the place of what has its name; nothing is ever deleted. Queues and exchanges that
are there stay as they are, even if they differ. What has been imported before an error stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any

from leveret.auth.errors import NoSuchUser, NoSuchVirtualHost
from leveret.auth.passwords import MD5
from leveret.auth.permissions import InvalidPermission, Permission, TopicPermission
from leveret.auth.users import Users
from leveret.core.binding import Destination
from leveret.core.metadata import Metadata
from leveret.core.names import RESERVED_PREFIX
from leveret.core.node import Node
from leveret.core.parameters import ParameterError
from leveret.core.policies import PolicyError
from leveret.core.queue import Queue
from leveret.core.vhost import VirtualHost
from leveret.management import shapes
from leveret.management.answers import Problem, bad_request, encoded, validation_failed
from leveret.management.bodies import Body, shown, tags_of
from leveret.management.parameters import parameters_of, put_parameter
from leveret.management.users import user_of
from leveret.shell.turns import Steps, at_once
from leveret.version import EMULATED_RABBITMQ_VERSION, __version__
from leveret_protocol.errors import AMQPError

Shape = dict[str, Any]

_HASHED_BY_MD5_BEFORE = (3, 6)  # RabbitMQ: what the hashes of an older version are, where a file does not say


# -- out ------------------------------------------------------------------------------------------------------------


def exported(node: Node, users: Users) -> Shape:
    """Of the whole broker."""
    return {name: list(value) if isinstance(value, Iterator) else value for name, value in of_all(node, users).items()}


def in_steps(definitions: Shape) -> Steps[bytes]:
    """The JSON of `of_all` or `of_vhost`; a step is one item. Each is as it is then: with RabbitMQ, too, this is no
    moment's state."""
    pieces = []
    for name, value in definitions.items():
        if isinstance(value, Iterator):
            items = []
            for item in value:
                items.append(encoded(item))
                yield
            octets = b"[" + b",".join(items) + b"]"
        else:
            octets = encoded(value)
        pieces.append(encoded(name) + b":" + octets)
    return b"{" + b",".join(pieces) + b"}"


def of_all(node: Node, users: Users) -> Shape:
    """Of the whole broker. Kinds of which there may be many are iterators, which may be asked later."""
    vhosts = [vhost for _, vhost in sorted(node.vhosts.items())]
    grants = users.permissions
    return {
        **_versions("cluster"), "product_name": "Leveret", "product_version": __version__,
        "original_cluster_name": node.cluster_name,
        "users": [shapes.user(user) for user in users],
        "vhosts": [_vhost(vhost) for vhost in vhosts],
        "permissions": [
            shapes.permission(user, vhost.name, row) for vhost in vhosts for user, row in grants.of_vhost(vhost.name)
        ],
        "topic_permissions": [
            shapes.topic_permission(user, vhost.name, exchange, row)
            for vhost in vhosts for user, exchange, row in grants.topics_of_vhost(vhost.name)
        ],
        "global_parameters": [
            {"name": name, "value": value} for name, value in node.parameters if not _is_of_one_broker(name)
        ],
        **{kind: chain.from_iterable(map(items, vhosts)) for kind, items in _KINDS.items()},
    }  # fmt: skip


def _is_of_one_broker(global_parameter: str) -> bool:
    """RabbitMQ 4: as `internal_cluster_id`, neither exported nor imported."""
    return global_parameter.startswith("internal")


def of_vhost(vhost: VirtualHost) -> Shape:
    """Of one virtual host, likewise."""
    return {
        **_versions("single_virtual_host"), "original_vhost_name": vhost.name,
        "metadata": shapes.vhost(vhost)["metadata"], "description": vhost.metadata.description,
        "default_queue_type": vhost.metadata.default_queue_type or vhost.node.default_queue_type,
        "limits": {**vhost.limits},
        **{kind: map(partial(_without_vhost, kind), items(vhost)) for kind, items in _KINDS.items()},
    }  # fmt: skip


def _without_vhost(kind: str, item: Shape) -> Shape:
    """RabbitMQ leaves it in some kinds; nobody looks at it."""
    is_left = kind in ("parameters", "policies")
    return item if is_left else {key: value for key, value in item.items() if key != "vhost"}


def _versions(form: str) -> Shape:
    return {
        "rabbit_version": EMULATED_RABBITMQ_VERSION,
        "rabbitmq_version": EMULATED_RABBITMQ_VERSION,
        "rabbitmq_definition_format": form,
    }


def _vhost(vhost: VirtualHost) -> Shape:
    shape = shapes.vhost(vhost)
    kept = ("name", "description", "tags", "default_queue_type", "metadata")
    return {**{key: shape[key] for key in kept}, "limits": {**vhost.limits}}


def _policies(vhost: VirtualHost) -> Iterator[Shape]:
    return ({**policy.entry()} for policy in vhost.policies)


def _queues(vhost: VirtualHost) -> Iterator[Shape]:
    """Without exclusive ones."""
    for queue in list(vhost.queues.values()):
        if queue.owner is None:
            yield {
                "name": queue.name, "vhost": vhost.name, "type": queue.type_name, "durable": queue.durable,
                "auto_delete": queue.auto_delete, "arguments": shapes.table(queue.arguments),
            }  # fmt: skip


def _exchanges(vhost: VirtualHost) -> Iterator[Shape]:
    """Without those that are predeclared."""
    for exchange in list(vhost.exchanges.values()):
        if exchange.name and not exchange.name.startswith(RESERVED_PREFIX):
            yield {
                "name": exchange.name, "vhost": vhost.name, "type": exchange.type_name, "durable": exchange.durable,
                "auto_delete": exchange.auto_delete, "internal": exchange.internal,
                "arguments": shapes.table(exchange.arguments),
            }  # fmt: skip


def _bindings(vhost: VirtualHost) -> Iterator[Shape]:
    """Without those of exclusive queues."""
    for exchange in list(vhost.exchanges.values()):
        for binding in list(exchange.bindings.values()):
            if isinstance(binding.destination, Queue) and binding.destination.owner is not None:
                continue
            yield {key: value for key, value in shapes.binding(binding).items() if key != "properties_key"}


_KINDS: Mapping[str, Callable[[VirtualHost], Iterable[Shape]]] = {
    "parameters": parameters_of,
    "policies": _policies,
    "queues": _queues,
    "exchanges": _exchanges,
    "bindings": _bindings,
}


# -- in -------------------------------------------------------------------------------------------------------------


class Import:
    """One file, or body. vhost: of definitions of one virtual host; whatever an item says itself is ignored then.

    by: the name of who does it.
    """

    def __init__(self, node: Node, users: Users, by: str, vhost: VirtualHost | None = None) -> None:
        self._node = node
        self._users = users
        self._by = by
        self._only = vhost

    def run(self, definitions: Mapping[str, Any]) -> None:
        """All of one kind before the next, whatever the order in the file. Unknown keys are ignored.

        Raises Problem (400), which names the item.
        """
        at_once(self.steps(definitions))

    def steps(self, definitions: Mapping[str, Any]) -> Steps[None]:
        """The same, for whoever lets others have their turn between two items."""
        kinds: list[tuple[str, Callable[[Body], None]]] = [
            ("exchanges", self._exchange), ("policies", self._policy), ("parameters", self._parameter),
            ("queues", self._queue), ("bindings", self._binding),
        ]  # fmt: skip
        if self._only is None:
            algorithm = MD5 if _is_before_sha256(definitions.get("rabbit_version")) else None
            kinds = [
                ("users", lambda item: self._user(item, algorithm)), ("vhosts", self._vhost),
                ("permissions", self._permission), kinds[0], ("topic_permissions", self._topic_permission),
                ("global_parameters", self._global_parameter), *kinds[1:],
            ]  # fmt: skip
        for kind, add in kinds:
            items = definitions.get(kind) or []
            if not isinstance(items, list):
                raise bad_request(f"{kind}: not a list")
            for number, item in enumerate(items, 1):
                _added(kind, number, item, add)
                yield

    def _user(self, item: Body, algorithm: str | None) -> None:
        if algorithm is not None and "password" not in item:
            item.setdefault("hashing_algorithm", algorithm)
        name = item.text("name")
        self._users.put(user_of(name, item), self._by)
        limits = item.get("limits")
        if isinstance(limits, dict) and limits:
            self._users.set_limits(name, limits, self._by)

    def _vhost(self, item: Body) -> None:
        item.require("name")
        known = item.get("metadata") if isinstance(item.get("metadata"), dict) else {}
        known = Body({**item, **(known or {})})
        default = known.text("default_queue_type") if known.get("default_queue_type") else ""
        metadata = Metadata(
            known.text("description") if known.get("description") else "", tags_of(known.get("tags") or []),
            default if default not in ("", "undefined") else None, _flag(known, "protected_from_deletion", False),
        )  # fmt: skip
        name = item.text("name")
        if name in self._node.vhosts:
            self._node.vhosts[name].set_metadata(metadata)
        vhost = self._node.add_vhost(name, metadata, self._by)
        limits = item.get("limits")
        if isinstance(limits, dict) and limits:
            vhost.set_limits(limits, self._by)

    def _permission(self, item: Body) -> None:
        item.require("user", "vhost", "configure", "write", "read")
        row = Permission(item.text("configure"), item.text("write"), item.text("read"))
        self._users.permissions.set(item.text("user"), item.text("vhost"), row, self._by)

    def _topic_permission(self, item: Body) -> None:
        item.require("user", "vhost", "exchange", "write", "read")
        row = TopicPermission(item.text("write"), item.text("read"))
        self._users.permissions.set_topic(item.text("user"), item.text("vhost"), item.text("exchange"), row, self._by)

    def _global_parameter(self, item: Body) -> None:
        item.require("name", "value")
        if not _is_of_one_broker(item.text("name")):
            self._node.parameters.set(item.text("name"), item["value"], self._by)

    def _policy(self, item: Body) -> None:
        item.require("name", "pattern", "definition")
        self._vhost_of(item).policies.set(
            item.text("name"), pattern=item["pattern"], definition=item["definition"],
            priority=item.get("priority", 0), apply_to=item.get("apply-to", "all"), user=self._by,
        )  # fmt: skip

    def _parameter(self, item: Body) -> None:
        item.require("component", "name", "value")
        vhost = self._vhost_of(item)
        put_parameter(vhost, item.text("component"), item.text("name"), item["value"], self._by)

    def _exchange(self, item: Body) -> None:
        vhost, name = self._vhost_of(item), item.text("name")
        if name and not name.startswith(RESERVED_PREFIX) and name not in vhost.exchanges:
            vhost.declare_exchange(
                name, item.text("type", "direct"), durable=_flag(item, "durable", True),
                auto_delete=_flag(item, "auto_delete", False), internal=_flag(item, "internal", False),
                arguments=item.arguments(), user=self._by,
            )  # fmt: skip

    def _queue(self, item: Body) -> None:
        vhost, name = self._vhost_of(item), item.text("name")
        if name and not name.startswith(RESERVED_PREFIX) and name not in vhost.queues:
            arguments = item.arguments()
            vhost.declare_queue(
                name, durable=_flag(item, "durable", True), exclusive=False,
                auto_delete=_flag(item, "auto_delete", False), arguments=arguments, owner=None, user=self._by,
            )  # fmt: skip

    def _binding(self, item: Body) -> None:
        """One whose ends are not there is left out."""
        vhost, source, name = self._vhost_of(item), item.text("source"), item.text("destination")
        ends: Mapping[str, Destination] = (
            vhost.exchanges if item.text("destination_type", "queue") == "exchange" else vhost.queues
        )
        destination = ends.get(name)
        if source and source in vhost.exchanges and destination is not None:
            vhost.bind(source, destination, item.text("routing_key"), item.arguments(), self._by)

    def _vhost_of(self, item: Body) -> VirtualHost:
        """Raises Problem (400)."""
        if self._only is not None:
            if self._only is not self._node.vhosts.get(self._only.name):
                raise bad_request(f"virtual host {self._only.name} was deleted meanwhile")
            return self._only
        if "vhost" not in item:
            raise bad_request("there is no vhost: are these the definitions of a single virtual host?")
        vhost = self._node.vhosts.get(item.text("vhost"))
        if vhost is None:
            raise bad_request(f"there is no virtual host {shown(item['vhost'])}")
        return vhost


def _added(kind: str, number: int, item: object, add: Callable[[Body], None]) -> None:
    """Raises Problem (400)."""
    named = item.get("name", "") if isinstance(item, dict) else ""
    where = f"{kind}, item {number}{f' ({named})' if isinstance(named, str) and named else ''}"
    try:
        if not isinstance(item, dict):
            raise bad_request("not an object")
        add(Body(item))
    except Problem as problem:
        is_matched = problem.reason == "tags_not_present"  # by clients, as a whole
        raise bad_request(problem.reason if is_matched else f"{where}: {problem.reason}") from None
    except AMQPError as error:
        raise bad_request(f"{where}: {error.explanation}") from None
    except (ParameterError, PolicyError) as error:
        raise bad_request(f"{where}: {validation_failed(error).reason}") from None
    except (NoSuchUser, NoSuchVirtualHost, InvalidPermission, ValueError) as error:
        raise bad_request(f"{where}: {error}") from None


def _flag(item: Body, name: str, default: bool) -> bool:
    return item.boolean(name) if name in item else default


def _is_before_sha256(version: object) -> bool:
    """Has a RabbitMQ made the file that hashed by MD5?"""
    if not isinstance(version, str):
        return False
    numbers = version.split(".")[:2]
    return all(part.isdecimal() for part in numbers) and tuple(map(int, numbers)) < _HASHED_BY_MD5_BEFORE
