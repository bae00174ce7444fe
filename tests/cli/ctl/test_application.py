"""stop_app, start_app, reset: the application goes and comes, the process and its socket stay."""

import socket

import pika
import pytest

from leveret.config.settings import Settings
from leveret.config.values import Address


def connected(url):
    return pika.BlockingConnection(pika.URLParameters(url))


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def declare(url):
    """A durable queue with a persistent and a transient message, a transient queue, and bindings of both."""
    with connected(url) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.exchange_declare("e", "fanout", durable=True)
        for name, durable in (("kept", True), ("lost", False)):
            channel.queue_declare(name, durable=durable)
            channel.queue_bind(name, "e")
        for mode in (2, 1):
            channel.basic_publish("", "kept", b"m", pika.BasicProperties(delivery_mode=mode))


@pytest.fixture
def broker(start, tmp_path):
    return start(data_dir=tmp_path / "d")


def test_stop_app_closes_connections_and_listeners_and_the_process_goes_on(broker, said, ctl):
    connection = connected(broker.url)
    said("stop_app")
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as caught:
        connection.process_data_events(time_limit=10)
    reason = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"
    assert (caught.value.reply_code, caught.value.reply_text) == (320, reason)
    assert not accepts(broker.port)
    assert said("ping") == "Ping succeeded\n"
    status, _, stderr = ctl("list_queues")
    assert (status, stderr.splitlines()[0]) == (
        64,
        "Error: this command requires the 'rabbit' app to be running on the target node. "
        "Start it with 'rabbitmqctl start_app'.",
    )


def test_start_app_listens_on_the_same_port_and_has_what_is_kept(broker, said):
    declare(broker.url)
    port = broker.port
    said("stop_app")
    said("start_app")
    assert accepts(port)
    assert said("list_queues", "name", "messages") == "name\tmessages\nkept\t1\n"
    assert said("list_bindings", "-s", "source_name", "destination_name").splitlines() == ["\tkept", "e\tkept"]


def test_a_broker_in_memory_keeps_what_is_durable_while_it_is_stopped(start, said):
    broker = start()
    declare(broker.url)
    said("add_user", "ann", "secret")
    said("set_policy", "p", "^k", '{"max-length":5}')
    said("delete_vhost", "/")
    said("add_vhost", "v")
    said("set_permissions", "-p", "v", "ann", "", "", "")
    said("add_vhost", "/")
    said("set_permissions", "guest", ".*", ".*", ".*")
    declare(broker.url)
    said("stop_app")
    said("start_app")
    assert said("list_queues", "name", "messages") == "name\tmessages\nkept\t1\n"
    assert said("list_bindings", "-s", "source_name", "destination_name").splitlines() == ["\tkept", "e\tkept"]
    assert said("authenticate_user", "ann", "secret") == "Success\n"
    assert said("list_permissions", "-p", "v", "-s") == "ann\t\t\t\n"


def test_its_cluster_is_the_same_one_after_a_start(start, said):
    """RabbitMQ keeps its id, which is in no definitions."""
    start()
    said("set_global_parameter", "internal_note", '"kept"')
    before = said("list_global_parameters", "-s")
    assert "internal_cluster_id" in before
    said("stop_app")
    said("start_app")
    assert said("list_global_parameters", "-s") == before


@pytest.mark.parametrize("arguments", [{}, {"x-max-priority": 2}, {"x-queue-type": "quorum"}], ids=str)
def test_its_messages_come_back_in_their_order_as_they_were(start, said, arguments):
    broker = start()
    with connected(broker.url) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("q", durable=True, arguments=arguments)
        for number in range(5):
            properties = pika.BasicProperties(delivery_mode=2, priority=number % 2, headers={"n": number})
            channel.basic_publish("", "q", b"%d" % number, properties)
        channel.basic_get("q")  # and it is not acknowledged
        expected = [1, 3, 0, 2, 4] if "x-max-priority" in arguments else [0, 1, 2, 3, 4]
    said("stop_app")
    said("start_app")
    with connected(broker.url) as connection:
        got = [connection.channel().basic_get("q", auto_ack=True) for _ in range(6)]
    assert got[5] == (None, None, None)
    assert [(properties.headers["n"], body) for _, properties, body in got[:5]] == [
        (number, b"%d" % number) for number in expected
    ]


@pytest.mark.parametrize("in_memory", [False, True], ids=["data", "memory"])
def test_reset_leaves_what_a_new_broker_has(start, said, tmp_path, in_memory):
    broker = start(data_dir=None if in_memory else tmp_path / "d")
    declare(broker.url)
    said("add_user", "ann", "secret")
    for command in ("stop_app", "reset", "start_app"):
        said(command)
    assert (said("list_queues"), said("list_users", "-s")) == ("", "guest\t[administrator]\n")
    declare(broker.url)
    for command in ("stop_app", "start_app"):
        said(command)
    assert said("list_queues", "-s", "name") == "kept\n"


def test_reset_is_refused_while_it_runs(broker, ctl, said):
    declare(broker.url)
    status, _, stderr = ctl("reset")
    assert (status, stderr.splitlines()[0]) == (
        64,
        "Error: this command requires the 'rabbit' app to be stopped on the target node. "
        "Stop it with 'rabbitmqctl stop_app'.",
    )
    assert said("list_queues", "-s", "name").split() == ["kept", "lost"]


def test_where_it_cannot_start_it_says_why_and_stays_stopped(broker, ctl, said):
    port = broker.port
    said("stop_app")
    with socket.create_server(("127.0.0.1", port)):
        status, _, stderr = ctl("start_app")
        assert (status, stderr) == (69, f"Error:\ncannot listen on 127.0.0.1:{port}: Address already in use\n")
        assert said("is_running").split()[4:6] == ["is", "not"]
    said("start_app")
    assert accepts(port)


def test_the_http_api_goes_and_comes_with_it(start, said):
    broker = start(management=Address("127.0.0.1", 0))
    port = broker.management_port
    assert accepts(port)
    said("stop_app")
    assert not accepts(port)
    said("start_app")
    assert accepts(port)
    assert broker.management_port == port


def test_suspended_listeners_take_no_connections_and_leave_those_there_are(broker, said):
    with connected(broker.url) as connection:
        said("suspend_listeners")
        said("suspend_listeners")
        assert not accepts(broker.port)
        connection.channel().queue_declare("q")
        said("resume_listeners")
        said("resume_listeners")
        connected(broker.url).close()
        assert said("listeners", "-s").count("protocol: amqp") == 1


def test_listeners_that_cannot_all_be_resumed_leave_none(start, said, ctl):
    broker = start(settings=Settings(listeners_tcp=(Address("127.0.0.1", 0), Address("127.0.0.1", 0))))
    ports = [port for _, _, port in broker.listening]
    said("suspend_listeners")
    with socket.create_server(("127.0.0.1", ports[1])):
        status, _, stderr = ctl("resume_listeners", "-q")
        assert (status, stderr) == (69, f"Error:\ncannot listen on 127.0.0.1:{ports[1]}: Address already in use\n")
        assert not accepts(ports[0])
    said("resume_listeners")
    assert all(map(accepts, ports))


def test_certificates_are_read_at_the_next_start_if_it_is_stopped(broker, said):
    said("stop_app")
    broker.read_certificates_again()
    said("start_app")
    assert accepts(broker.port)


def test_a_suspended_application_can_be_stopped(broker, said):
    said("suspend_listeners")
    said("stop_app")
    said("start_app")
    assert accepts(broker.port)


def test_a_broker_of_another_program_is_not_stopped_from_outside(broker, ctl):
    status, _, stderr = ctl("stop")
    assert (status, stderr) == (69, "Error:\nthis broker is part of another program, which alone can stop it\n")
    assert accepts(broker.port)
