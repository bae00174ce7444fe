"""Paths outside of /api, a prefix for all of them, and pages of other sites."""

import io
import re
import sys
import zipfile

import httpx
import pytest
import trio

from leveret.management.app import make_app
from leveret.management.download import rabbitmqadmin
from leveret.management.managed import ApiOptions
from leveret.version import EMULATED_RABBITMQ_VERSION
from tests.management.conftest import Api

SITE = "https://example.com"


def cors(response):
    return {name: value for name, value in response.headers.items() if name.startswith("access-control-")}


@pytest.fixture
def open_api(harness):
    return Api(harness, options=ApiOptions(cors_origins=(SITE,), cors_max_age_seconds=60))


async def test_without_settings_no_site_is_allowed(api):
    response = await api.ask("GET", "/overview", headers={"origin": SITE})
    assert (response.status_code, cors(response)) == (200, {})


async def test_a_site_that_is_named(open_api):
    response = await open_api.ask("PUT", "/queues/%2F/q", {}, headers={"origin": SITE})
    assert response.status_code == 201
    assert cors(response) == {
        "access-control-allow-origin": SITE, "access-control-allow-credentials": "true",
    }  # fmt: skip


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_a_site_that_is_not(open_api, origin):
    response = await open_api.ask("PUT", "/queues/%2F/q", {}, headers={"origin": origin})
    assert (response.status_code, cors(response)) == (401, {})
    assert response.json()["reason"] == "Origin not allowed"
    assert "q" not in open_api.node.vhosts["/"].queues


async def test_a_browser_asks_before(open_api):
    headers = {"origin": SITE, "access-control-request-headers": "authorization, x-reason"}
    response = await open_api.ask("OPTIONS", "/connections/c", user=None, headers=headers)
    assert response.status_code == 200
    assert cors(response) == {
        "access-control-allow-origin": SITE,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "HEAD, GET, DELETE, OPTIONS",
        "access-control-allow-headers": "authorization, x-reason",
        "access-control-max-age": "60",
    }


async def test_a_refusal_can_be_read_by_the_site(open_api):
    response = await open_api.ask("GET", "/overview", password="wrong", headers={"origin": SITE})
    assert response.status_code == 401
    assert cors(response)["access-control-allow-origin"] == SITE


async def test_every_site(harness):
    api = Api(harness, options=ApiOptions(cors_origins=("*",)))
    response = await api.ask("PUT", "/queues/%2F/q", {}, headers={"origin": "https://any.example"})
    assert (response.status_code, cors(response)["access-control-allow-origin"]) == (201, "*")


async def test_a_page_that_has_no_site_is_of_none(harness):
    """`null`: a file, or a frame that is shut in."""
    api = Api(harness, options=ApiOptions(cors_origins=("*",)))
    response = await api.ask("PUT", "/queues/%2F/q", {}, headers={"origin": "null"})
    assert (response.status_code, cors(response)) == (401, {})


def client(api, options=ApiOptions()):  # noqa: B008
    managed = Api(api.harness, options=options).managed
    return httpx.AsyncClient(transport=httpx.ASGITransport(make_app(managed)), base_url="http://leveret:15672")


@pytest.mark.parametrize(
    ("path", "to"),
    [("/api", "/api/index.html"), ("/api/", "/api/index.html"), ("/cli", "/cli/index.html"), ("/mgmt", "/"),
     ("/doc/stats.html", "/api/index.html")],
)  # fmt: skip
async def test_rabbitmqs_pages_are_elsewhere(api, path, to):
    response = await client(api).get(path)
    assert (response.status_code, response.headers["location"]) == (301, to)


@pytest.mark.parametrize("path", ["/", "/api/index.html", "/cli/index.html"])
async def test_a_page_runs_nothing(api, path):
    response = await client(api).get(path)
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_the_index_has_every_route(api):
    page = (await client(api).get("/api/index.html")).text
    assert "<td>DELETE, GET, PUT<td>/api/queues/{vhost}/{queue}" in page


async def test_rabbitmqadmin_is_there_without_a_login(api, tmp_path):
    """RabbitMQ 3.x serves its script there, and CI jobs fetch it and run it."""
    response = await client(api).get("/cli/rabbitmqadmin")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/octet-stream")
    assert response.content.startswith(b"#!/usr/bin/env python3\n")
    file = tmp_path / "rabbitmqadmin"
    file.write_bytes(response.content)
    file.chmod(0o700)
    ran = await trio.run_process([sys.executable, "-I", file, "--version"], capture_stdout=True)
    assert ran.stdout == f"rabbitmqadmin {EMULATED_RABBITMQ_VERSION}\n".encode()


def test_nothing_else_of_ours_is_in_it():
    with zipfile.ZipFile(io.BytesIO(rabbitmqadmin())) as archive:
        packages = {name.rpartition("/")[0] for name in archive.namelist()}
        named = "".join(archive.read(name).decode() for name in archive.namelist())
    assert packages == {
        "",
        "leveret",
        "leveret/cli",
        "leveret/cli/admin",
        "leveret/cli/admin/v1",
        "leveret/cli/admin/v2",
    }
    imported = set(re.findall(r"^ *(?:from|import) (leveret[\w.]*)", named, re.M))
    assert {name for name in imported if not name.startswith("leveret.cli.admin")} == {
        "leveret.version",
        "leveret.cli.streams",
    }


async def test_a_prefix_is_in_front_of_every_path(api):
    prefixed = client(api, ApiOptions(path_prefix="/rabbit"))
    assert (await prefixed.get("/rabbit/api/whoami", auth=("guest", "guest"))).json()["name"] == "guest"
    assert (await prefixed.get("/api/whoami", auth=("guest", "guest"))).status_code == 404
    assert (await prefixed.get("/rabbit")).status_code == 200
    for path, to in [("/", "/rabbit/"), ("/rabbit/api", "/rabbit/api/index.html")]:
        response = await prefixed.get(path)
        assert (response.status_code, response.headers["location"]) == (301, to)


async def test_pages_are_told_when_to_log_out(harness, api):
    assert "login_session_timeout" not in await api.get("/whoami")
    assert (await Api(harness, options=ApiOptions(session_minutes=5)).get("/whoami"))["login_session_timeout"] == 5
