"""What holds for every route: paths, methods, types, bodies, pages, order, columns."""

import pytest

from leveret.management.managed import ApiOptions
from tests.management.conftest import Api


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/overview/", 200),
        ("GET", "//overview", 404),
        ("GET", "/overview//", 404),
        ("GET", "/nonsense", 404),
        ("GET", "/queues/%2F/", 200),
        ("GET", "/queues/%2f", 200),
        ("GET", "/queues/%252F", 404),
        ("GET", "/queues/nope", 404),
        ("GET", "/queues/%2F/nope", 404),
        ("DELETE", "/queues/%2F/nope", 404),
        ("DELETE", "/queues/%2F/nope/contents", 404),
        ("GET", "/queues/%2F/q/contents", 405),
        ("DELETE", "/overview", 405),
    ],
)
async def test_a_path(api, method, path, status):
    assert (await api.ask(method, path)).status_code == status


async def test_a_plus_is_a_plus_and_slashes_are_kept(api):
    assert await api.put("/queues/%2F/a+b%2Fc%20%C3%A9") == 201
    assert "a+b/c é" in api.node.vhosts["/"].queues


async def test_what_is_not_there_is_told(api):
    assert (await api.ask("GET", "/nonsense")).json() == {"error": "Object Not Found", "reason": "Not Found"}


async def test_a_method_that_is_not_there(api):
    response = await api.ask("DELETE", "/overview")
    assert (response.headers["allow"], response.content) == ("HEAD, GET, OPTIONS", b"")


async def test_head_is_get_without_a_body(api):
    response = await api.ask("HEAD", "/overview")
    assert (response.status_code, response.content) == (200, b"")
    assert int(response.headers["content-length"]) > 0


async def test_options_needs_no_login(api):
    response = await api.ask("OPTIONS", "/queues/%2F/q", user=None)
    assert (response.status_code, response.headers["allow"]) == (200, "HEAD, GET, PUT, DELETE, OPTIONS")


@pytest.mark.parametrize(("accept", "status"), [("text/csv", 406), ("*/*", 200), ("application/json;q=0.9", 200)])
async def test_accept(api, accept, status):
    assert (await api.ask("GET", "/overview", headers={"accept": accept})).status_code == status


@pytest.mark.parametrize("content", [b"", b"null", b"undefined", b"{}", b'\xef\xbb\xbf{"durable": "true"}'])
async def test_a_body_that_is_as_good_as_none(api, content):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await api.ask("PUT", "/queues/%2F/q", content=content, headers=headers)).status_code == 201


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{oops", "not_json"),
        (b"[]", "not_json"),
        (b"\xff", "not_json"),
        (b'{"a": "\\ud800"}', "not_json"),
        (b"[" * 100_000, "not_json"),
        (
            b'"{}"',
            "invalid payload: the request body JSON-decoded to a string. Is the input doubly-JSON-encoded?",
        ),
        (b'{"durable": "x"}', "not_boolean: x"),
        (b'{"arguments": {"a": null}}', "null_not_allowed"),
        (b'{"arguments": {"a": 99999999999999999999}}', "not_integer: 99999999999999999999"),
        (b'{"arguments": "x"}', "not_object: x"),
    ],
)
async def test_a_body_that_is_refused(api, content, reason):
    response = await api.ask("PUT", "/queues/%2F/q", content=content)
    assert response.status_code == 400
    assert response.json() == {"error": "bad_request", "reason": reason}


@pytest.mark.parametrize("is_announced", [True, False])
async def test_a_body_has_a_limit(harness, is_announced):
    api = Api(harness, options=ApiOptions(body_bytes_max=10))

    async def pieces():
        yield b"{" + b" " * 20
        yield b"}"

    response = await api.ask("PUT", "/queues/%2F/q", content=b" " * 22 if is_announced else pieces())
    assert response.status_code == 400
    assert response.json() == {"error": "bad_request", "reason": "Exceeded HTTP request body size limit"}


async def test_a_body_of_nobody_has_a_smaller_one(api):
    response = await api.ask("POST", "/login", content=b"x" * 20_000, user=None)
    assert response.status_code == 400
    assert response.json()["reason"] == "Exceeded HTTP request body size limit"


async def test_the_body_of_somebody_unknown_is_not_read(api):
    async def endless():
        raise AssertionError("the body is asked for")
        yield b""

    response = await api.ask("PUT", "/queues/%2F/q", content=endless(), user="nobody", password="x")
    assert response.status_code == 401


async def test_what_a_request_brought_about_is_flushed(api):
    client = api.harness.connect()
    client.declare("q")
    client.consume("q")
    body = {"properties": {}, "routing_key": "q", "payload": "x", "payload_encoding": "string"}
    await api.post("/exchanges/%2F/amq.default/publish", body)
    assert client.bodies() == [b"x"]
    assert api.flush_count


# -- lists ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def letters(api):
    for name in "cBa":
        await api.put(f"/queues/%2F/{name}")
    return api


async def test_a_page(letters):
    page = await letters.get("/queues?page=1&page_size=2&pagination=false")
    names = [item["name"] for item in page.pop("items")]
    assert names == ["B", "a"]
    assert page == {
        "total_count": 3, "filtered_count": 3, "item_count": 2, "page": 1, "page_size": 2, "page_count": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "names"),
    [("name=b", ["B"]), ("name=^[ab]$&use_regex=true", ["B", "a"]), ("name=x", []), ("name=", ["B", "a", "c"])],
)
async def test_a_filter_looks_at_no_case(letters, query, names):
    page = await letters.get(f"/queues?page=1&{query}")
    assert [item["name"] for item in page["items"]] == names
    assert page["total_count"] == 3


@pytest.mark.parametrize(
    ("query", "error", "reason"),
    [
        ("page=3&page_size=2", "page_out_of_range", "Page out of range, page: 3 page size: 2, len: 3"),
        ("page=0", "invalid_pagination_parameters",
         "Invalid pagination parameters: page number 0, page size undefined"),
        ("page=1&page_size=501", "invalid_pagination_parameters",
         "Invalid pagination parameters: page number 1, page size 501"),
        ("page=x", "bad_request", "Pagination parameters are invalid"),
        ("page=1&name=(&use_regex=true", "bad_request", "Pagination parameters are invalid"),
    ],
)  # fmt: skip
async def test_a_page_that_cannot_be(letters, query, error, reason):
    response = await letters.ask("GET", f"/queues?{query}")
    assert response.status_code == 400
    assert response.json() == {"error": error, "reason": reason}


async def test_order_and_columns(letters):
    await letters.put("/queues/%2F/c")
    letters.harness.connect().publish("", "c", b"x")
    listed = await letters.get("/queues?sort=messages&sort_reverse=true&columns=name,messages,nope")
    assert listed[0] == {"name": "c", "messages": 1}
    assert await letters.get("/queues/%2F/c?columns=nope.at.all") == {}
    assert await letters.get("/queues/%2F/c?columns=backing_queue_status.len") == {"backing_queue_status": {"len": 1}}
