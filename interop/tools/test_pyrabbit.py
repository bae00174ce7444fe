"""pyrabbit, the client that kombu's `get_manager` makes, and pyrabbit2."""

from __future__ import annotations

import inspect
from typing import Any
from urllib.parse import quote

import pytest
from kombu.connection import Connection

from interop.tools.conftest import PASSWORD, USER, Api, eventually

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # those of httplib2 and pyparsing

Client = Any


@pytest.fixture(params=["pyrabbit", "pyrabbit2"])
def client(request: pytest.FixtureRequest, api: Api) -> Client:
    module = pytest.importorskip(f"{request.param}.api", reason=f"{request.param} is not installed (make interop)")
    client = module.Client(api.host, USER, PASSWORD)
    if request.param == "pyrabbit":
        # It looks for the tag in a text, and RabbitMQ has a list since 3.9: without this half of its calls are refused.
        client.is_admin = True
    return client


def test_the_broker(client: Client, vhost: str) -> None:
    assert client.is_alive(quote(vhost, ""))
    assert client.get_whoami()["name"] == USER
    assert client.get_overview()["object_totals"]["queues"] >= 0
    (node,) = client.get_nodes()
    assert node["running"] is True
    if hasattr(client, "get_cluster_name"):
        assert client.get_cluster_name()["name"]
        assert client.get_extensions()
        assert vhost in [there["name"] for there in client.get_definitions()["vhosts"]]


def test_virtual_hosts_users_and_permissions(client: Client, vhost: str) -> None:
    other = f"{vhost}-2"
    client.create_vhost(other)
    assert client.get_vhost(other)["name"] == other
    assert {vhost, other} <= set(client.get_vhost_names())
    client.create_user("tools-user", "secret", tags="management")
    assert "tools-user" in [user["name"] for user in client.get_users()]
    client.set_vhost_permissions(other, "tools-user", ".*", "", "^w")
    expected = {"vhost": other, "user": "tools-user", "configure": ".*", "write": "^w", "read": ""}
    assert client.get_permission(other, "tools-user") == expected
    assert client.get_user_permissions("tools-user") == [expected]
    assert expected in client.get_vhost_permissions(other)
    assert expected in client.get_permissions()
    client.delete_permission(other, "tools-user")
    client.delete_user("tools-user")
    client.delete_vhost(other)
    assert other not in [there["name"] for there in client.get_all_vhosts()]


def test_exchanges_queues_and_bindings(client: Client, vhost: str) -> None:
    client.create_exchange(vhost, "x", "topic", durable=True, auto_delete=False)
    assert client.get_exchange(vhost, "x")["type"] == "topic"
    assert "x" in [exchange["name"] for exchange in client.get_exchanges(vhost)]
    client.create_queue(vhost, "q", durable=True, auto_delete=False)
    assert client.get_queue(vhost, "q")["durable"] is True
    assert [queue["name"] for queue in client.get_queues(vhost)] == ["q"]
    client.create_binding(vhost, "x", "q", "a.b")
    assert [b["routing_key"] for b in client.get_queue_bindings(vhost, "q")] == ["q", "a.b"]
    (binding,) = [b for b in client.get_bindings() if (b["vhost"], b["source"]) == (vhost, "x")]
    assert (binding["destination"], binding["properties_key"]) == ("q", "a.b")
    client.delete_binding(vhost, "x", "q", "a.b")
    client.delete_queue(vhost, "q")
    client.delete_exchange(vhost, "x")
    assert not client.get_queues(vhost)


def test_messages(client: Client, vhost: str) -> None:
    client.create_queue(vhost, "q", durable=False)
    # pyrabbit gives no ackmode, which RabbitMQ asks for since 3.7: Leveret does without.
    is_old = "ackmode" not in inspect.getsource(type(client).get_messages)
    assert client.publish(vhost, "amq.default", "q", "hello", properties={"delivery_mode": 1})
    if not is_old or client.get_overview()["product_name"] == "Leveret":
        (message,) = client.get_messages(vhost, "q", count=5, requeue=True)
        assert (message["payload"], message["redelivered"]) == ("hello", False)
        (message,) = client.get_messages(vhost, "q")
        assert (message["payload"], message["redelivered"]) == ("hello", True)
    client.publish(vhost, "amq.default", "q", "aGk=", payload_enc="base64")
    client.purge_queue(vhost, "q")
    client.purge_queues([("q", vhost)])
    client.delete_queue(vhost, "q")


def test_the_depth_of_a_queue_is_there_at_once(client: Client, vhost: str) -> None:
    client.create_queue(vhost, "q", durable=False)
    if client.get_overview()["product_name"] != "Leveret":
        pytest.skip("RabbitMQ has none for the first seconds (bkjones/pyrabbit#19)")
    assert client.get_queue_depth(vhost, "q") == 0
    client.publish(vhost, "amq.default", "q", "hello")
    assert client.get_queue_depth(vhost, "q") == 1
    client.get_queue_depths(vhost)


def test_connections_and_channels(client: Client, api: Api, vhost: str) -> None:
    with api.connect(vhost) as connection:
        connection.channel()
        (ours,) = eventually(lambda: [one for one in client.get_channels() or [] if one["vhost"] == vhost])
        name = ours["connection_details"]["name"]
        assert client.get_channel(ours["name"])["number"] == 1
        assert client.get_connection(name)["vhost"] == vhost
        assert name in [there["name"] for there in client.get_connections() or []]
        client.delete_connection(name)


@pytest.mark.parametrize("client", ["pyrabbit2"], indirect=True)  # pyrabbit has none of it
def test_policies_and_shovels(client: Client, vhost: str) -> None:
    client.create_policy(vhost, "p", pattern="^q", definition={"max-length": 5}, priority=1, **{"apply-to": "queues"})
    assert client.get_policy(vhost, "p")["definition"] == {"max-length": 5}
    assert "p" in [policy["name"] for policy in client.get_all_policies()]
    client.delete_policy(vhost, "p")
    if client.get_overview()["product_name"] == "Leveret":  # RabbitMQ needs a plugin
        assert client.get_all_shovels() == []


def test_kombu_has_a_manager(api: Api, vhost: str) -> None:
    pytest.importorskip("pyrabbit", reason="pyrabbit is not installed (make interop)")
    options = {"manager_hostname": "127.0.0.1", "manager_port": api.port}
    with Connection(f"{api.amqp}/{quote(vhost, '')}", transport_options=options) as connection:
        manager = connection.get_manager()
        queue = connection.SimpleQueue("simple")
        queue.put("hello")
        assert [there["name"] for there in manager.get_queues(vhost)] == ["simple"]
        assert "simple" in [there["name"] for there in manager.get_exchanges(vhost)]
        assert [b["destination"] for b in manager.get_bindings() if b["vhost"] == vhost and b["source"]] == ["simple"]
        queue.close()
