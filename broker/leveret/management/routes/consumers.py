"""Consumers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from leveret.core.consumer import Consumer
from leveret.core.vhost import VirtualHost
from leveret.management import shapes
from leveret.management.request import Request, Routes

routes = Routes()


@routes.add("GET", "/consumers")
def everywhere(request: Request) -> object:
    return request.listing(lambda: _of(request.visible_vhosts()), shapes.consumer)


@routes.add("GET", "/consumers/{vhost}")
def of_vhost(request: Request) -> object:
    vhost = request.vhost()
    return request.listing(lambda: _of([vhost]), shapes.consumer)


def _of(vhosts: Iterable[VirtualHost]) -> Iterator[Consumer]:
    queues = (queue for vhost in vhosts for _, queue in sorted(vhost.queues.items()))
    return (consumer for queue in queues for consumer in queue.consumers)
