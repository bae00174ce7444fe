"""Who may ask for what: logins, tags, permissions, pages of other sites."""

import base64

import pytest

from leveret.auth.permissions import Permission

REFUSED = {"error": "not_authorised", "reason": "Access refused."}


async def refusal(api, method, path, user, body=None):
    response = await api.ask(method, path, body, user=user)
    assert response.status_code == 401
    return response.json()["reason"]


async def test_without_credentials_they_are_asked_for(api):
    response = await api.ask("GET", "/overview", user=None)
    assert (response.status_code, response.content) == (401, b"")
    assert response.headers["www-authenticate"] == 'Basic realm="RabbitMQ Management"'


@pytest.mark.parametrize("name", ["guest", "nobody"])
async def test_a_wrong_password_and_an_unknown_user_are_told_the_same(api, name):
    response = await api.ask("GET", "/overview", user=name, password="wrong")
    assert response.status_code == 401
    assert response.json() == {"error": "not_authorized", "reason": "Not_Authorized"}


@pytest.mark.parametrize("header", ["Basic ***", "Basic " + base64.b64encode(b"no colon").decode()])
async def test_a_header_that_cannot_be_read_is_a_bad_request(api, header):
    response = await api.ask("GET", "/overview", user=None, headers={"authorization": header})
    assert (response.status_code, response.content) == (400, b"")


async def test_a_password_may_have_colons(api):
    await api.put("/users/alice", {"password": "a:b", "tags": "management"})
    assert (await api.get("/whoami", user="alice", password="a:b"))["name"] == "alice"


async def test_guest_is_let_in_from_this_machine_only(far_api):
    assert await refusal(far_api, "GET", "/whoami", "guest") == "User can only log in via localhost"
    far_api.add_user("alice", "management")
    assert await far_api.get("/whoami", user="alice")


async def test_many_failed_logins_make_the_next_one_wait_as_over_amqp(api, nursery):
    for _ in range(20):
        await api.ask("GET", "/whoami", password="wrong")
    waiting = []

    async def ask():
        waiting.append(await api.get("/whoami"))

    await api.get("/whoami")  # its turn is now; the one after it has to wait
    nursery.start_soon(ask)
    import trio.testing

    await trio.testing.wait_all_tasks_blocked()
    assert waiting == []
    api.harness.advance(5)
    await trio.testing.wait_all_tasks_blocked()
    assert len(waiting) == 1


@pytest.mark.parametrize(
    ("tags", "path", "reason"),
    [
        ((), "/whoami", "Not management user"),
        (("impersonator",), "/overview", "Not management user"),
        (("management",), "/nodes", "Not monitor user"),
        (("management",), "/users", "Not administrator user"),
        (("monitoring",), "/users", "Not administrator user"),
        (("policymaker",), "/nodes", "Not monitor user"),
        (("management",), "/parameters", "User not authorised to access object"),
        (("monitoring",), "/definitions", "Not administrator user"),
        (("management",), "/connections/username/guest", "User not authorised to access object"),
    ],
)
async def test_a_tag_that_is_too_weak(api, tags, path, reason):
    api.add_user("alice", *tags, vhosts=("/",))
    assert await refusal(api, "GET", path, "alice") == reason


async def test_an_overview_shows_the_node_to_those_who_may_monitor_it(api):
    api.add_user("weak", "management", vhosts=("/",))
    api.add_user("strong", "monitoring")
    assert not {"node", "listeners", "contexts"} & (await api.get("/overview", user="weak")).keys()
    assert {"node", "listeners", "contexts"} <= (await api.get("/overview", user="strong")).keys()


async def test_lists_have_what_the_user_may_see(api):
    api.harness.add_vhost("hidden")
    await api.put("/queues/hidden/q")
    await api.put("/queues/%2F/q")
    api.add_user("alice", "management", vhosts=("/",))
    assert [queue["vhost"] for queue in await api.get("/queues", user="alice")] == ["/"]
    assert [vhost["name"] for vhost in await api.get("/vhosts", user="alice")] == ["/"]
    assert len(await api.get("/queues")) == 2


async def test_a_virtual_host_that_the_user_does_not_see(api):
    api.harness.add_vhost("hidden")
    api.add_user("alice", "management", vhosts=("/",))
    reason = "User not authorised to access virtual host"
    assert await refusal(api, "GET", "/queues/hidden", "alice") == reason
    assert await refusal(api, "PUT", "/queues/hidden/q", "alice", {}) == reason


async def test_a_tag_gives_no_rights_of_amqp(api):
    api.node.add_vhost("empty")
    api.add_user("root", "administrator")
    assert await refusal(api, "PUT", "/queues/empty/q", "root", {}) == "Access refused."
    assert await api.get("/queues/empty", user="root") == []
    assert await api.delete("/vhosts/empty", user="root") == 204


PUBLISH = {"properties": {}, "routing_key": "k", "payload": "", "payload_encoding": "string"}
GET = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/queues/%2F/q", {}),
        ("DELETE", "/queues/%2F/q", None),
        ("DELETE", "/queues/%2F/q/contents", None),
        ("POST", "/queues/%2F/q/get", GET),
        ("PUT", "/exchanges/%2F/x", {}),
        ("DELETE", "/exchanges/%2F/x", None),
        ("DELETE", "/exchanges/%2F/amq.direct", None),
        ("POST", "/exchanges/%2F/x/publish", PUBLISH),
        ("POST", "/bindings/%2F/e/x/q/q", {}),
        ("DELETE", "/bindings/%2F/e/x/q/q/~", None),
        ("POST", "/bindings/%2F/e/x/e/x", {}),
    ],
)
async def test_what_amqp_refuses_is_refused(api, method, path, body):
    await api.put("/queues/%2F/q")
    await api.put("/exchanges/%2F/x", {"type": "direct"})
    await api.post("/bindings/%2F/e/x/q/q")
    api.add_user("alice", "management")
    api.harness.users.permissions.set("alice", "/", Permission("^mine", "^mine", "^mine"))
    response = await api.ask(method, path, body, user="alice")
    assert (response.status_code, response.json()) == (401, REFUSED)


async def test_a_topic_that_may_not_be_published_to(api):
    await api.put("/topic-permissions/%2F/guest", {"exchange": "amq.topic", "write": "^mine", "read": "^mine"})
    response = await api.post("/exchanges/%2F/amq.topic/publish", PUBLISH)
    assert (response.status_code, response.json()) == (401, REFUSED)


async def test_one_sees_and_closes_ones_own_connections(api):
    ours, others = api.harness.connect(user="other"), api.harness.connect()
    api.harness.users.set_tags("other", ["management"])
    names = [row["name"] for row in await api.get("/connections", user="other", password="secret")]
    assert names == [ours.connection.name]
    path = f"/connections/{others.connection.name}".replace(">", "%3E").replace(" ", "%20")
    assert await refusal(api, "DELETE", path, "other") == "User not authorised to access object"


async def test_a_page_of_another_site_changes_nothing(api):
    for origin, status in [("http://evil.example", 401), ("http://leveret:15672", 201)]:
        response = await api.ask("PUT", "/queues/%2F/q", {}, headers={"origin": origin})
        assert response.status_code == status
    assert (await api.ask("GET", "/queues", headers={"origin": "http://evil.example"})).status_code == 200


async def test_no_password_is_logged(api, caplog):
    caplog.set_level("DEBUG")
    await api.put("/users/alice", {"password": "hush-hush", "tags": ""})
    await api.ask("GET", "/whoami", user="alice", password="hush-hush")
    await api.ask("GET", "/whoami", user="alice", password="hush-hush-not")
    assert "hush-hush" not in caplog.text


async def test_names_come_back_as_they_are(api):
    name = "<script>alert(1)</script>"
    assert await api.put("/queues/%2F/%3Cscript%3Ealert(1)%3C%2Fscript%3E") == 201
    response = await api.ask("GET", "/queues/%2F")
    assert response.json()[0]["name"] == name
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"
