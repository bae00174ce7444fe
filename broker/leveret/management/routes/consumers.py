"""Consumers."""

from __future__ import annotations

from collections.abc import Iterable

from leveret.core.vhost import VirtualHost
from leveret.management import shapes
from leveret.management.request import Request, Routes

routes = Routes()


@routes.add("GET", "/consumers")
def everywhere(request: Request) -> object:
    return request.listed(_of(request.visible_vhosts()))


@routes.add("GET", "/consumers/{vhost}")
def of_vhost(request: Request) -> object:
    return request.listed(_of([request.vhost()]))


def _of(vhosts: Iterable[VirtualHost]) -> list[shapes.Shape]:
    queues = (queue for vhost in vhosts for _, queue in sorted(vhost.queues.items()))
    return [shapes.consumer(consumer) for queue in queues for consumer in queue.consumers]
