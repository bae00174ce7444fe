"""The metrics of a broker without network, taken apart by Prometheus' own parser."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from leveret.core.alarms import Alarms
from leveret.metrics.app import make_app
from leveret.metrics.measured import Measured
from leveret.shell.watermarks import Watermarks
from tests.harness import BrokerHarness

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Scraper:
    """`await scraper.get()`; paths are below /metrics."""

    def __init__(self, harness: BrokerHarness, *, per_object: bool = False) -> None:
        watermarks = Watermarks(
            Alarms(lambda reason: None), 600, {"relative": 0.6}, 50, lambda: 400, lambda: 70
        )  # fmt: skip
        self.measured = Measured(harness.node, watermarks, harness.control.attempts, started_seconds=1_700_000_000.0)
        transport = httpx.ASGITransport(make_app(self.measured, per_object=per_object))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://leveret:15692")

    async def ask(self, method: str, path: str) -> httpx.Response:
        return await self._client.request(method, path)

    async def text(self, path: str = "") -> str:
        response = await self.ask("GET", f"/metrics{path}")
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/plain; version=0.0.4"
        return response.text

    async def families(self, path: str = "") -> list[Metric]:
        return list(text_string_to_metric_families(await self.text(path)))

    async def samples(self, path: str = "") -> Samples:
        """Name and labels -> value; each is there once."""
        found = [sample for family in await self.families(path) for sample in family.samples]
        samples = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in found}
        assert len(samples) == len(found)
        return samples

    async def value(self, name: str, path: str = "", **labels: str) -> float:
        return (await self.samples(path))[f"rabbitmq_{name}", frozenset(labels.items())]


@pytest.fixture
def scraper(harness: BrokerHarness) -> Scraper:
    return Scraper(harness)
