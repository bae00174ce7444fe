"""The HTTP API over a real port: the dialogues of tests/management, with Leveret and with a real RabbitMQ.

Where RabbitMQ 3.10.8 tells something else, the dialogue says so, and why Leveret does not; that it does tell that is
looked at here as well.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import httpx
import pytest

from interop.leveret_process import running_process
from tests.management.dialogues import DIALOGUES, Instead, Step, differences, filled


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where the API is."""
    theirs = os.environ.get("LEVERET_INTEROP_MANAGEMENT_URL")
    if theirs:
        yield theirs
        return
    with running_process(has_management=True) as leveret:
        assert leveret.management_url is not None
        yield leveret.management_url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{url}/api", auth=("guest", "guest"), timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def is_other(client: httpx.Client) -> bool:
    """Is it a real RabbitMQ? It has no other name for its product."""
    return client.get("/overview").json().get("product_name", "RabbitMQ") == "RabbitMQ"


@pytest.fixture
def names(client: httpx.Client) -> Iterator[dict[str, str]]:
    suffix = uuid.uuid4().hex[:8]
    found = {"v": f"v-{suffix}", "u": f"u-{suffix}", "n": client.get("/overview").json()["node"]}
    assert client.put(f"/vhosts/{found['v']}").status_code == httpx.codes.CREATED
    yield found
    for path in (f"/vhosts/{found['v']}", f"/users/{found['u']}"):
        client.delete(path)


@pytest.mark.parametrize("name", DIALOGUES)
def test_a_dialogue(client: httpx.Client, is_other: bool, names: dict[str, str], name: str) -> None:
    for step in DIALOGUES[name]:
        told: Step | Instead = step.rabbitmq if is_other and step.rabbitmq is not None else step
        method, _, path = filled(step.ask, names).partition(" ")
        auth = (filled(step.user, names), "secret") if step.user else None
        body = {} if step.body is None else {"json": filled(step.body, names)}
        with httpx.Client(base_url=client.base_url, auth=auth or ("guest", "guest"), timeout=30) as one:
            response = one.request(method, path, **body)
        assert response.status_code == told.status, (step, response.text)
        if told.answer is not None:
            assert differences(told.answer, response.json(), names) == [], step
