"""rabbitmq-admin, a small client on the registry: some forty calls."""

from __future__ import annotations

from typing import Any

import pytest

from interop.tools.conftest import PASSWORD, USER, Api, eventually

library: Any = pytest.importorskip("rabbitmq_admin", reason="rabbitmq-admin is not installed (make interop)")


@pytest.fixture
def client(api: Api) -> Any:
    return library.AdminAPI(url=api.url, auth=(USER, PASSWORD))


def test_the_broker(client: Any, vhost: str) -> None:
    assert client.overview()["cluster_name"] == client.get_cluster_name()["name"]
    (node,) = client.list_nodes()
    assert client.get_node(node["name"])["name"] == node["name"]
    assert client.whoami()["name"] == USER
    assert client.list_extensions()
    assert client.is_vhost_alive(vhost) == {"status": "ok"}
    definitions = client.get_definitions()
    client.post_definitions(definitions)
    assert vhost in [there["name"] for there in definitions["vhosts"]]


def test_objects(client: Any, vhost: str) -> None:
    body = {"type": "direct", "auto_delete": True, "durable": False, "internal": False, "arguments": {}}
    client.create_exchange_for_vhost("x", vhost, body)
    assert client.get_exchange_for_vhost("x", vhost)["auto_delete"] is True
    assert "x" in [exchange["name"] for exchange in client.list_exchanges_for_vhost(vhost)]
    assert client.list_exchanges()
    client.delete_exchange_for_vhost("x", vhost, if_unused=True)
    assert client.list_bindings_for_vhost(vhost) == []
    client.create_policy_for_vhost(vhost, "p", definition={"max-length": 5}, pattern=".*", apply_to="queues")
    assert client.get_policy_for_vhost(vhost, "p")["definition"] == {"max-length": 5}
    assert client.list_policies_for_vhost(vhost) == [p for p in client.list_policies() if p["vhost"] == vhost]
    client.delete_policy_for_vhost(vhost, "p")


def test_users(client: Any, vhost: str) -> None:
    client.create_user("tools-user", "secret", tags="management")
    assert client.get_user("tools-user")["name"] == "tools-user"
    assert "tools-user" in [user["name"] for user in client.list_users()]
    client.create_user_permission("tools-user", vhost)
    permission = client.get_user_permission(vhost, "tools-user")
    assert client.list_user_permissions("tools-user") == [permission]
    assert permission in client.list_permissions()
    client.delete_user_permission("tools-user", vhost)
    client.delete_user("tools-user")
    client.create_vhost("tools-vhost")
    assert client.get_vhost("tools-vhost")["name"] == "tools-vhost"
    client.delete_vhost("tools-vhost")
    assert "tools-vhost" not in [there["name"] for there in client.list_vhosts()]


def test_connections_and_channels(client: Any, api: Api, vhost: str) -> None:
    with api.connect(vhost) as connection:
        channel = connection.channel()
        channel.queue_declare("q")
        channel.basic_consume("q", lambda *_: None)
        eventually(lambda: [one for one in client.list_channels() if one["vhost"] == vhost])
        assert vhost in [one["vhost"] for one in client.list_connections()]
        (consumer,) = client.list_consumers_for_vhost(vhost)
        assert consumer in client.list_consumers()
