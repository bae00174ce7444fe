"""Exchanges: list, declare, delete. In a path the default exchange is `amq.default`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter

from leveret.auth.access import DEFAULT_EXCHANGE
from leveret.core.exchanges import Exchange
from leveret.core.topology import refuse_deletion
from leveret.core.vhost import VirtualHost
from leveret.handlers.names import stripped
from leveret.management import measured
from leveret.management.answers import CREATED, NO_CONTENT, Answer, not_found
from leveret.management.bodies import check_short
from leveret.management.request import Request, Routes

routes = Routes()


@routes.add("GET", "/exchanges")
def everywhere(request: Request) -> object:
    return _listing(request, request.visible_vhosts)


@routes.add("GET", "/exchanges/{vhost}")
def of_vhost(request: Request) -> object:
    vhost = request.vhost()
    return _listing(request, lambda: [vhost])


def _listing(request: Request, vhosts: Callable[[], Iterable[VirtualHost]]) -> object:
    def exchanges() -> Iterator[Exchange]:
        return (exchange for vhost in vhosts() for _, exchange in sorted(vhost.exchanges.items()))

    rates = request.rates
    return request.listing(exchanges, lambda one: measured.exchange(one, rates), attrgetter("name"))


@routes.add("GET", "/exchanges/{vhost}/{exchange}")
def one(request: Request) -> object:
    return request.chosen(measured.exchange(found(request), request.rates, has_details=True))


@routes.add("PUT", "/exchanges/{vhost}/{exchange}")
def declare(request: Request) -> Answer:
    vhost, body, name = request.vhost_to_use(), request.body, check_short("exchange", stripped(named(request)))
    is_there = name in vhost.exchanges
    vhost.declare_exchange(
        name, body.text("type", "direct"), durable=body.boolean("durable"), auto_delete=body.boolean("auto_delete"),
        internal=body.boolean("internal"), arguments=body.arguments(), user=request.user.name,
        access=request.access(vhost),
    )  # fmt: skip
    return Answer(NO_CONTENT if is_there else CREATED)


@routes.add("DELETE", "/exchanges/{vhost}/{exchange}")
def delete(request: Request) -> Answer:
    vhost, name = request.vhost_to_use(), named(request)
    refuse_deletion(vhost, name)
    request.access(vhost).require_exchange("configure", name)
    if name not in vhost.exchanges:
        raise not_found()
    vhost.delete_exchange(name, if_unused=request.flag("if-unused"), user=request.user.name)
    return Answer(NO_CONTENT)


def named(request: Request, part: str = "exchange") -> str:
    name = request.names[part]
    return "" if name == DEFAULT_EXCHANGE else name


def found(request: Request, part: str = "exchange") -> Exchange:
    """The exchange of the path, to look at. Raises Problem: 404, 401."""
    exchange = request.vhost().exchanges.get(named(request, part))
    if exchange is None:
        raise not_found()
    return exchange
