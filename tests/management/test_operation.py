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
    assert (await api.post("/users/bulk-delete", {"users": ["a", "b", "c"]})).status_code == 204
    assert {user["name"] for user in await api.get("/users")} == {"guest", "other", "stand-in"}


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
    assert await api.get("/user-limits/guest") == [{"user": "guest", "value": {"max-channels": 5}}]
    assert await api.delete("/user-limits/guest/max-channels") == 204
    assert await api.get("/user-limits") == []


async def test_some_routes_look_at_the_content_type(api):
    for path in ("/vhost-limits/%2F/max-queues", "/operator-policies/%2F/p", "/feature-flags/stream_queue/enable"):
        response = await api.ask("PUT", path, content=b'{"value": 1}', headers={"content-type": "text/plain"})
        assert response.status_code == 415


async def test_parameters_are_those_that_other_routes_set(api):
    await api.put("/vhost-limits/%2F/max-queues", {"value": 7})
    await api.put("/operator-policies/%2F/cap", {"pattern": ".*", "definition": {"expires": 1}})
    components = {row["component"]: row["name"] for row in await api.get("/parameters")}
    assert components == {"vhost-limits": "limits", "operator_policy": "cap"}
    assert (await api.get("/parameters/vhost-limits/%2F/limits"))["value"] == {"max-queues": 7}


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
    api = Api(harness, certificate=certificate, listening=listening)
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


async def test_plugins_that_are_not_there(api):
    for path in ("/federation-links", "/shovels/%2F", "/stream/connections"):
        assert await api.get(path) == []
