"""Sends the questions of the HTTP backend, as many at a time as there are connections that wait for an answer."""

import functools
import logging
from typing import Self

import httpx

from leveret.auth.http_backend import HttpPaths
from leveret.auth.questions import Question, Tell
from leveret.shell.server import Server

log = logging.getLogger(__name__)

# A client has 10 s for the whole handshake; RabbitMQ waits 15 s for the backend.
ANSWER_SECONDS = 8.0
_OK = (200, 201)  # RabbitMQ: these alone are answers
_ANSWER_CHARACTERS_MAX = 4096


class HttpQuestions:
    """To be entered before the first question, for as long as there may be any. server: set before the first question.

    Redirects are not followed: a password must go nowhere else. transport: to the services, for tests.
    """

    server: Server

    def __init__(self, paths: HttpPaths, transport: httpx.AsyncBaseTransport | None = None) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs URLs, and they have passwords in them
        self._paths = paths
        self._client = httpx.AsyncClient(timeout=ANSWER_SECONDS, follow_redirects=False, transport=transport)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.aclose()

    def ask(self, question: Question, tell: Tell) -> None:
        """See HttpBackend: `fetch`."""
        self.server.start_soon(functools.partial(self._ask, question, tell))

    async def _ask(self, question: Question, tell: Tell) -> None:
        answer = await self._answer(question)
        tell(answer)
        self.server.flush()

    async def _answer(self, question: Question) -> str:
        """Nothing of a question is logged but its kind: it may have a password in it."""
        url, form = self._paths.of(question), dict(question.fields)
        try:
            if self._paths.method == "post":
                response = await self._client.post(url, data=form)
            else:
                response = await self._client.get(url, params=form)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            log.error("the HTTP backend cannot be asked about a %s: %s", question.about, type(error).__name__)
            return ""
        if response.status_code not in _OK:
            log.error("the HTTP backend answered %d when asked about a %s", response.status_code, question.about)
            return ""
        return response.text[:_ANSWER_CHARACTERS_MAX]
