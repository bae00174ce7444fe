"""The overview, and the names of things: cluster, plugins."""

from __future__ import annotations

from typing import Any

from leveret.core.exchanges import EXCHANGE_TYPES
from leveret.management import measured, shapes
from leveret.management.answers import NO_CONTENT, Answer, not_found
from leveret.management.login import ADMINISTRATOR
from leveret.management.machine import runtime
from leveret.management.request import Request, Routes
from leveret.shell.listener import BACKLOG_CONNECTIONS
from leveret.version import EMULATED_RABBITMQ_VERSION, __version__

routes = Routes()

DESCRIPTIONS = {
    "direct": "AMQP direct exchange, as per the AMQP specification",
    "fanout": "AMQP fanout exchange, as per the AMQP specification",
    "headers": "AMQP headers exchange, as per the AMQP specification",
    "topic": "AMQP topic exchange, as per the AMQP specification",
    "x-consistent-hash": "Consistent Hashing Exchange",
}


@routes.add("GET", "/overview")
def overview(request: Request) -> object:
    """The node and its listeners are for those who may see all."""
    vhosts, rates = request.visible_vhosts(), request.rates
    queues = [queue for vhost in vhosts for queue in vhost.queues.values()]
    connections = [one for one in request.node.connections if request.sees_all or one.user_name == request.user.name]
    shape: dict[str, Any] = {
        "management_version": EMULATED_RABBITMQ_VERSION, "rabbitmq_version": EMULATED_RABBITMQ_VERSION,
        "product_name": "Leveret", "product_version": __version__, **runtime(),
        "release_series_support_status": "supported",
        "cluster_name": request.node.cluster_name, "cluster_tags": {}, "node_tags": {}, "rates_mode": "basic",
        "sample_retention_policies": {"global": [600, 3600, 28800, 86400], "basic": [600, 3600], "detailed": [600]},
        "exchange_types": exchange_types(), "disable_stats": rates is None,
        "enable_queue_totals": request.has_queue_totals,
        "default_queue_type": request.node.default_queue_type, "is_op_policy_updating_enabled": True,
        "object_totals": {
            "connections": len(connections), "queues": len(queues),
            "exchanges": sum(len(vhost.exchanges) for vhost in vhosts),
        },
        "statistics_db_event_queue": 0,
    }  # fmt: skip
    if rates is not None:
        shape["object_totals"] |= {
            "channels": sum(one.channel_count for one in connections),
            "consumers": sum(len(queue.consumers) for queue in queues),
        }
        shape |= measured.overview(request.node, vhosts, rates)
    elif request.has_queue_totals:
        shape["queue_totals"] = shapes.message_counts(queues)
    if request.sees_all:
        shape |= {"node": request.node.name, "listeners": _listeners(request), "contexts": contexts(request)}
    return request.chosen(shape)


def exchange_types() -> list[shapes.Shape]:
    """Those that can be declared."""
    names = sorted(EXCHANGE_TYPES)
    return [{"name": name, "description": DESCRIPTIONS.get(name, name), "enabled": True} for name in names]


def _listeners(request: Request) -> list[shapes.Shape]:
    return [
        {
            "node": request.node.name,
            "protocol": one.protocol,
            "ip_address": one.host,
            "port": one.port,
            "socket_opts": {"backlog": BACKLOG_CONNECTIONS, "nodelay": True, "ip": one.host, "port": one.port},
        }
        for one in request.managed.listening
    ]


def contexts(request: Request) -> list[shapes.Shape]:
    """Where this API is. The port is text."""
    return [
        {
            "description": "RabbitMQ Management", "path": "/", "ip": one.host, "port": str(one.port),
            "node": request.node.name, "ssl_opts": [], "cowboy_opts": "[]",
        }
        for one in request.managed.listening
        if one.protocol in ("http", "https")
    ]  # fmt: skip


@routes.add("GET", "/version", tags=None)
def version(_request: Request) -> object:
    return EMULATED_RABBITMQ_VERSION


@routes.add("DELETE", "/reset", "/reset/{node}", tags=ADMINISTRATOR)
def reset(request: Request) -> Answer:
    """Forget the past of all numbers; what was counted stays. Raises Problem (404)."""
    if request.names.get("node", request.node.name) != request.node.name:
        raise not_found()
    if request.managed.statistics is not None:
        request.managed.statistics.forget()
    return Answer(NO_CONTENT)


@routes.add("GET", "/config/effective", tags=ADMINISTRATOR)
def configuration(request: Request) -> object:
    """What the settings are, by their names here; nothing of secrets."""
    return dict(request.managed.configuration)


@routes.add("POST", "/rebalance/queues", tags=ADMINISTRATOR)
def rebalance(_request: Request) -> Answer:
    """All queues are where they can be."""
    return Answer(NO_CONTENT)
