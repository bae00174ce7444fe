"""What an administrator does: virtual hosts, users, permissions, policies, limits, health checks."""

from datetime import UTC, datetime, timedelta

import pytest

from leveret.management.managed import Listening
from leveret_protocol.methods import Connection
from tests.certificates import Authority
from tests.harness import BrokerHarness
from tests.management.conftest import Api


def refused(response):
    assert response.status_code == 400, response.text
    return response.json()["reason"]


async def test_a_virtual_host_with_everything_for_who_made_it(api):
    assert await api.put("/vhosts/v", {"description": "d", "tags": "a, b", "default_queue_type": "quorum"}) == 201
    vhost = await api.get("/vhosts/v")
    assert (vhost["description"], vhost["tags"], vhost["default_queue_type"]) == ("d", ["a", "b"], "quorum")
    assert await api.put("/queues/v/q", {"durable": True}) == 201
    assert (await api.get("/queues/v/q"))["type"] == "quorum"
    assert await api.put("/vhosts/v", {"description": "other"}) == 204
    assert (await api.get("/vhosts/v"))["metadata"]["description"] == "other"
    assert await api.delete("/vhosts/v") == 204
    assert await api.delete("/vhosts/v") == 404


async def test_connections_of_a_deleted_virtual_host_are_closed(api):
    api.harness.add_vhost("v")
    client = api.harness.connect(vhost="v")
    await api.delete("/vhosts/v")
    close = client.expect(Connection.Close, channel=0)
    assert close.reply_text == "CONNECTION_FORCED - vhost 'v' is deleted"


async def test_tracing_is_switched(api):
    await api.put("/vhosts/%2F", {"tracing": "true"})
    assert (await api.get("/vhosts/%2F"))["tracing"] is True
    await api.put("/vhosts/%2F", {"tracing": False})
    assert api.node.vhosts["/"].firehose.is_on is False


async def test_what_is_said_of_a_virtual_host_is_kept():
    harness = BrokerHarness.durable()
    from leveret.core.metadata import Metadata

    harness.node.vhosts["/"].set_metadata(Metadata("new words", ("t",)))
    assert harness.stopped().node.vhosts["/"].metadata.description == "new words"


HASH = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"  # of test12


@pytest.mark.parametrize("password", [{"password": "test12"}, {"password_hash": HASH}])
@pytest.mark.parametrize("tags", ["management, mine", ["management", "mine"]])
async def test_a_user(api, password, tags):
    assert await api.put("/users/alice", {"tags": tags} | password) == 201
    assert await api.put("/users/alice", {"tags": tags} | password) == 204
    assert (await api.get("/whoami", user="alice", password="test12"))["tags"] == ["management", "mine"]
    assert "alice" in [user["name"] for user in await api.get("/users/without-permissions")]
    assert await api.delete("/users/alice") == 204
    assert await api.delete("/users/alice") == 404


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"password": "x"}, "tags_not_present"),
        ({"tags": "", "password": "x", "password_hash": HASH}, "both_password_and_password_hash_are_provided"),
        ({"tags": "", "password_hash": "x"}, "a password hash is base64"),
        ({"tags": 5, "password": "x"}, "not_tags: 5"),
    ],
)
async def test_a_user_that_cannot_be(api, body, reason):
    assert refused(await api.ask("PUT", "/users/alice", body)) == reason


async def test_users_are_deleted_together(api):
    api.add_user("a")
    api.add_user("b")
    assert (await api.post("/users/bulk-delete", {"users": ["a", "b"]})).status_code == 204
    assert refused(await api.post("/users/bulk-delete", {"users": ["c"]})) == "no_such_user: c"
    assert {user["name"] for user in await api.get("/users")} == {"guest", "other", "stand-in"}


async def test_who_declared_what():
    harness = BrokerHarness.durable()
    api = Api(harness, commits=True)
    api.add_user("alice", "management", vhosts=("/",))
    await api.put("/queues/%2F/hers", {"durable": True}, user="alice")
    await api.put("/queues/%2F/ours", {"durable": True})
    await api.put("/exchanges/%2F/x", {"durable": True}, user="alice")
    for api in (api, Api(harness.stopped(), commits=True)):  # noqa: B020
        assert [queue["name"] for queue in await api.get("/users/alice/queues", user="alice")] == ["hers"]
        assert (await api.get("/exchanges/%2F/x"))["user_who_performed_action"] == "alice"
        assert (await api.get("/exchanges/%2F/amq.direct"))["user_who_performed_action"] == "rmq-internal"
        assert (await api.ask("GET", "/users/nobody/queues")).status_code == 404


async def test_permissions(api):
    api.add_user("alice")
    row = {"configure": "", "write": "^w", "read": ".*"}
    assert await api.put("/permissions/%2F/alice", row) == 201
    assert await api.put("/permissions/%2F/alice", row) == 204
    assert await api.get("/permissions/%2F/alice") == {"user": "alice", "vhost": "/"} | row
    assert await api.get("/users/alice/permissions") == [{"user": "alice", "vhost": "/"} | row]
    assert await api.delete("/permissions/%2F/alice") == 204
    assert await api.delete("/permissions/%2F/alice") == 404
    assert refused(await api.ask("PUT", "/permissions/%2F/nobody", row)) == "vhost_or_user_not_found"
    assert refused(await api.ask("PUT", "/permissions/%2F/alice", {"configure": ""})) == (
        "[{key_missing,write},{key_missing,read}]"
    )
    assert "invalid_regexp" in refused(await api.ask("PUT", "/permissions/%2F/alice", row | {"read": "("}))


async def test_topic_permissions(api):
    row = {"exchange": "amq.topic", "write": "^a", "read": ".*"}
    assert await api.get("/users/guest/topic-permissions") == []
    assert (await api.ask("GET", "/topic-permissions/%2F/guest")).status_code == 404
    assert await api.put("/topic-permissions/%2F/guest", row) == 201
    assert await api.put("/topic-permissions/%2F/guest", row) == 204
    assert await api.get("/topic-permissions/%2F/guest") == [{"user": "guest", "vhost": "/"} | row]
    assert await api.delete("/topic-permissions/%2F/guest/amq.topic") == 204
    assert await api.delete("/topic-permissions/%2F/guest") == 404


@pytest.mark.parametrize("kind", ["policies", "operator-policies"])
async def test_policies(api, kind):
    await api.put("/queues/%2F/q")
    policy = {"pattern": "^q", "definition": {"max-length": 5}, "priority": 2, "apply-to": "queues"}
    assert await api.put(f"/{kind}/%2F/p", policy) == 201
    assert await api.put(f"/{kind}/%2F/p", policy) == 204
    assert await api.get(f"/{kind}/%2F/p") == policy | {"vhost": "/", "name": "p"}
    queue = await api.get("/queues/%2F/q")
    assert queue["effective_policy_definition"] == {"max-length": 5}
    assert queue["policy" if kind == "policies" else "operator_policy"] == "p"
    assert await api.delete(f"/{kind}/%2F/p") == 204
    assert await api.delete(f"/{kind}/%2F/p") == 404


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"definition": {"zzz": 1}}, '[{<<"zzz">>,1}] are not recognised policy settings'),
        ({"priority": "1"}, 'priority should be a number, actually was <<"1">>'),
        ({"definition": {}}, "no policy provided"),
    ],
)
async def test_a_policy_that_cannot_be(api, change, reason):
    policy = {"pattern": ".*", "definition": {"max-length": 5}} | change
    assert refused(await api.ask("PUT", "/policies/%2F/p", policy)) == f"Validation failed\n\n{reason}\n"


async def test_limits(api):
    assert await api.put("/vhost-limits/%2F/max-queues", {"value": "1"}) == 204
    assert await api.get("/vhost-limits") == [{"vhost": "/", "value": {"max-queues": 1}}]
    await api.put("/queues/%2F/a")
    assert "queue limit in vhost '/' (1) is reached" in refused(await api.ask("PUT", "/queues/%2F/b", {}))
    assert await api.delete("/vhost-limits/%2F/max-queues") == 204
    assert await api.delete("/vhost-limits/%2F/max-queues") == 204
    assert await api.get("/vhost-limits/%2F") == []
    assert refused(await api.ask("PUT", "/vhost-limits/%2F/nope", {"value": 1})) == (
        'Validation failed\n\nUnrecognised terms [{<<"nope">>,1}] in limits\n'
    )


async def test_limits_of_users(api):
    assert await api.put("/user-limits/guest/max-channels", {"value": 5}) == 204
    assert await api.put("/users/guest", {"password": "guest", "tags": "administrator"}) == 204
    assert await api.get("/user-limits/guest") == [{"user": "guest", "value": {"max-channels": 5}}]
    assert await api.delete("/user-limits/guest/max-channels") == 204
    assert await api.get("/user-limits") == []


async def test_some_routes_look_at_the_content_type(api):
    for path in ("/vhost-limits/%2F/max-queues", "/operator-policies/%2F/p", "/feature-flags/stream_queue/enable"):
        response = await api.ask("PUT", path, content=b'{"value": 1}', headers={"content-type": "text/plain"})
        assert response.status_code == 415


async def test_alarms_are_told(api):
    api.node.alarms.begin("memory")
    response = await api.ask("GET", "/health/checks/alarms/")
    assert response.status_code == 503
    assert response.json()["alarms"] == [{"node": api.node.name, "resource": "memory"}]
    assert (await api.get(f"/nodes/{api.node.name}"))["mem_alarm"] is True


@pytest.mark.parametrize(
    ("check", "status"),
    [
        ("port-listener/5672", 200),
        ("port-listener/9", 503),
        ("port-listener/x", 400),
        ("protocol-listener/amqp0.9.1", 200),
        ("protocol-listener/mqtt,http", 200),
        ("protocol-listener/amqps", 503),
    ],
)
async def test_a_health_check(api, check, status):
    assert (await api.ask("GET", f"/health/checks/{check}")).status_code == status


async def test_a_certificate_that_ends_soon(harness, tmp_path):
    certificate, _ = Authority(tmp_path).issue(not_after=datetime.now(UTC) + timedelta(days=5))
    listening = [Listening("amqp/ssl", "::", 5671)]
    api = Api(harness, certificates={"amqp/ssl": certificate}, listening=listening)
    assert await api.get("/health/checks/certificate-expiration/4/days") == {"status": "ok"}
    response = await api.ask("GET", "/health/checks/certificate-expiration/1/weeks")
    assert response.status_code == 503
    (expired,) = response.json()["expired"]
    assert (expired["port"], expired["reason"][:27]) == (5671, "the certificate has expired")


async def test_some_checks_need_no_login(api):
    assert await api.get("/health/checks/ready-to-serve-clients", user=None) == {"status": "ok"}
    assert (await api.ask("GET", "/health/checks/alarms", user=None)).status_code == 401


async def test_an_aliveness_test_looks_at_the_virtual_host(api):
    assert await api.get("/aliveness-test/%2F") == {"status": "ok"}
    assert (await api.ask("GET", "/aliveness-test/nope")).status_code == 404


async def test_a_protected_virtual_host_is_not_deleted(api):
    await api.put("/vhosts/v")
    assert (await api.post("/vhosts/v/deletion/protection")).status_code == 204
    assert (await api.get("/vhosts/v"))["protected_from_deletion"] is True
    response = await api.ask("DELETE", "/vhosts/v")
    assert response.status_code == 412
    assert response.json() == {
        "error": "precondition_failed",
        "reason": "Refusing to delete virtual host 'v' because it is protected from deletion",
    }
    assert await api.delete("/vhosts/v/deletion/protection") == 204
    assert await api.delete("/vhosts/v") == 204


async def test_protection_comes_back_with_the_broker():
    harness = BrokerHarness.durable()
    await Api(harness, commits=True).post("/vhosts/%2F/deletion/protection")
    assert await Api(harness.stopped(), commits=True).delete("/vhosts/%2F") == 412


async def test_a_login_that_a_page_makes(api):
    response = await api.ask("POST", "/login", content=b"username=guest&password=guest", headers=FORM, user=None)
    assert (response.status_code, response.json()) == (200, "ok")
    assert response.headers["set-cookie"] == "auth=Z3Vlc3Q6Z3Vlc3Q=; Version=1; SameSite=Strict"
    for content in (b"username=guest&password=x", b"username=guest", b"\xff=&" * 50):
        response = await api.ask("POST", "/login", content=content, headers=FORM, user=None)
        assert (response.status_code, response.json()["reason"]) == (401, "Not_Authorized")
    assert (
        await api.ask("GET", "/overview", user=None, headers={"cookie": "auth=Z3Vlc3Q6Z3Vlc3Q="})
    ).status_code == 401


FORM = {"content-type": "application/x-www-form-urlencoded"}


async def test_logins_are_counted(api):
    path = f"/auth/attempts/{api.node.name}"
    await api.delete(path)
    api.harness.connect()
    await api.ask("GET", "/whoami", password="wrong")
    rows = {row["protocol"]: row for row in await api.get(path)}
    assert rows["amqp091"] == {
        "protocol": "amqp091", "auth_attempts": 1, "auth_attempts_failed": 0, "auth_attempts_succeeded": 1,
    }  # fmt: skip
    assert rows["http"]["auth_attempts_failed"] == 1
    assert await api.get(f"{path}/source") == []
    assert (await api.ask("GET", "/auth/attempts/nope")).status_code == 404


async def test_a_password_is_hashed_for_a_file_of_definitions(api):
    password_hash = (await api.get("/auth/hash_password/a%20b%2Fc"))["ok"]
    await api.put("/users/alice", {"tags": "management", "password_hash": password_hash})
    assert (await api.get("/whoami", user="alice", password="a b/c"))["name"] == "alice"


async def test_what_is_deprecated_and_used(api):
    names = [row["name"] for row in await api.get("/deprecated-features")]
    assert names == ["global_qos", "transient_nonexcl_queues"]
    assert await api.get("/deprecated-features/used") == []
    client = api.harness.connect()
    client.declare("q")
    assert [row["name"] for row in await api.get("/deprecated-features/used")] == ["transient_nonexcl_queues"]
    client.qos(5, global_=True)
    assert [row["name"] for row in await api.get("/deprecated-features/used")] == names


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/rebalance/queues", {}, 204),
        ("POST", "/queues/%2F/q/actions", {"action": "sync"}, 204),
        ("POST", "/queues/%2F/q/actions", {"action": "dance"}, 400),
        ("POST", "/queues/%2F/q/actions", {}, 400),
        ("POST", "/queues/%2F/nope/actions", {"action": "sync"}, 404),
        ("POST", "/vhosts/%2F/start/leveret@test", {}, 204),
        ("POST", "/vhosts/%2F/start/nope", {}, 400),
        ("POST", "/vhosts/nope/start/leveret@test", {}, 400),
        ("PUT", "/feature-flags/nope/enable", {}, 400),
        ("PUT", "/feature-flags/quorum_queue/enable", {}, 204),
        ("GET", "/queues/quorum/%2F/qq/status", None, 200),
        ("GET", "/queues/quorum/%2F/q/status", None, 503),
        ("GET", "/queues/quorum/%2F/nope/status", None, 404),
        ("POST", "/queues/quorum/%2F/qq/replicas/add", {"node": "leveret@test"}, 204),
        ("POST", "/queues/quorum/%2F/qq/replicas/add", {"node": "other"}, 503),
        ("DELETE", "/queues/quorum/%2F/qq/replicas/delete", {"node": "leveret@test"}, 503),
        ("POST", "/queues/quorum/replicas/on/leveret@test/grow", {}, 204),
        ("DELETE", "/queues/quorum/replicas/on/leveret@test/shrink", None, 503),
        ("GET", "/nodes/leveret@test/memory/ets", None, 200),
        ("GET", "/nodes/nope/memory", None, 404),
        ("GET", "/shovels/%2F/s", None, 404),
        ("GET", "/connections/nope/sessions", None, 404),
        ("GET", "/healthchecks/node/leveret@test", None, 200),
        ("GET", "/healthchecks/node/nope", None, 404),
        ("GET", "/health/checks/quorum-queues-without-elected-leaders/vhost/%2F/pattern/q", None, 200),
        ("GET", "/health/checks/quorum-queues-without-elected-leaders/vhost/nope", None, 404),
        ("GET", "/health/checks/quorum-queues-without-elected-leaders/all-vhosts/pattern/q", None, 200),
        ("GET", "/shovels/nope", None, 404),
        ("PUT", "/queues/nope/q", {}, 404),
    ],
)  # fmt: skip
async def test_a_route_of_a_single_node(api, method, path, body, status):
    await api.put("/queues/%2F/q", {"durable": True})
    await api.put("/queues/%2F/qq", {"durable": True, "arguments": {"x-queue-type": "quorum"}})
    assert (await api.ask(method, path, body)).status_code == status


async def test_the_version_needs_no_login(api):
    assert await api.get("/version", user=None) == (await api.get("/overview"))["rabbitmq_version"]


async def test_plugins_that_are_not_there(api):
    for path in ("/federation-links", "/shovels", "/shovels/%2F", "/stream/connections", "/stream/consumers/%2F"):
        assert await api.get(path) == []
