"""The one node there is."""

from __future__ import annotations

import os
import shutil
import time
from typing import Any

from leveret.management.answers import not_found
from leveret.management.login import MONITORING
from leveret.management.machine import (
    ELSEWHERE,
    MEMORY_PARTS,
    QUEUES_OF_ERLANG,
    collections,
    context_switches,
    memory_bytes,
    memory_shape,
    open_files_count,
    open_files_max,
    runtime,
)
from leveret.management.request import Request, Routes
from leveret.management.routes.overview import contexts, exchange_types
from leveret.version import EMULATED_RABBITMQ_VERSION

routes = Routes()


@routes.add("GET", "/nodes", tags=MONITORING)
def everywhere(request: Request) -> object:
    return request.listed([_shape(request)])


@routes.add("GET", "/nodes/{node}", tags=MONITORING)
def one(request: Request) -> object:
    check_node(request)
    shape = _shape(request)
    if request.flag("memory"):
        shape["memory"] = memory_shape()
    return request.chosen(shape)


@routes.add("GET", "/nodes/{node}/memory", tags=MONITORING)
def memory(request: Request) -> object:
    check_node(request)
    return {"memory": memory_shape()}


@routes.add("GET", "/nodes/{node}/memory/ets", "/nodes/{node}/memory/ets/relative", tags=MONITORING)
def tables(request: Request) -> object:
    """Of Erlang, which has memory that is called so."""
    check_node(request)
    return {"ets_tables_memory": {"total": 0}}


@routes.add("GET", "/nodes/{node}/memory/ets/{filter}", "/nodes/{node}/memory/ets/{filter}/relative", tags=MONITORING)
def some_tables(request: Request) -> object:
    check_node(request)
    return {"ets_tables_memory": "no_tables"}


@routes.add("GET", "/nodes/{node}/memory/relative", tags=MONITORING)
def relative_memory(request: Request) -> object:
    """In percent."""
    check_node(request)
    return {"memory": {**dict.fromkeys(MEMORY_PARTS, 0), "other_proc": 100, "total": 100}}


def check_node(request: Request) -> None:
    """Raises Problem (404)."""
    if request.names["node"] != request.node.name:
        raise not_found()


def _shape(request: Request) -> dict[str, Any]:
    managed, node, rates = request.managed, request.node, request.rates
    files_max = open_files_max()
    data_dir = managed.data_dir or "/"
    resources = node.alarms.resources
    shape = {
        "name": node.name, "type": "disc", "running": True, "being_drained": node.is_under_maintenance,
        "os_pid": str(os.getpid()), "uptime": int((time.time() - managed.started_seconds) * 1000), "run_queue": 0,
        "processors": os.cpu_count() or 1, "rates_mode": "basic", "partitions": [], "cluster_links": [],
        "net_ticktime": 60, "mem_calculation_strategy": "rss", "db_dir": str(managed.data_dir or ""),
        "log_files": list(managed.log_places), "config_files": [str(path) for path in managed.config_files],
        "enabled_plugins": list(managed.plugins),
        "rabbitmq_version": EMULATED_RABBITMQ_VERSION, "exchange_types": exchange_types(),
        "auth_mechanisms": [
            {"name": name, "description": f"SASL {name} authentication mechanism", "enabled": True}
            for name in managed.control.mechanisms
        ],
        "applications": [{"name": "rabbit", "description": "RabbitMQ", "version": EMULATED_RABBITMQ_VERSION}],
        "contexts": contexts(request), "fd_used": open_files_count(), "fd_total": files_max,
        "sockets_used": len(node.connections), "sockets_total": files_max, "mem_used": memory_bytes(),
        "mem_limit": managed.memory_bytes_max, "mem_alarm": "memory" in resources,
        "disk_free": shutil.disk_usage(data_dir).free, "disk_free_limit": managed.disk_free_bytes_min,
        "disk_free_alarm": "disk" in resources, "proc_used": 1 + len(node.connections), "proc_total": files_max,
        **QUEUES_OF_ERLANG, **ELSEWHERE,
        "context_switches": context_switches(), "gc_num": collections(), **runtime(),
    }  # fmt: skip
    if rates is not None:
        counted = rates.numbers("node_stats", rates.statistics.gauges), rates.numbers("node_stats", node.counts)
        shape |= counted[0] | counted[1]
    return shape
