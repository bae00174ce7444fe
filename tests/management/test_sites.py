"""Paths outside of /api, a prefix for all of them, and pages of other sites."""

import httpx
import pytest

from leveret.management.app import make_app
from leveret.management.managed import ApiOptions
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


async def test_rabbitmqs_script_is_not_served(api):
    assert (await client(api).get("/cli/rabbitmqadmin")).status_code == 404


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
