"""All that RabbitMQ has as runtime parameters: those that are only kept, and what has routes of its own besides."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from leveret.core.erlang_terms import printed
from leveret.core.parameters import ParameterError
from leveret.core.vhost import VirtualHost
from leveret.management.bodies import Body
from leveret.management.shapes import Shape

log = logging.getLogger(__name__)

OPERATOR_POLICY = "operator_policy"
VHOST_LIMITS = "vhost-limits"
_LIMITS = "limits"  # what RabbitMQ calls the only parameter of that component
_UNUSED = {
    "shovel": "shovels",
    "federation-upstream": "federation links",
    "federation-upstream-set": "federation links",
}


def parameters_of(vhost: VirtualHost) -> Iterator[Shape]:
    """By component and name; policies are none."""
    for parameter in vhost.parameters:
        if parameter.component < OPERATOR_POLICY:
            yield _shape(vhost, parameter.component, parameter.name, parameter.value)
    for policy in vhost.operator_policies:
        entry = {key: value for key, value in policy.entry().items() if key not in ("vhost", "name")}
        yield _shape(vhost, OPERATOR_POLICY, policy.name, entry)
    for parameter in vhost.parameters:
        if parameter.component > OPERATOR_POLICY:
            yield _shape(vhost, parameter.component, parameter.name, parameter.value)
    if vhost.limits:
        yield _shape(vhost, VHOST_LIMITS, _LIMITS, {**vhost.limits})


def _shape(vhost: VirtualHost, component: str, name: str, value: object) -> Shape:
    return {"value": value, "vhost": vhost.name, "component": component, "name": name}


def put_parameter(vhost: VirtualHost, component: str, name: str, value: object, by: str) -> None:
    """by: who does it. Raises ParameterError, PolicyError, and ValueError for limits: RabbitMQ's text."""
    if component == OPERATOR_POLICY and isinstance(value, dict):
        _put_operator_policy(vhost, name, Body(value), by)
    elif component == VHOST_LIMITS and (isinstance(value, dict) or value == []):
        if name != _LIMITS:
            raise ParameterError(f"name not recognised: {printed(name)}")
        vhost.set_limits(value or {}, by)  # type: ignore[arg-type]
    elif component in (OPERATOR_POLICY, VHOST_LIMITS):
        raise ParameterError(f"{name} not a list {printed(value)}")
    else:
        vhost.parameters.set(component, name, value, by)
        log.warning(
            "%s %r is kept, but there are no %s here, and it moves nothing", component, name, _UNUSED[component]
        )


def _put_operator_policy(vhost: VirtualHost, name: str, value: Body, by: str) -> None:
    missing = [f'Key "{key}" not found in {name}' for key in ("pattern", "definition") if key not in value]
    if missing:
        raise ParameterError("\n".join(missing))
    vhost.operator_policies.set(
        name, pattern=value["pattern"], definition=value["definition"], priority=value.get("priority", 0),
        apply_to=value.get("apply-to", "all"), user=by,
    )  # fmt: skip


def clear_parameter(vhost: VirtualHost, component: str, name: str, by: str) -> None:
    """Raises KeyError: there is none."""
    if component == OPERATOR_POLICY:
        if vhost.operator_policies.get(name) is None:
            raise KeyError(name)
        vhost.operator_policies.clear(name, by)
    elif component == VHOST_LIMITS:
        if name != _LIMITS or not vhost.limits:
            raise KeyError(name)
        vhost.set_limits({}, by)
    else:
        vhost.parameters.clear(component, name, by)
