"""What is logged while the server starts: the lines of RabbitMQ that scripts and test containers wait for."""

import logging
import re
import signal
import socket

import pytest

from leveret.cli.start_lines import log_completed

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00 \[info\] <0\.\d+\.0> (.*)\n")
LAST = " * rabbitmq_web_dispatch"


@pytest.fixture
def started(leveret):
    """The lines on stdout of a server in RabbitMQ's place, up to the last plugin; those of the log without time."""

    def start(*arguments):
        process = leveret("server", "--as-rabbitmq", "--port", "0", "--data-dir", "data", *arguments)
        lines = []
        while not lines or lines[-1] != LAST:
            line = process.stdout.readline()
            assert line, (lines, process.stderr.read())
            match = LINE.fullmatch(line)
            lines.append(match[1] if match else line.rstrip("\n"))
        return lines, process

    return start


def test_the_lines_come_in_rabbitmqs_order(started, tmp_path):
    (tmp_path / "enabled_plugins").write_text("[rabbitmq_management].")
    lines, process = started("--management-port", "0")
    host = socket.gethostname().partition(".")[0]
    expected = [
        r"Starting Leveret .*, in place of RabbitMQ 4\.2\.0",
        re.escape(f" node           : rabbit@{host}"),
        r" config file\(s\) : \(none\)",
        r" log\(s\)         : <stdout>",
        r" data dir       : data",
        r"Adding vhost '/' \(description: 'Default virtual host', tags: \[\]\)",
        r"Created user 'guest'",
        r"Successfully set user tags for user 'guest' to \[administrator\]",
        r"Successfully set permissions for user 'guest' in virtual host '/' to '\.\*', '\.\*', '\.\*'",
        r"Memory high watermark set to \d+ MiB \(\d+ bytes\)",
        r"leveret ready on amqp://127\.0\.0\.1:\d+ .*",
        r" completed with 3 plugins\.",
        r"Management plugin: HTTP \(non-TLS\) listener started on port \d+",
        r"Ready to start client connection listeners",
        r"started TCP listener on \[::\]:\d+",
        r"Server startup complete; 3 plugins started\.",
        r" \* rabbitmq_management",
        r" \* rabbitmq_management_agent",
        r" \* rabbitmq_web_dispatch",
    ]
    assert len(lines) == len(expected), lines
    assert [line for line, pattern in zip(lines, expected, strict=True) if not re.fullmatch(pattern, line)] == []
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0


def test_what_is_there_already_is_not_told_as_new(started):
    _, process = started()
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=10)
    lines, _ = started()
    assert "Server startup complete" in " ".join(lines)
    assert [line for line in lines if line.startswith(("Adding", "Created", "Successfully"))] == []


def test_any_place_wins_over_rabbitmqs_defaults(ended, tmp_path, monkeypatch):
    (tmp_path / "rabbitmq.conf").write_text("listeners.tcp.1 = 127.0.0.1:5673\nlog.console.stdio = stderr\n")
    monkeypatch.setenv("RABBITMQ_CONFIG_FILE", "rabbitmq.conf")
    monkeypatch.setenv("RABBITMQ_NODENAME", "hare@burrow")
    status, stdout, _ = ended("config", "show", "--as-rabbitmq")
    assert status == 0
    rows = {line.split()[0]: line.split()[1:] for line in stdout.splitlines()}
    assert rows["listeners.tcp"] == ["127.0.0.1:5673", "rabbitmq.conf:1"]
    assert rows["log.console_stdio"] == ["stderr", "rabbitmq.conf:2"]
    assert rows["nodename"] == ["hare@burrow", "RABBITMQ_NODENAME"]
    assert rows["data_dir"] == ["/var/lib/rabbitmq/mnesia", "--as-rabbitmq"]


def test_the_log_goes_to_the_console_that_is_said(leveret, tmp_path):
    (tmp_path / "leveret.toml").write_text("\n".join(("log.console_stdio = 'stdout'", "enabled_plugins = []")))
    process = leveret("server", "--port", "0", "--in-memory")
    lines = iter(process.stdout.readline, "")
    assert LINE.fullmatch(next(lines))
    assert any("Server startup complete; 0 plugins started.\n" in line for line in lines)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=10)[1] == ""


def test_the_process_number_is_in_a_file_for_rabbitmqctl_wait(started, ended, tmp_path):
    _, process = started()
    path = tmp_path / "data" / f"rabbit@{socket.gethostname().partition('.')[0]}.pid"
    assert path.read_text() == f"{process.pid}\n"
    status, _, stderr = ended("ctl", "wait", str(path), "--data-dir", "data", "--timeout", "10")
    assert (status, stderr) == (0, "")
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=10)
    assert not path.exists()


def test_a_file_of_another_name_is_written_for_any_server(leveret, tmp_path):
    process = leveret("server", "--port", "0", "--in-memory", "--pid-file", "here")
    process.stdout.readline()
    assert (tmp_path / "here").read_text() == f"{process.pid}\n"


def test_what_listens_over_tls_is_told_too(caplog):
    listening = [("amqp", "127.0.0.1", 5672), ("amqp/ssl", "::", 5671), ("https", "::", 15671)]
    with caplog.at_level(logging.INFO):
        log_completed(listening, ["rabbitmq_management"])
    assert [record.getMessage() for record in caplog.records] == [
        "Management plugin: HTTPS listener started on port 15671",
        "Ready to start client connection listeners",
        "started TCP listener on 127.0.0.1:5672",
        "started TLS (SSL) listener on [::]:5671",
        "Server startup complete; 1 plugins started.",
        " * rabbitmq_management",
    ]
