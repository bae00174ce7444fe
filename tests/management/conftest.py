"""The HTTP API on a broker without network: requests go to the application, AMQP clients talk to its connections."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from leveret.auth.permissions import EVERYTHING
from leveret.auth.users import User
from leveret.management.app import make_app
from leveret.management.managed import ApiOptions, Listening, Managed
from leveret.management.statistics import Statistics
from tests.harness import BrokerHarness

LISTENING = (Listening("amqp", "127.0.0.1", 5672), Listening("http", "127.0.0.1", 15672))


class Api:
    """A client of the API: `await api.get("/queues/%2F")`. host: the address it comes from.

    commits: on a durable broker, each turn is committed at once.
    """

    def __init__(
        self, harness: BrokerHarness, host: str = "127.0.0.1", *, listening: Sequence[Listening] = LISTENING,
        certificates: Mapping[str, Path] = {}, commits: bool = False, options: ApiOptions = ApiOptions(),  # noqa: B008
        has_statistics: bool = True,
    ) -> None:  # fmt: skip
        self.harness = harness
        self._commits = commits
        self.node = harness.node
        self.managed = Managed(
            harness.node,
            harness.users,
            harness.control,
            listening,
            self._flush,
            certificates=certificates,
            options=options,
            started_seconds=time.time(),
            statistics=Statistics(harness.node) if has_statistics else None,
            log_places=("/var/log/leveret.log", "<stderr>"),
            config_files=(Path("/etc/leveret.toml"),),
        )
        if self.managed.statistics is not None:
            self.managed.statistics.start()
        self.flush_count = 0
        transport = httpx.ASGITransport(make_app(self.managed), client=(host, 55555))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://leveret:15672")

    def _flush(self) -> None:
        self.flush_count += 1
        if self._commits:
            self.harness.commit()

    async def ask(
        self, method: str, path: str, body: Any = None, *, user: str | None = "guest", password: str | None = None,
        headers: dict[str, str] | None = None, content: bytes | None = None,
    ) -> httpx.Response:  # fmt: skip
        """path: below /api. user: None for nobody. password: by default that of `add_user`."""
        auth = None if user is None else (user, password or {"guest": "guest"}.get(user, "secret"))
        sent = {"json": body} if body is not None else {}
        return await self._client.request(
            method,
            f"/api{path}",
            auth=auth,
            headers=headers,
            content=content,
            **sent,  # type: ignore[arg-type]
        )

    async def get(self, path: str, **options: Any) -> Any:
        """The body of a 200."""
        response = await self.ask("GET", path, **options)
        assert response.status_code == 200, (response.status_code, response.text)
        return response.json()

    async def put(self, path: str, body: Any = None, **options: Any) -> int:
        return (await self.ask("PUT", path, {} if body is None else body, **options)).status_code

    async def delete(self, path: str, **options: Any) -> int:
        return (await self.ask("DELETE", path, **options)).status_code

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return await self.ask("POST", path, {} if body is None else body, **options)

    def add_user(self, name: str, *tags: str, vhosts: tuple[str, ...] = ()) -> None:
        """With the password `secret`."""
        self.harness.users.add(User.with_password(name, "secret", tags))
        for vhost in vhosts:
            self.harness.users.permissions.set(name, vhost, EVERYTHING)


@pytest.fixture
def api(harness: BrokerHarness) -> Api:
    return Api(harness)


@pytest.fixture
def make_api(harness: BrokerHarness) -> Callable[..., Api]:
    """Made when it is called; options: of Api."""
    return partial(Api, harness)


@pytest.fixture
def far_api(harness: BrokerHarness) -> Api:
    """From another machine."""
    return Api(harness, host="192.0.2.7")
