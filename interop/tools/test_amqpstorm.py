"""amqpstorm's management client, with the calls of its own functional tests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from interop.tools.conftest import PASSWORD, USER, Api, eventually

management: Any = pytest.importorskip("amqpstorm.management", reason="amqpstorm is not installed (make interop)")


@pytest.fixture
def client(api: Api) -> Iterator[Any]:
    with management.ManagementApi(api.url, USER, PASSWORD) as client:
        yield client


def test_the_broker(client: Any, vhost: str) -> None:
    assert client.aliveness_test(vhost) == {"status": "ok"}
    assert client.cluster_name()["name"]
    assert client.overview()["cluster_name"] == client.cluster_name()["name"]
    assert client.whoami()["name"] == USER
    (node,) = client.nodes()
    assert client.node(node["name"])["running"] is True
    assert client.healthchecks.get()["status"] == "ok"
    assert client.healthchecks.get(node["name"])["status"] == "ok"


def test_wrong_credentials_are_told_in_words(api: Api) -> None:
    client = management.ManagementApi(api.url, "nobody", "nothing")
    with pytest.raises(management.ApiError, match="401 Client Error: Unauthorized") as refused:
        client.aliveness_test()
    assert refused.value.error_code == 401


def test_messages(client: Any, vhost: str) -> None:
    client.queue.declare("q", virtual_host=vhost)
    properties = {"headers": {"a": 1}, "content_type": "text/plain"}
    assert client.basic.publish("hello", "q", virtual_host=vhost, properties=properties) == {"routed": True}
    (message,) = client.basic.get("q", virtual_host=vhost, requeue=True, to_dict=True)
    assert (message["payload"], message["properties"]["headers"]) == ("hello", {"a": 1})
    (message,) = client.basic.get("q", virtual_host=vhost, requeue=True)
    assert (message.body, message.properties["content_type"]) == ("hello", "text/plain")
    assert client.basic.get("q", virtual_host=vhost, requeue=False, truncate=2)[0].body == "he"
    assert client.basic.get("q", virtual_host=vhost) == []
    client.basic.publish("x", "q", virtual_host=vhost)
    client.queue.purge("q", virtual_host=vhost)
    assert client.basic.get("q", virtual_host=vhost) == []


def test_queues(client: Any, vhost: str) -> None:
    client.queue.declare("q", virtual_host=vhost, durable=True, arguments={"x-max-length": 5})
    client.queue.declare("q", virtual_host=vhost, passive=True)
    found = client.queue.get("q", virtual_host=vhost)
    assert (found["durable"], found["arguments"]["x-max-length"]) == (True, 5)
    assert [queue["name"] for queue in client.queue.list(virtual_host=vhost)] == ["q"]
    assert "q" in [queue["name"] for queue in client.queue.list(show_all=True)]
    (one,) = client.queue.list(virtual_host=vhost, name="^q$", use_regex=True, page_size=5)
    assert one["name"] == "q"
    client.queue.bind(queue="q", exchange="amq.topic", routing_key="a.#", virtual_host=vhost)
    (binding,) = [b for b in client.queue.bindings("q", virtual_host=vhost) if b["source"]]
    client.queue.unbind(
        queue="q", exchange="amq.topic", routing_key="a.#", virtual_host=vhost, properties_key=binding["properties_key"]
    )
    client.queue.delete("q", virtual_host=vhost)
    with pytest.raises(management.ApiError, match="NOT-FOUND") as missing:
        client.queue.get("q", virtual_host=vhost)
    assert missing.value.error_code == 404


def test_exchanges(client: Any, vhost: str) -> None:
    client.exchange.declare("x", exchange_type="fanout", virtual_host=vhost, durable=True)
    client.exchange.declare("x", virtual_host=vhost, passive=True)
    assert client.exchange.get("x", virtual_host=vhost)["type"] == "fanout"
    assert "x" in [exchange["name"] for exchange in client.exchange.list(virtual_host=vhost)]
    assert "x" in [exchange["name"] for exchange in client.exchange.list(show_all=True)]
    client.exchange.bind(source="x", destination="amq.topic", routing_key="k", virtual_host=vhost, arguments=None)
    (binding,) = client.exchange.bindings("x", virtual_host=vhost)
    assert (binding["destination"], binding["destination_type"]) == ("amq.topic", "exchange")
    client.exchange.unbind(source="x", destination="amq.topic", routing_key="k", virtual_host=vhost, properties_key="k")
    client.exchange.delete("x", virtual_host=vhost)
    with pytest.raises(management.ApiError):
        client.exchange.get("x", virtual_host=vhost)


def test_users_and_virtual_hosts(client: Any, vhost: str) -> None:
    name = f"tools-{uuid.uuid4().hex[:8]}"
    client.virtual_host.create(name)
    assert client.virtual_host.get(name)["name"] == name
    assert name in [there["name"] for there in client.virtual_host.list()]
    client.user.create(name, "secret", tags="administrator")
    assert client.user.get(name)["name"] == name
    client.user.set_permission(name, vhost, "^c", "^w", "^r")
    permission = client.user.get_permission(name, vhost)
    assert permission == {"user": name, "vhost": vhost, "configure": "^c", "write": "^w", "read": "^r"}
    assert client.user.get_permissions(name) == [permission]
    assert permission in client.virtual_host.get_permissions(vhost)
    client.user.delete_permission(name, vhost)
    client.user.create(f"{name}-2", "secret")
    client.user.delete([name, f"{name}-2"])
    assert name not in [user["name"] for user in client.user.list()]
    client.virtual_host.delete(name)


def test_connections_and_channels(client: Any, api: Api, vhost: str) -> None:
    with api.connect(vhost) as connection:
        connection.channel()
        (channel,) = eventually(lambda: [one for one in client.channel.list() if one["vhost"] == vhost])
        assert client.channel.get(channel["name"])["number"] == 1
        name = channel["connection_details"]["name"]
        assert client.connection.get(name)["vhost"] == vhost
        (listed,) = client.connection.list(name=name)
        assert listed["name"] == name
        client.connection.close(name, reason="said by a test")
        with pytest.raises(Exception, match="CONNECTION_FORCED - said by a test"):
            connection.process_data_events(time_limit=10)
