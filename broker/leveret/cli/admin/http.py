"""Requests to the HTTP API of a broker, over the standard library alone: a command has to be quick to start."""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

_REDIRECTIONS_MAX = 5
ANSWER_BYTES_MAX = 256 << 20  # a list of a hundred thousand queues has 160 MB


class CannotConnect(Exception):
    """No connection to the broker."""


class NoAnswer(Exception):
    """It was connected to, and did not answer with HTTP in time."""


class WrongAnswer(Exception):
    """What came is not what a RabbitMQ answers."""


@dataclass(frozen=True)
class Endpoint:
    """Where the API is. prefix: what its paths begin with. tls: None for plain HTTP."""

    host: str
    port: int
    username: str
    password: str
    prefix: str = "/api"
    tls: ssl.SSLContext | None = None
    timeout_seconds: float = 120.0


class _Object(dict[str, Any]):
    """An object of an answer. A key that each RabbitMQ has there, and this one has not, raises WrongAnswer."""

    def __missing__(self, key: str) -> Any:
        raise WrongAnswer(f"missing field `{key}`")


@dataclass(frozen=True)
class Answer:
    """phrase: the status in words. path: that of the request."""

    status: int
    phrase: str
    path: str
    text: str

    def object(self) -> dict[str, Any]:
        """Raises WrongAnswer."""
        value = self._json()
        if not isinstance(value, dict):
            raise WrongAnswer("a JSON object was expected")
        return value

    def objects(self) -> list[dict[str, Any]]:
        """A list of them. Raises WrongAnswer."""
        value = self._json()
        if not (isinstance(value, list) and all(isinstance(item, dict) for item in value)):
            raise WrongAnswer("a list of JSON objects was expected")
        return value

    def _json(self) -> Any:
        try:
            return json.loads(self.text, object_hook=_Object)
        except (ValueError, RecursionError) as error:
            raise WrongAnswer(str(error)) from error

    @property
    def reason(self) -> str:
        """What the API says against the request: its `reason`, else its `error`, else nothing."""
        try:
            body = self.object()
        except WrongAnswer:
            return ""
        return str(body.get("reason") or body.get("error") or "")


class Api:
    """Each request has a connection of its own."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """path: below the prefix, encoded. body: bytes as they are, all else as JSON.

        A redirection is followed on the same host, as from RabbitMQ's former port to the present one; to another one it
        would take the password along. Raises CannotConnect, NoAnswer.
        """
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        endpoint = self.endpoint
        host, port, path = endpoint.host, endpoint.port, endpoint.prefix + path
        for _ in range(_REDIRECTIONS_MAX):
            answer, location = self._exchange(host, port, method, path, content, headers or {})
            if answer.status != 301 or location is None:
                break
            try:
                target = urlsplit(location)
                if target.hostname not in (None, host.lower()):
                    break
                port = target.port or port
            except ValueError:  # that is no URL
                break
            path = target.path + (f"?{target.query}" if target.query else "")
        return answer

    def _exchange(
        self, host: str, port: int, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> tuple[Answer, str | None]:
        """The answer, and where it points to."""
        endpoint = self.endpoint
        login = f"{endpoint.username}:{endpoint.password}".encode("utf-8", "surrogateescape")
        headers = headers | {"Authorization": f"Basic {base64.b64encode(login).decode()}"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        connection = self._connection(host, port)
        try:
            try:
                connection.connect()
            except (OSError, ValueError, OverflowError, http.client.HTTPException) as error:
                # ValueError: that is no name of a host; OverflowError: no number of seconds.
                raise CannotConnect(str(error)) from error
            try:
                connection.request(method, path, content, headers)
                response = connection.getresponse()
                text = _body(response).decode("utf-8", "replace")
            except TimeoutError as error:
                raise NoAnswer(
                    f"Timed out getting HTTP response (request timeout: {endpoint.timeout_seconds:g} seconds)"
                ) from error
            except (OSError, ValueError, http.client.HTTPException) as error:
                raise NoAnswer(f"Error getting HTTP response: {error or type(error).__name__}") from error
        finally:
            connection.close()
        return Answer(response.status, response.reason, path, text), response.getheader("location")

    def _connection(self, host: str, port: int) -> http.client.HTTPConnection:
        timeout = self.endpoint.timeout_seconds
        if self.endpoint.tls is None:
            return http.client.HTTPConnection(host, port, timeout=timeout)
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=self.endpoint.tls)


def _body(response: http.client.HTTPResponse) -> bytes:
    """Raises HTTPException: there is less of it than was said, or more than anybody needs."""
    octets = response.read(ANSWER_BYTES_MAX + 1)
    if len(octets) > ANSWER_BYTES_MAX:
        raise http.client.HTTPException(f"it is longer than {ANSWER_BYTES_MAX} bytes")
    if response.length:
        raise http.client.IncompleteRead(octets, response.length)
    return octets


def encoded(segment: str) -> str:
    """A segment of a path. Names need not be UTF-8: what is not goes as it came from the command line."""
    return quote(segment, "", errors="surrogateescape")


def path_of(*segments: str) -> str:
    """`/queues/%2F/orders`."""
    return "".join(f"/{encoded(segment)}" for segment in segments)


def without_login(uri: str) -> str:
    """As it may be shown: without user and password."""
    return re.sub(r"(?s)^([a-z]+://)?.*@", r"\1", uri)


def tls_context(
    *, ca_file: str | None = None, certificate_file: str | None = None, key_file: str | None = None,
    is_peer_verified: bool = True, is_host_verified: bool = True,
) -> ssl.SSLContext:  # fmt: skip
    """A certificate and its key may be one file. Raises OSError (ssl.SSLError is one): a file cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    if not (is_peer_verified and is_host_verified):
        context.check_hostname = False
    if not is_peer_verified:
        context.verify_mode = ssl.CERT_NONE
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    if certificate_file is not None:
        context.load_cert_chain(certificate_file, key_file)
    return context
