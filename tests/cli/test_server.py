"""`leveret server`: how it says that it is ready, how it stops, and what it says where it cannot start."""

import contextlib
import re
import resource
import signal
import socket
import stat
import time

import pika
import pytest

READY = re.compile(r"leveret ready on (amqp://127\.0\.0\.1:(\d+)) in (\d+\.\d\d) s \((.+)\)\n")


@pytest.fixture
def ready(leveret):
    """A server on a free port that has said it is ready: (process, url, port)."""

    def start(*arguments):
        process = leveret("server", "--port", "0", *arguments)
        line = process.stdout.readline()
        match = READY.fullmatch(line)
        assert match, (line, process.poll())
        return process, match[1], int(match[2])

    return start


def connect_and_fall_silent(port):
    """A client that logs in and opens the vhost, in one go, and from then on neither reads nor answers."""
    connected = socket.create_connection(("127.0.0.1", port), timeout=10)
    connected.sendall(
        b"AMQP\0\0\x09\x01"
        + method(b"\0\x0a\0\x0b", b"\0\0\0\0", b"\x05PLAIN", b"\0\0\0\x0c\0guest\0guest", b"\x05en_US")  # start-ok
        + method(b"\0\x0a\0\x1f", b"\x07\xff", b"\0\x02\0\0", b"\0\0")  # tune-ok
        + method(b"\0\x0a\0\x28", b"\x01/", b"\0", b"\0")  # open
    )
    received = b""
    while b"\0\x0a\0\x29" not in received:  # open-ok
        data = connected.recv(4096)
        assert data, received
        received += data
    return connected


def method(*parts):
    payload = b"".join(parts)
    return b"\1\0\0" + len(payload).to_bytes(4, "big") + payload + b"\xce"


def stop(process, number=signal.SIGTERM):
    """Returns (exit status, the rest of stdout, stderr, seconds)."""
    begun = time.monotonic()
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=10)
    return process.returncode, stdout, stderr, time.monotonic() - begun


def test_a_client_can_connect_once_the_ready_line_is_there(ready):
    process, url, port = ready()
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        assert connection.is_open
    assert port != 0
    assert stop(process)[0] == 0


def test_the_ready_line_is_all_there_is_on_stdout(ready):
    process, url, _ = ready()
    pika.BlockingConnection(pika.URLParameters(url)).close()
    _, stdout, stderr, _ = stop(process)
    assert stdout == ""
    assert "user 'guest' authenticated and granted access to vhost '/'" in stderr


def test_the_ready_line_tells_the_time_from_the_start_of_the_process(leveret):
    begun = time.monotonic()
    line = leveret("server", "--port", "0").stdout.readline()
    waited = time.monotonic() - begun
    told = float(READY.fullmatch(line)[3])
    assert 0.02 < told < waited + 0.02


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_connections_with_320_and_ends_it_with_status_0(ready, number):
    process, url, _ = ready()
    connection = pika.BlockingConnection(pika.URLParameters(url))
    process.send_signal(number)
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as raised:
        while True:
            connection.process_data_events(time_limit=5)
    assert raised.value.reply_code == 320
    assert raised.value.reply_text == "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"
    _, stderr = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "Traceback" not in stderr


def test_it_ends_within_two_seconds_though_a_client_does_not_answer(ready):
    process, _, port = ready()
    with connect_and_fall_silent(port), socket.create_connection(("127.0.0.1", port)) as half_open:
        half_open.sendall(b"AMQP")
        status, _, stderr, seconds = stop(process)
    assert status == 0
    assert seconds < 2
    assert "Traceback" not in stderr


def test_the_port_file_holds_the_port_when_the_line_is_there(ready, tmp_path):
    _, _, port = ready("--in-memory", "--port-file", "sub.port")
    assert (tmp_path / "sub.port").read_text() == f"{port}\n"
    assert stat.S_IMODE((tmp_path / "sub.port").stat().st_mode) & 0o444
    assert [path.name for path in tmp_path.iterdir()] == ["sub.port"]


def test_an_old_port_file_is_replaced(ready, tmp_path):
    (tmp_path / "port").write_text("1\n")
    _, _, port = ready("--port-file", "port")
    assert (tmp_path / "port").read_text() == f"{port}\n"


def test_connections_are_limited_by_the_hard_limit_of_open_files_only(leveret):
    limits = (32, 256)
    process = leveret("server", "--port", "0", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits))
    port = int(READY.fullmatch(process.stdout.readline())[2])
    with contextlib.ExitStack() as clients:
        for _ in range(100):
            clients.enter_context(connect_and_fall_silent(port))


def test_the_log_level_hides_what_is_below(ready):
    process, url, _ = ready("--log-level", "error")
    pika.BlockingConnection(pika.URLParameters(url)).close()
    assert stop(process)[2] == ""


# -- what cannot be


def one_line(text):
    return text.count("\n") == 1 and text.endswith("\n")


def test_a_port_in_use_is_said_in_one_line(ended):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, stdout, stderr = ended("server", "--port", str(port), "--log-level", "error")
    assert (status, stdout) == (1, "")
    assert stderr == f"leveret server: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_host_that_does_not_resolve_is_said_in_one_line(ended):
    status, stdout, stderr = ended("server", "--host", "no-such-host.invalid", "--port", "0", "--log-level", "error")
    assert (status, stdout) == (1, "")
    assert one_line(stderr)
    assert stderr.startswith("leveret server: cannot listen on no-such-host.invalid:0: ")


@pytest.mark.parametrize("port_file", ["nowhere/port", "/", ""])
def test_a_port_file_that_cannot_be_written_is_said_in_one_line(ended, port_file):
    status, stdout, stderr = ended("server", "--port", "0", "--port-file", port_file, "--log-level", "error")
    assert (status, stdout) == (1, "")
    assert one_line(stderr)
    assert stderr.startswith("leveret server: cannot write the port to ")


def published_and_counted(url):
    """Publish one persistent message to a durable queue; answers how many are in it then."""
    with contextlib.closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("q", durable=True)
        channel.basic_publish("", "q", b"kept", pika.BasicProperties(delivery_mode=2))
        return channel.queue_declare("q", passive=True).method.message_count


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_confirmed_is_there_after_the_next_start(ready, tmp_path, number):
    for count in (1, 2):
        process, url, _ = ready("--data-dir", "data")
        assert published_and_counted(url) == count
        process.send_signal(number)
        process.wait(10)
    assert (tmp_path / "data").is_dir()


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ([], "fsync, data in {home}/.local/share/leveret"),
        (["--data-dir", "data"], "fsync, data in data"),
        (["--data-dir", "data", "--durability", "os"], "os, data in data"),
        (["--in-memory"], "in memory"),
        (["--durability", "memory"], "in memory"),
    ],
)
def test_the_ready_line_tells_where_messages_are_kept(leveret, tmp_path, arguments, where):
    line = leveret("server", "--port", "0", *arguments).stdout.readline()
    assert READY.fullmatch(line)[4] == where.format(home=tmp_path)


def test_nothing_is_kept_in_memory(ready, tmp_path):
    for _ in range(2):
        process, url, _ = ready("--in-memory")
        assert published_and_counted(url) == 1
        stop(process)
    assert list(tmp_path.iterdir()) == []


def test_a_second_broker_on_one_directory_is_refused_in_one_line(ready, ended):
    process, _, _ = ready("--data-dir", "data")
    status, stdout, stderr = ended("server", "--port", "0", "--data-dir", "data", "--log-level", "error")
    assert (status, stdout) == (1, "")
    assert one_line(stderr)
    assert f"process {process.pid}" in stderr


def test_a_directory_that_cannot_be_used_is_said_in_one_line(ended, tmp_path):
    (tmp_path / "data").write_text("not a folder")
    status, stdout, stderr = ended("server", "--port", "0", "--data-dir", "data", "--log-level", "error")
    assert (status, stdout) == (1, "")
    assert one_line(stderr)
    assert stderr.startswith("leveret server: ")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["server", "--port", "65536"], "a port, 0 to 65535, not '65536'"),
        (["server", "--port", "-1"], "a port, 0 to 65535, not '-1'"),
        (["server", "--port", "amqp"], "a port, 0 to 65535, not 'amqp'"),
        (["server", "--log-level", "loud"], "debug, info, warning, error, critical or none, not 'loud'"),
        (["server", "--in-memory", "--data-dir", "data"], "not allowed with argument --in-memory"),
        (["server", "--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["hop"], "invalid choice: 'hop'"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_a_bad_command_line_is_said_in_one_line(ended, arguments, complaint):
    status, stdout, stderr = ended(*arguments)
    assert (status, stdout) == (2, "")
    assert one_line(stderr)
    assert complaint in stderr


def test_version(ended):
    from leveret.version import version_and_build

    assert ended("--version") == (0, f"leveret {version_and_build()}\n", "")


def test_help_names_every_option(ended):
    status, stdout, stderr = ended("server", "--help")
    assert (status, stderr) == (0, "")
    for option in ("--host", "--port", "--in-memory", "--data-dir", "--durability", "--log-level", "--port-file"):
        assert option in stdout
