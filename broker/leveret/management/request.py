"""One request, as the routes see it: who asks for what, and the doors to what they may have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from leveret.auth.access import Authority, VirtualHostAccess
from leveret.auth.questions import Answers
from leveret.auth.users import User
from leveret.core.node import Node
from leveret.core.vhost import VirtualHost
from leveret.management.answers import Problem, not_authorised, not_found
from leveret.management.bodies import Body, Parse
from leveret.management.listing import Item, Listing, chosen
from leveret.management.login import ADMINISTRATOR, MANAGEMENT, MONITORING
from leveret.management.managed import Managed
from leveret.management.rates import Rates

Listed = TypeVar("Listed")

VISIBLE = "User not authorised to access virtual host"
OBJECT = "User not authorised to access object"


@dataclass(frozen=True)
class Request:
    """names: the parts of the path, decoded. query: the last value of each. octets: the body; parse: reads its JSON.

    headers: by lower-case name. user, authority: who asks, and who knows what they may do. host: where they are.
    answers: to what somebody else had to be asked.
    """

    managed: Managed
    user: User
    authority: Authority
    names: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    octets: bytes = field(repr=False)
    parse: Parse = field(repr=False)
    host: str
    answers: Answers

    @property
    def node(self) -> Node:
        return self.managed.node

    @cached_property
    def body(self) -> Body:
        """Raises Problem (400)."""
        return Body.of(self.octets, self.parse)

    def require_json(self) -> None:
        """Most routes do not look at it. Raises Problem (415)."""
        if self.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise Problem(415)

    def flag(self, name: str) -> bool:
        return self.query.get(name) == "true"

    @cached_property
    def rates(self) -> Rates | None:
        """What was counted until now; None: it is not to be told of. Raises Problem (400)."""
        statistics = self.managed.statistics
        return None if statistics is None or self.flag("disable_stats") else Rates(statistics, self.query)

    @property
    def has_queue_totals(self) -> bool:
        return self.managed.options.has_queue_totals or self.flag("enable_queue_totals")

    # -- who may what -----------------------------------------------------------------------------------------------

    @property
    def is_administrator(self) -> bool:
        return not ADMINISTRATOR.isdisjoint(self.user.tags)

    @property
    def sees_all(self) -> bool:
        return not MONITORING.isdisjoint(self.user.tags)

    def sees_vhost(self, name: str) -> bool:
        return self.sees_all or self.authority.may_open(self.user.name, name)

    def visible_vhosts(self) -> list[VirtualHost]:
        """By name."""
        return [vhost for name, vhost in sorted(self.node.vhosts.items()) if self.sees_vhost(name)]

    def vhost(self) -> VirtualHost:
        """That of the path, to look at. Raises Problem: 404, 401."""
        vhost = self._vhost()
        if not self.sees_vhost(vhost.name):
            raise not_authorised(VISIBLE)
        return vhost

    def vhost_to_use(self) -> VirtualHost:
        """That of the path, to do there what AMQP clients do. Raises Problem: 404, 401."""
        vhost = self._vhost_to_change()
        if not self.authority.may_open(self.user.name, vhost.name):
            raise not_authorised("Access refused." if self.is_administrator else VISIBLE)
        return vhost

    def vhost_to_rule(self) -> VirtualHost:
        """That of the path, to set policies, parameters and limits. Raises Problem: 404, 401."""
        return self._ruled(self._vhost_to_change())

    def vhost_ruled(self) -> VirtualHost:
        """The same, to look at them. Raises Problem: 404, 401."""
        return self._ruled(self._vhost())

    def _ruled(self, vhost: VirtualHost) -> VirtualHost:
        if not (self.is_administrator or self.authority.may_open(self.user.name, vhost.name)):
            raise not_authorised(OBJECT)
        return vhost

    def _vhost_to_change(self) -> VirtualHost:
        """Where it is missing, RabbitMQ has other words for those who want to change something there."""
        if self.names["vhost"] not in self.node.vhosts:
            raise Problem(404, "not_found", "vhost_not_found")
        return self._vhost()

    def _vhost(self) -> VirtualHost:
        vhost = self.node.vhosts.get(self.names["vhost"])
        if vhost is None:
            raise not_found()
        return vhost

    def user_name(self) -> str:
        """That of the path. Raises Problem (404)."""
        if self.managed.users.get(self.names["user"]) is None:
            raise not_found()
        return self.names["user"]

    def access(self, vhost: VirtualHost) -> VirtualHostAccess:
        return VirtualHostAccess(self.authority, self.user.name, vhost.name)

    # -- what is answered -------------------------------------------------------------------------------------------

    def listed(self, items: Iterable[Item]) -> Listing[Item]:
        """As it was asked for: see `listing`. For short lists."""
        made = list(items)
        return Listing(lambda: made, lambda item: item, self.query)

    def listing(
        self, objects: Callable[[], Iterable[Listed]], shape: Callable[[Listed], Item | None],
        name: Callable[[Listed], str] | None = None, octets: Callable[[Listed], bytes | None] | None = None,
    ) -> Listing[Listed]:  # fmt: skip
        """The same, of objects that there may be many of. Counts are those of when it begins. Raises Problem (400)."""

        def begun() -> list[Listed]:
            self.node.tally()
            return list(objects())

        return Listing(begun, shape, self.query, name=name, octets=octets)

    def chosen(self, item: Mapping[str, Any]) -> object:
        return chosen(item, self.query)


Run = Callable[[Request], object]


@dataclass(frozen=True, slots=True)
class Route:
    """path: `/queues/{vhost}/{name}`. tags: one of them is needed; None: not even a login.

    run: answers an Answer, or JSON or a Listing for one with 200. Raises Problem, AMQPError, Unanswered.
    """

    method: str
    path: str
    tags: frozenset[str] | None
    run: Run


class Routes(list[Route]):
    """The routes of one resource."""

    def add(self, method: str, *paths: str, tags: frozenset[str] | None = MANAGEMENT) -> Callable[[Run], Run]:
        def register(run: Run) -> Run:
            self.extend(Route(method, path, tags, run) for path in paths)
            return run

        return register
