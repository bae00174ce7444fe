"""Runtime parameters of plugins that RabbitMQ has, of a virtual host, and global ones, of the broker.

They are checked as RabbitMQ's plugins check them and kept, so that tools that set them find them again. No shovel and
no federation is run by them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from leveret.core.erlang_terms import pairs, printed
from leveret.core.event_details import parameter_cleared, parameter_set
from leveret.core.names import INTERNAL_USER

if TYPE_CHECKING:
    from leveret.core.node import Node
    from leveret.core.vhost import VirtualHost

CLUSTER_NAME: Final = "cluster_name"
CLUSTER_ID: Final = "internal_cluster_id"

# Answers what is wrong with the value of a key, None for nothing.
Check = Callable[[str, object], str | None]


class ParameterError(ValueError):
    """RabbitMQ's words, one line for each thing that is wrong."""


class Parameter(NamedTuple):
    """of: the virtual host's name, or "" for a global one, whose component is "global"."""

    of: str
    component: str
    name: str
    value: Any


class Parameters:
    """Those of one virtual host; those with routes and rules of their own, as policies and limits, are not among them.

    `user`, in all that changes something: the name of who does it, for observers.
    """

    def __init__(self, vhost: VirtualHost) -> None:
        self._vhost = vhost
        self._values: dict[tuple[str, str], object] = {}

    def __iter__(self) -> Iterator[Parameter]:
        """By component and name."""
        for (component, name), value in sorted(self._values.items(), key=lambda item: item[0]):
            yield Parameter(self._vhost.name, component, name, value)

    def get(self, component: str, name: str) -> Parameter | None:
        if (component, name) not in self._values:
            return None
        return Parameter(self._vhost.name, component, name, self._values[component, name])

    def set(self, component: str, name: str, value: object, user: str = INTERNAL_USER) -> None:
        """value: JSON. The same again changes nothing and tells nobody. Raises ParameterError."""
        check(component, name, value)
        if (component, name) in self._values and _is_same(self._values[component, name], value):
            return
        self._values[component, name] = value
        self._record("parameter.kept", Parameter(self._vhost.name, component, name, value))
        self._vhost.node.events.tell("parameter.set", parameter_set, self._vhost, component, name, value, user)

    def clear(self, component: str, name: str, user: str = INTERNAL_USER) -> None:
        """Raises KeyError: there is none."""
        value = self._values.pop((component, name))
        self._record("parameter.forgotten", Parameter(self._vhost.name, component, name, value))
        self._vhost.node.events.tell("parameter.cleared", parameter_cleared, self._vhost, component, name, user)

    def _record(self, event: str, parameter: Parameter) -> None:
        recorder = self._vhost.node.events.recorder
        if recorder is not None:
            recorder(event, parameter)


class GlobalParameters:
    """By name, of any JSON."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._values: dict[str, object] = {}

    def __iter__(self) -> Iterator[tuple[str, object]]:
        return iter(sorted(self._values.items()))

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __getitem__(self, name: str) -> Any:
        """Raises KeyError."""
        return self._values[name]

    def set(self, name: str, value: object, user: str = INTERNAL_USER) -> None:
        if name in self._values and _is_same(self._values[name], value):
            return
        self._values[name] = value
        self._record("parameter.kept", Parameter("", "global", name, value))
        self._node.events.tell("parameter.set", parameter_set, None, "global", name, value, user)

    def clear(self, name: str, user: str = INTERNAL_USER) -> None:
        """Raises KeyError: there is none."""
        value = self._values.pop(name)
        self._record("parameter.forgotten", Parameter("", "global", name, value))
        self._node.events.tell("parameter.cleared", parameter_cleared, None, "global", name, user)

    def _record(self, event: str, parameter: Parameter) -> None:
        if self._node.events.recorder is not None:
            self._node.events.recorder(event, parameter)


def _is_same(value: object, other: object) -> bool:
    """As JSON: for Python `1`, `1.0` and `true` are equal."""
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)


# -- what RabbitMQ checks -------------------------------------------------------------------------------------------


def check(component: str, name: str, value: object) -> None:
    """Raises ParameterError."""
    if component not in COMPONENTS:
        raise ParameterError(f"component {component} not found")
    refusals = COMPONENTS[component](name, value)
    if refusals:
        raise ParameterError("\n".join(refusals))


def _number(key: str, value: object) -> str | None:
    is_right = isinstance(value, int | float) and not isinstance(value, bool)
    return None if is_right else f"{key} should be a number, actually was {printed(value)}"


def _boolean(key: str, value: object) -> str | None:
    return None if isinstance(value, bool) else f"{key} should be boolean, actually was {printed(value)}"


def _text(key: str, value: object) -> str | None:
    return None if isinstance(value, str) else f"{key} should be binary, actually was {printed(value)}"


def _object(key: str, value: object) -> str | None:
    return None if isinstance(value, dict) or value == [] else f"{key} should be a map, actually was {printed(value)}"


def _one_of(*names: str) -> Check:
    shown = f"[{','.join(map(printed, names))}]"

    def refusal(key: str, value: object) -> str | None:
        return None if value in names else f"{key} should be one of {shown}, actually was {printed(value)}"

    return refusal


def _delete_after(key: str, value: object) -> str | None:
    if value in ("never", "queue-length") or (type(value) is int and value >= 0):
        return None
    wanted = 'a number greater than or equal to 0, "never" or "queue-length"'
    return f"{key} should be {wanted}, actually was {printed(value)}"


def _uri(key: str, value: object) -> str | None:
    """One, or several, of AMQP."""
    if isinstance(value, list):
        return next((refusal for one in value if (refusal := _uri(key, one)) is not None), None)
    if not isinstance(value, str):
        return f"{key} should be list, actually was {printed(value)}"
    shown = f'"{value}"'
    try:
        scheme = urlsplit(value).scheme
    except ValueError:
        return f"{shown} not a valid URI: {{{{unable_to_parse_uri,malformed}},{shown}}}"
    if not scheme:
        return f"{shown} not a valid URI: {{{{unable_to_parse_uri,no_scheme}},{shown}}}"
    if scheme not in ("amqp", "amqps"):
        return f'{shown} not a valid URI: {{{{unexpected_uri_scheme,"{scheme}"}},{shown}}}'
    return None


_ACK_MODE: Final = _one_of("no-ack", "on-publish", "on-confirm")
_PROTOCOL: Final = _one_of("amqp10", "amqp091", "local")

# Of federation: what an upstream, and each upstream of a set, may say.
_UPSTREAM: Final[Mapping[str, Check]] = {
    "exchange": _text, "queue": _text, "consumer-tag": _text, "prefetch-count": _number, "reconnect-delay": _number,
    "max-hops": _number, "expires": _number, "message-ttl": _number, "trust-user-id": _boolean, "ack-mode": _ACK_MODE,
    "resource-cleanup-mode": _one_of("default", "never"), "queue-type": _one_of("classic", "quorum"),
    "channel-use-mode": _one_of("multiple", "single"), "ha-policy": _text, "bind-nowait": _boolean,
}  # fmt: skip
_SHOVEL: Final[Mapping[str, Check]] = {
    "internal": _boolean, "internal_owner": _object, "reconnect-delay": _number, "ack-mode": _ACK_MODE,
    "src-protocol": _PROTOCOL, "dest-protocol": _PROTOCOL,
}  # fmt: skip
_SOURCE: Final[Mapping[str, Check]] = {
    "src-uri": _uri, "src-exchange": _text, "src-exchange-key": _text, "src-queue": _text, "src-queue-args": _object,
    "src-consumer-args": _object, "prefetch-count": _number, "src-prefetch-count": _number,
    "delete-after": _delete_after, "src-delete-after": _delete_after, "src-predeclared": _boolean,
}  # fmt: skip
_SOURCE_10: Final[Mapping[str, Check]] = {
    "src-uri": _uri, "src-address": _text, "prefetch-count": _number, "src-prefetch-count": _number,
    "delete-after": _delete_after, "src-delete-after": _delete_after,
}  # fmt: skip
_DESTINATION: Final[Mapping[str, Check]] = {
    "dest-uri": _uri, "dest-exchange": _text, "dest-exchange-key": _text, "dest-queue": _text,
    "dest-queue-args": _object, "add-forward-headers": _boolean, "add-timestamp-header": _boolean,
    "dest-add-forward-headers": _boolean, "dest-add-timestamp-header": _boolean, "publish-properties": _object,
    "dest-publish-properties": _object, "dest-predeclared": _boolean,
}  # fmt: skip
_DESTINATION_10: Final[Mapping[str, Check]] = {
    "dest-uri": _uri, "dest-address": _text, "dest-add-forward-headers": _boolean,
    "dest-add-timestamp-header": _boolean, "dest-application-properties": _object,
    "dest-message-annotations": _object, "dest-properties": _object,
}  # fmt: skip


def _shovel(name: str, value: object) -> list[str]:
    if not isinstance(value, dict):
        return [_no_list(name, value)]
    is_10 = {end: value.get(f"{end}-protocol") == "amqp10" for end in ("src", "dest")}
    ends = []
    if not is_10["src"]:
        named = sum(key in value for key in ("src-exchange", "src-queue"))
        if named != 1:
            ends.append(("Must specify 'src-exchange' or 'src-queue'", "", "Cannot specify 'src-exchange' and "
                         "'src-queue'")[named])  # fmt: skip
        after = value.get("src-delete-after", value.get("delete-after"))
        if type(after) is int and value.get("ack-mode") == "no-ack":
            ends.append("Cannot specify 'no-ack' and numerical 'delete-after'")
    source = _SOURCE_10 if is_10["src"] else _SOURCE
    destination = _DESTINATION_10 if is_10["dest"] else _DESTINATION
    needed = ["src-uri", "dest-uri", *(f"{end}-address" for end in is_10 if is_10[end])]
    refusals = [*ends, *_entries(name, value, {**_SHOVEL, **source, **destination}, needed)]
    if not is_10["dest"] and {"dest-exchange", "dest-queue"} <= value.keys():
        refusals.append("Cannot specify 'dest-exchange' and 'dest-queue'")
    return refusals


def _upstream(name: str, value: object) -> list[str]:
    return _entries(name, value, {"uri": _uri, **_UPSTREAM}, ["uri"])


def _upstream_set(name: str, value: object) -> list[str]:
    if not isinstance(value, list):
        return [_no_list(name, value)]
    checks = {"upstream": _text, **_UPSTREAM}
    return [refusal for one in value for refusal in _entries(name, one, checks, ["upstream"])]


def _entries(name: str, value: object, checks: Mapping[str, Check], needed: Sequence[str]) -> list[str]:
    """In RabbitMQ's order: what is unknown, then the known keys from the last to the first."""
    if not isinstance(value, dict):
        return [_no_list(name, value)]
    unknown = [(key, item) for key, item in value.items() if key not in checks]
    refusals = [f"Unrecognised terms {pairs(unknown)} in {name}"] if unknown else []
    for key, refusal_of in reversed(list(checks.items())):
        if key in value:
            refusal = refusal_of(key, value[key])
            if refusal is not None:
                refusals.append(refusal)
        elif key in needed:
            refusals.append(f'Key "{key}" not found in {name}')
    return refusals


def _no_list(name: str, value: object) -> str:
    return f"{name} not a list {printed(value)}"


COMPONENTS: Final[Mapping[str, Callable[[str, object], list[str]]]] = {
    "federation-upstream": _upstream,
    "federation-upstream-set": _upstream_set,
    "shovel": _shovel,
}
