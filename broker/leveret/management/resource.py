"""One path of the API: which methods there are, who may use them, and the turn of the broker that a request is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import unquote

import trio
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from leveret.auth.access import Authority
from leveret.auth.questions import Answers
from leveret.auth.users import User
from leveret.management.answers import Answer, Problem, refused, too_large
from leveret.management.bodies import Parse, parsed, parsed_in_steps
from leveret.management.carrying_out import carried_out
from leveret.management.cors import READING, check_origin, cors_headers
from leveret.management.listing import Listing
from leveret.management.login import credentials_of, log_in, require
from leveret.management.making import Makers
from leveret.management.managed import Managed
from leveret.management.request import Request, Route
from leveret.shell.commits import SafeEvent
from leveret.shell.turns import InTurns
from leveret_protocol.errors import AMQPError

QUICK_BYTES = 64 * 1024  # of JSON take some 2 ms
NOBODYS_BODY_BYTES_MAX = 16 * 1024  # of whoever needs no login
BODY_SECONDS = 60.0  # in which a body has come; RabbitMQ: management.listener.server.request_timeout

HEADERS = {
    "cache-control": "no-cache",
    "vary": "accept, accept-encoding, origin",
    "content-security-policy": "script-src 'self' 'unsafe-eval' 'unsafe-inline'; object-src 'self'",
    "x-content-type-options": "nosniff",
}
NOBODY = User("")
_ORDER = ("HEAD", "GET", "PUT", "POST", "DELETE", "OPTIONS")


class Resource:
    """An ASGI application."""

    def __init__(self, managed: Managed, routes: Sequence[Route], makers: Makers) -> None:
        self._managed = managed
        self._options = managed.options
        self._makers = makers
        self._routes: dict[str, Route] = {route.method: route for route in routes}
        if "GET" in self._routes:
            self._routes["HEAD"] = self._routes["GET"]
        self._allowed = ", ".join(name for name in _ORDER if name in self._routes or name == "OPTIONS")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(HttpRequest(scope, receive))
        except Problem as problem:
            answer = problem.answer
        except AMQPError as error:
            answer = refused(error).answer
        except ClientDisconnect:
            return
        headers = Headers(scope=scope)
        more = cors_headers(
            scope["method"], headers, self._options.cors_origins, self._options.cors_max_age_seconds, self._allowed
        )
        await response_of(answer, more, with_body=scope["method"] != "HEAD")(scope, receive, send)

    async def _answer(self, http: HttpRequest) -> Answer:
        if http.method == "OPTIONS":
            return Answer(200, headers={"allow": self._allowed})
        route = self._routes.get(http.method)
        if route is None:
            raise Problem(405, headers={"allow": self._allowed})
        _check_accepted(http.headers)
        check_origin(http.method, http.headers, self._options.cors_origins)
        answers, flush = Answers(self._managed.node.timers), self._managed.flush
        try:
            user, authority = await carried_out(lambda: self._log_in(route, http, answers), answers, flush)
            bytes_max = self._options.body_bytes_max  # for nobody else: a body may be large
            octets = await _octets(http, min(bytes_max, NOBODYS_BODY_BYTES_MAX) if user is NOBODY else bytes_max)
            request = Request(
                self._managed, user, authority, _names(http), dict(http.query_params), http.headers, octets,
                await self._parse(octets), http.client.host if http.client else "", answers,
            )  # fmt: skip
            result = await carried_out(lambda: route.run(request), answers, flush)
        finally:
            answers.clear()
        if isinstance(result, Listing):
            key = (http.scope["path"], http.url.query, None if request.sees_all else user.name)
            result = await self._makers.made(key, result.steps)
        if isinstance(result, InTurns):
            result = await self._makers.turns.take(result.steps, flush)
        if http.method not in READING:
            await self._wait_until_safe()
        return result if isinstance(result, Answer) else Answer(200, result)

    async def _parse(self, octets: bytes) -> Parse:
        """What is long is read before the route is called, in turns."""
        if len(octets) <= QUICK_BYTES:
            return parsed
        try:
            value = await self._makers.turns.take(parsed_in_steps(octets))
        except Problem as problem:
            return partial(_raise, problem)
        return lambda _: value

    def _log_in(self, route: Route, http: HttpRequest, answers: Answers) -> tuple[User, Authority]:
        """Raises Problem (401, 400), Unanswered."""
        if route.tags is None:
            return NOBODY, self._managed.users.permissions
        host = http.client.host if http.client else ""
        credentials = credentials_of(http.headers.get("authorization"))
        admitted = log_in(self._managed.control, credentials, host, answers)
        require(admitted.user.tags, route.tags)
        return admitted.user, admitted.authority

    async def _wait_until_safe(self) -> None:
        """What was done is on the disk before it is told, as AMQP's confirms are."""
        if self._managed.node.keeper is None:
            return
        waiter = SafeEvent()
        self._managed.node.keeper.store.when_safe(waiter)
        self._managed.flush()
        await waiter.wait()


def _raise(problem: Problem, _octets: bytes) -> None:
    """The route may have something else to say before."""
    raise problem


def _names(http: HttpRequest) -> dict[str, str]:
    return {name: unquote(part, errors="surrogateescape") for name, part in http.path_params.items()}


def _check_accepted(headers: Headers) -> None:
    """Raises Problem (406): who asks does not want JSON."""
    accepted = [part.partition(";")[0].strip() for part in headers.get("accept", "*/*").split(",")]
    if not {"", "*/*", "application/*", "application/json"}.intersection(accepted):
        raise Problem(406)


async def _octets(http: HttpRequest, bytes_max: int) -> bytes:
    """Raises Problem: 400, it is too large; 408, it does not come."""
    length = http.headers.get("content-length", "")
    if length.isdecimal() and int(length) > bytes_max:
        raise too_large()
    octets = bytearray()
    with trio.move_on_after(BODY_SECONDS) as reading:
        async for chunk in http.stream():
            octets += chunk
            if len(octets) > bytes_max:
                raise too_large()
    if reading.cancelled_caught:
        raise Problem(408)
    return bytes(octets)


def response_of(answer: Answer, more: Mapping[str, str] = {}, *, with_body: bool = True) -> Response:
    """more: headers."""
    octets = answer.octets()
    headers: Mapping[str, str] = {**HEADERS, "content-length": str(len(octets)), **more, **answer.headers}
    if answer.status == 204:
        headers = {name: value for name, value in headers.items() if name != "content-length"}
    media_type = "application/json" if octets else None
    return Response(octets if with_body else b"", answer.status, headers, media_type)
