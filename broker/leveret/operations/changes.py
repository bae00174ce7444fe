"""What is changed in virtual hosts and in the node: policies, parameters, queues, tracing, definitions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from leveret.core.parameters import CLUSTER_NAME, ParameterError
from leveret.core.policies import PolicyError
from leveret.core.queue import Queue
from leveret.core.vhost import VirtualHost
from leveret.management.answers import Problem
from leveret.management.definitions import Import, in_steps, of_all
from leveret.management.parameters import clear_parameter as clear
from leveret.management.parameters import put_parameter
from leveret.operations.registry import BY, Host, Refused, operation
from leveret.shell.turns import InTurns, Steps
from leveret_protocol.errors import AMQPError

MISSING = "Parameter does not exist"


@operation(vhost=str, name=str, pattern=str, definition=object, priority=int, apply_to=str, is_operator=bool)
def set_policy(
    host: Host, vhost: str, name: str, pattern: str, definition: Any, priority: int, apply_to: str, is_operator: bool
) -> None:
    found = host.vhost(vhost)
    try:
        (found.operator_policies if is_operator else found.policies).set(
            name, pattern=pattern, definition=definition, priority=priority, apply_to=apply_to, user=BY
        )
    except PolicyError as error:
        raise _invalid(error) from error


@operation(vhost=str, name=str, is_operator=bool)
def clear_policy(host: Host, vhost: str, name: str, is_operator: bool) -> None:
    found = _parameters_of(host, vhost)
    (found.operator_policies if is_operator else found.policies).clear(name, BY)


@operation(vhost=str, component=str, name=str, value=object)
def set_parameter(host: Host, vhost: str, component: str, name: str, value: Any) -> None:
    try:
        put_parameter(host.vhost(vhost), component, name, value, BY)
    except ValueError as error:  # ParameterError, PolicyError, and limits that are none
        raise _invalid(error) from error


@operation(vhost=str, component=str, name=str)
def clear_parameter(host: Host, vhost: str, component: str, name: str) -> None:
    try:
        clear(_parameters_of(host, vhost), component, name, BY)
    except KeyError:
        raise ParameterError(MISSING) from None


@operation(name=str, value=object)
def set_global_parameter(host: Host, name: str, value: Any) -> None:
    host.node.parameters.set(name, value, BY)


@operation(name=str)
def clear_global_parameter(host: Host, name: str) -> None:
    try:
        host.node.parameters.clear(name, BY)
    except KeyError:
        raise ParameterError(MISSING) from None


@operation(name=str)
def set_cluster_name(host: Host, name: str) -> None:
    host.node.parameters.set(CLUSTER_NAME, name, BY)


@operation(vhost=str, tags=list)
def set_vhost_tags(host: Host, vhost: str, tags: list[str]) -> None:
    found = host.vhost(vhost)
    found.set_metadata(replace(found.metadata, tags=tuple(tags)))


@operation(vhost=str, is_on=bool)
def trace(host: Host, vhost: str, is_on: bool) -> None:
    """RabbitMQ 3.10 says nothing of a virtual host that is not there; here it is an error, as in 4.x."""
    firehose = host.vhost(vhost).firehose
    if is_on:
        firehose.start()
    else:
        firehose.stop()


def _parameters_of(host: Host, vhost: str) -> VirtualHost:
    """RabbitMQ: what a virtual host that is not there does not have is a parameter. Raises ParameterError."""
    found = host.node.vhosts.get(vhost)
    if found is None:
        raise ParameterError(MISSING)
    return found


def _invalid(error: ValueError) -> ValueError:
    return ValueError(f"Validation failed\n\n{error}\n")


# -- queues ---------------------------------------------------------------------------------------------------------


@operation(vhost=str, queue=str)
def purge_queue(host: Host, vhost: str, queue: str) -> None:
    found = _queue(host, vhost, queue)
    if found is None:
        raise Refused("not_found")
    found.purge()


@operation(vhost=str, queue=str, if_empty=bool, if_unused=bool)
def delete_queue(host: Host, vhost: str, queue: str, if_empty: bool, if_unused: bool) -> int:
    """Answers how many ready messages went with it. An exclusive one may be deleted, too."""
    found = _queue(host, vhost, queue)
    if found is None:
        raise Refused("Queue not found", "no_such_queue")
    count = found.message_count
    try:
        orphans = found.vhost.delete_queue(found, if_unused=if_unused, if_empty=if_empty, user=BY)
    except AMQPError as error:
        if error.explanation.endswith("not empty"):
            raise Refused("Queue is not empty", "in_use") from error
        raise Refused("Queue is in use", "in_use") from error
    for consumer in orphans:
        consumer.cancelled()
    return count


def _queue(host: Host, vhost: str, name: str) -> Queue | None:
    found = host.node.vhosts.get(vhost)
    return None if found is None else found.queues.get(name)


# -- definitions ----------------------------------------------------------------------------------------------------


@operation()
def export_definitions(host: Host) -> InTurns[bytes]:
    return InTurns(in_steps(of_all(host.node, host.users)))


@operation(definitions=dict)
def import_definitions(host: Host, definitions: dict[str, Any]) -> InTurns[None]:
    return InTurns(_importing(host, definitions))


def _importing(host: Host, definitions: dict[str, Any]) -> Steps[None]:
    try:
        yield from Import(host.node, host.users, BY).steps(definitions)
    except Problem as problem:
        raise Refused(problem.reason) from problem
