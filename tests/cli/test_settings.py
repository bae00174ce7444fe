"""Each setting is obeyed: a server started with another value than the default behaves so."""

import contextlib
import json
import re
import socket
import struct
from pathlib import Path

import httpx
import pika
import pytest

from leveret.config.settings import TABLE
from tests.certificates import Authority, client_context

READY = re.compile(r"leveret ready on (\S+) .*\n")
DURABLE = {"durable": True}


@pytest.fixture
def served(leveret, tmp_path):
    """A server with these lines in its leveret.toml, once it is ready: its URL."""

    def start(*lines, port="0", durability="memory"):
        (tmp_path / "leveret.toml").write_text("\n".join((f"durability = '{durability}'", *lines)))
        process = leveret("server", "--port", port) if port else leveret("server")
        line = process.stdout.readline()
        match = READY.fullmatch(line)
        assert match, (line, process.poll(), process.stderr.read() if process.poll() else "")
        return match[1]

    return start


@contextlib.contextmanager
def channel_to(url):
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        yield connection.channel()
    finally:
        if connection.is_open:
            connection.close()


def tuned(url):
    """channel_max, frame_max and heartbeat of connection.tune."""
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10) as connected:
        start_ok = b"\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US"
        connected.sendall(b"AMQP\0\0\x09\x01\1\0\0" + struct.pack(">I", len(start_ok)) + start_ok + b"\xce")
        received = b""
        while b"\0\x0a\0\x1e" not in received or not received.endswith(b"\xce"):
            data = connected.recv(4096)
            assert data, received
            received += data
    return struct.unpack(">HIH", received[-9:-1])


def test_what_is_offered_in_the_handshake(served):
    assert tuned(served("heartbeat = 7", "frame_max = 8192", "channel_max = 9")) == (9, 8192, 7)
    assert tuned(served()) == (2047, 131072, 60)


def test_no_heartbeats_and_as_many_channels_as_there_are_numbers(served):
    assert tuned(served("heartbeat = 0", "channel_max = 0")) == (65535, 131072, 0)


def greeting(url):
    """The bytes of connection.start."""
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10) as connected:
        connected.sendall(b"AMQP\0\0\x09\x01")
        received = b""
        while not received.endswith(b"en_US\xce"):
            data = connected.recv(4096)
            assert data, received
            received += data
    return received


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["nodename = 'mine@here'"], "mine@here"),
        (["nodename = 'mine'"], f"mine@{socket.gethostname().partition('.')[0]}"),
        (["nodename = 'mine@here'", "cluster_name = 'ours'"], "ours"),
    ],
)
def test_the_name_that_clients_are_told(served, lines, name):
    told = b"\x0ccluster_nameS" + struct.pack(">I", len(name)) + name.encode()
    assert told in greeting(served(*lines))


def test_the_largest_message(served):
    with channel_to(served("max_message_size = 10")) as channel:
        channel.confirm_delivery()
        channel.basic_publish("", "q", b"x" * 10)
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as raised:
            channel.basic_publish("", "q", b"x" * 11)
    assert "message size 11 is larger than configured max size 10" in raised.value.reply_text


def test_the_consumer_timeout(served):
    with channel_to(served("consumer_timeout = 50")) as channel:
        channel.queue_declare("q")
        channel.basic_publish("", "q", b"x")
        channel.basic_get("q")
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as raised:
            while True:
                channel.queue_declare("q", passive=True)
    assert "Timeout value used: 50 ms" in raised.value.reply_text


def test_the_default_queue_type(served):
    with channel_to(served("default_queue_type = 'quorum'")) as channel:
        channel.queue_declare("q", **DURABLE)
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as raised:
            channel.queue_declare("q", arguments={"x-queue-type": "classic"}, **DURABLE)
    assert raised.value.reply_code == 406


def test_the_time_for_the_handshake(served):
    url = served("handshake_timeout = 50")
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10) as connected:
        connected.sendall(b"AMQP")
        with pytest.raises(ConnectionResetError):
            connected.recv(1)


def blocked_for(url):
    """Why a publisher is blocked; another connection consumes meanwhile. Its close would wait for the end of that."""
    publisher = pika.BlockingConnection(pika.URLParameters(url))
    reasons = []
    publisher.add_on_connection_blocked_callback(lambda _, frame: reasons.append(frame.method.reason))
    with channel_to(url) as consumer:
        consumer.queue_declare("q")
        publisher.channel().basic_publish("", "q", b"x")
        while not reasons:
            publisher.process_data_events(time_limit=10)
        assert consumer.basic_get("q")[2] == b"x"
    return reasons


@pytest.mark.parametrize(
    "lines",
    [
        ["vm_memory_high_watermark.absolute = '1MB'"],
        ["vm_memory_high_watermark.relative = 0.0"],
        ["total_memory_available_override_value = '1MB'"],
    ],
)
def test_the_memory_watermark(served, lines):
    assert blocked_for(served(*lines)) == ["low on memory"]


@pytest.mark.parametrize(
    "lines",
    [
        ["disk_free_limit.absolute = '100TB'"],
        ["disk_free_limit.relative = 100.0", "total_memory_available_override_value = '1TB'"],
    ],
)
def test_the_disk_watermark(served, lines):
    assert blocked_for(served("data_dir = 'data'", *lines, durability="os")) == ["low on disk"]


def refusal(url):
    """How a login is refused: the reply text."""
    with pytest.raises(pika.exceptions.AMQPConnectionError) as raised:
        pika.BlockingConnection(pika.URLParameters(url))
    return repr(raised.value)


def test_the_first_user_and_its_virtual_host(served):
    url = served(
        "default_user = 'me'", "default_pass = 'secret'", "default_user_tags = ['monitoring']",
        "default_vhost = 'mine'", "default_permissions.configure = '^mine'", "default_permissions.write = '.*'",
        "default_permissions.read = ''",
    )  # fmt: skip
    assert "ACCESS_REFUSED" in refusal(url)
    with channel_to(url.replace("//", "//me:secret@") + "/mine") as channel:
        channel.queue_declare("mine")
        channel.basic_publish("", "mine", b"x")
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as raised:
            channel.basic_get("mine")
    assert "read access to queue 'mine' in vhost 'mine' refused for user 'me'" in raised.value.reply_text


def test_a_pattern_that_is_none_is_told(ended):
    status, _, stderr = ended(
        "server", "--in-memory", "--port", "0", "--default-permissions-write", "(", "--log-level", "error"
    )
    assert (status, stderr) == (1, "leveret server: default_permissions: '(' is no valid pattern\n")


@pytest.mark.parametrize(("users", "is_let_in"), [("['guest']", False), ("[]", True), ("['other']", True)])
def test_users_of_this_machine_only(served, users, is_let_in):
    """The machine itself by an address that is not of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_route:
        try:
            any_route.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no other address")
        address = any_route.getsockname()[0]
    url = served(f"loopback_users = {users}", "host = '0.0.0.0'").replace("127.0.0.1", address)
    if is_let_in:
        with channel_to(url):
            pass
    else:
        assert "ACCESS_REFUSED" in refusal(url)


def test_mechanisms(served):
    url = served("auth_mechanisms = ['AMQPLAIN']")
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection(pika.URLParameters(url))


def test_several_listeners(served):
    url = served("listeners.tcp = ['127.0.0.2:0', '[::1]:0', '0.0.0.0:0']", port=None)
    assert url.startswith("amqp://127.0.0.2:")
    with channel_to(url):
        pass


def test_nothing_to_listen_on_is_told_in_one_line(ended):
    status, _, stderr = ended("server", "--in-memory", "--listeners-tcp", "none", "--log-level", "error")
    assert (status, stderr) == (
        1,
        "leveret server: there is nothing to listen on: neither listeners.tcp nor listeners.ssl has an address\n",
    )


def test_the_log_goes_where_it_is_sent(served, tmp_path):
    (tmp_path / "logs").mkdir()
    with channel_to(
        served("log.file = 'a.log'", "log.dir = 'logs'", "log.file_level = 'warning'", "log.level = 'none'")
    ):
        pass
    url = served("log.file = 'b.log'", "log.console = false", "log.level = 'error'", "log.file_level = 'info'")
    with channel_to(url):
        pass
    assert (tmp_path / "logs" / "a.log").read_text() == ""
    assert "granted access to vhost '/'" in (tmp_path / "b.log").read_text()


def test_stderr_has_a_level_of_its_own(leveret, tmp_path):
    process = leveret("server", "--port", "0", "--in-memory", "--log-level", "none", "--log-console-level", "debug")
    process.stdout.readline()
    process.terminate()
    assert "stopping: SIGTERM" in process.communicate(timeout=10)[1]


def test_the_http_api_listens_where_it_is_told_to(leveret):
    process = leveret(
        "server", "--port", "0", "--in-memory", "--management-port", "0", "--management-host", "127.0.0.2"
    )
    match = re.fullmatch(
        r"leveret ready on amqp://127.0.0.1:\d+ and (http://127.0.0.2:\d+) .*\n", process.stdout.readline()
    )
    answer = httpx.get(f"{match[1]}/api/whoami", auth=("guest", "guest"), timeout=20)
    assert answer.json()["name"] == "guest"


def test_the_http_api_can_be_without_statistics(leveret, tmp_path):
    lines = ("management.disable_stats = true", "management.enable_queue_totals = true", "log.file = 'it.log'")
    (tmp_path / "leveret.toml").write_text("\n".join(lines))
    process = leveret("server", "--port", "0", "--in-memory", "--management-port", "0")
    url = re.search(r"http://\S+", process.stdout.readline())[0]
    overview = httpx.get(f"{url}/api/overview", auth=("guest", "guest"), timeout=20).json()
    assert (overview["disable_stats"], overview["enable_queue_totals"]) == (True, True)
    assert "message_stats" not in overview
    assert overview["queue_totals"]["messages"] == 0
    (node,) = httpx.get(f"{url}/api/nodes", auth=("guest", "guest"), timeout=20).json()
    assert node["log_files"] == [str(tmp_path / "it.log"), "<stderr>"]
    assert node["config_files"] == [str(tmp_path / "leveret.toml")]


def test_the_http_api_over_tls_for_pages_of_other_sites_under_a_prefix(leveret, tmp_path):
    authority = Authority(tmp_path)
    authority.issue(password="secret")
    lines = (
        "management.ssl.port = 0",
        "management.ssl.ip = '127.0.0.2'",
        "management.ssl.certfile = 'server.pem'",
        "management.ssl.keyfile = 'server.key'",
        "management.ssl.password = 'secret'",
        "management.ssl.cacertfile = 'ca.pem'",
        "management.ssl.verify = 'verify_peer'",
        "management.ssl.fail_if_no_peer_cert = true",
        "management.path_prefix = '/rabbit'",
        "management.cors.allow_origins = ['https://example.com']",
        "management.cors.max_age = 7",
        "management.http.max_body_size = 10",
        "management.login_session_timeout = 5",
    )
    (tmp_path / "leveret.toml").write_text("\n".join(lines))
    process = leveret("server", "--port", "0", "--in-memory")
    url = re.search(r"https://127.0.0.2:\d+", process.stdout.readline())[0]
    without = client_context(authority)
    without.check_hostname = False
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/rabbit/api/whoami", verify=without, timeout=20)
    context = client_context(authority, "alice")
    context.check_hostname = False
    with httpx.Client(base_url=f"{url}/rabbit/api", auth=("guest", "guest"), verify=context, timeout=20) as client:
        assert client.get("/whoami").json()["login_session_timeout"] == 5
        asked = client.options("/queues", headers={"origin": "https://example.com"})
        assert asked.headers["access-control-allow-origin"] == "https://example.com"
        assert asked.headers["access-control-max-age"] == "7"
        refused = client.put("/queues/%2F/q", content=b'{"durable": true}')
        assert refused.json()["reason"] == "Exceeded HTTP request body size limit"


def test_definitions_are_there_at_the_start(served, tmp_path):
    users = [{"name": "alice", "tags": "", "password": "secret"}]
    permissions = [{"user": "alice", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}]
    (tmp_path / "defs.json").write_text(json.dumps({"users": users, "permissions": permissions}))
    url = served("load_definitions = 'defs.json'")
    with channel_to(url.replace("://", "://alice:secret@")) as channel:
        channel.queue_declare("q")
    with pytest.raises(pika.exceptions.ProbableAuthenticationError), channel_to(url):
        pass


def test_definitions_that_cannot_be_used_are_told_in_one_line(ended, tmp_path):
    (tmp_path / "defs.json").write_text('{"users": [\n')
    status, stdout, stderr = ended("server", "--port", "0", "--in-memory", "--load-definitions", "defs.json")
    assert (status, stdout) == (1, "")
    told = "load_definitions: defs.json: Expecting value: line 2 column 1 (char 12)"
    assert stderr.splitlines()[-1] == f"leveret server: {told}"


def test_a_taken_port_of_the_http_api_is_told_in_one_line(ended):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, stdout, stderr = ended(
            "server", "--port", "0", "--in-memory", "--management-port", str(port), "--log-level", "error"
        )
    assert (status, stdout) == (1, "")
    assert stderr == f"leveret server: cannot listen on 127.0.0.1:{port}: Address already in use\n"


METRICS = re.compile(r"Prometheus metrics: HTTP \(non-TLS\) listener started on port (\d+)\n")


def scraped(leveret, path, *arguments):
    """What the metrics of a new server say at this path."""
    process = leveret("server", "--port", "0", "--in-memory", "--metrics-port", "0", *arguments)
    port = next(match[1] for line in iter(process.stderr.readline, "") if (match := METRICS.search(line)))
    return httpx.get(f"http://127.0.0.1:{port}{path}")


def test_where_the_metrics_are(leveret):
    response = scraped(
        leveret, "/m", "--metrics-host", "127.0.0.1", "--metrics-path", "/m", "--metrics-per-object", "true"
    )
    assert response.status_code == 200
    assert 'rabbitmq_endpoint="per-object"' in response.text


def test_the_metrics_over_tls_for_users_only(leveret, tmp_path):
    authority = Authority(tmp_path)
    authority.issue(password="secret")
    lines = (
        "metrics.ssl.port = 0",
        "metrics.ssl.ip = '127.0.0.2'",
        "metrics.ssl.certfile = 'server.pem'",
        "metrics.ssl.keyfile = 'server.key'",
        "metrics.ssl.password = 'secret'",
        "metrics.ssl.cacertfile = 'ca.pem'",
        "metrics.ssl.verify = 'verify_peer'",
        "metrics.ssl.fail_if_no_peer_cert = true",
        "metrics_authentication = true",
    )
    (tmp_path / "leveret.toml").write_text("\n".join(lines))
    process = leveret("server", "--port", "0", "--in-memory", "--no-management")
    started = re.compile(r"Prometheus metrics: HTTPS listener started on port (\d+)\n")
    port = next(match[1] for line in iter(process.stderr.readline, "") if (match := started.search(line)))
    url = f"https://127.0.0.2:{port}/metrics"
    without, context = client_context(authority), client_context(authority, "alice")
    without.check_hostname = context.check_hostname = False
    with pytest.raises(httpx.TransportError):
        httpx.get(url, verify=without, timeout=20)
    with httpx.Client(verify=context, timeout=20) as client:
        assert client.get(url).status_code == 401
        assert "rabbitmq_identity_info" in client.get(url, auth=("guest", "guest")).text


def test_no_metrics_wins_over_a_port(leveret):
    process = leveret("server", "--port", "0", "--in-memory", "--metrics-port", "0", "--no-metrics")
    told = (line for line in iter(process.stderr.readline, "") if "plugins started" in line or METRICS.search(line))
    assert "plugins started" in next(told)


def test_no_management_wins_over_a_port(leveret):
    process = leveret("server", "--port", "0", "--in-memory", "--management-port", "0", "--no-management")
    assert READY.fullmatch(process.stdout.readline())


def test_a_log_file_that_cannot_be_written_is_told_in_one_line(ended, tmp_path):
    status, _, stderr = ended("server", "--port", "0", "--log-file", "nowhere/a.log")
    assert (status, stderr) == (1, "leveret server: cannot log to nowhere/a.log: No such file or directory\n")


def test_a_wrong_configuration_is_told_a_line_for_each_problem(ended, tmp_path):
    (tmp_path / "leveret.toml").write_text("heartbeat = 'x'\nhartbeat = 1\n")
    status, stdout, stderr = ended("server")
    assert (status, stdout) == (1, "")
    assert stderr == (
        "leveret server: leveret.toml:2: unknown setting 'hartbeat'; did you mean 'heartbeat'?\n"
        "leveret server: leveret.toml:1: heartbeat: a number of seconds, 0 to 65535, not 'x'\n"
    )


def test_every_setting_has_a_test_here_or_is_tested_as_an_option():
    """Whoever adds a row shows that it is obeyed."""
    tests = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]
    untested = [
        setting.name for setting in TABLE
        if not any(f'"{setting.name} = ' in text or f'"{setting.option}"' in text for text in tests)
    ]  # fmt: skip
    assert untested == []
