"""Debian's amqp-tools: the C client librabbitmq, driven from a shell as people do in scripts."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.scenarios.blocking import drain, publish

TOOLS = ("amqp-publish", "amqp-get", "amqp-consume", "amqp-declare-queue", "amqp-delete-queue")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
DEADLINE_SECONDS = 15.0

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"no {', '.join(MISSING)}: apt-get install amqp-tools")

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def run(broker_url: str) -> Run:
    """`run("get", "-q", "name")` runs amqp-get against the broker and returns it when it has ended, however it did."""

    def run_tool(tool: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = [f"amqp-{tool}", "--url", broker_url, *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, timeout=DEADLINE_SECONDS)

    return run_tool


@pytest.fixture
def queue(run: Run, unique: Callable[[str], str]) -> str:
    """A queue declared by amqp-declare-queue, which prints its name."""
    name = unique("shell")
    declared = run("declare-queue", "-q", name)
    assert (declared.returncode, declared.stdout.strip()) == (0, name.encode())
    return name


def test_publish_and_get(run: Run, queue: str) -> None:
    assert run("publish", "-r", queue, "-b", "hello").returncode == 0
    assert run("publish", "-r", queue, stdin=b"from\nstdin\0").returncode == 0
    assert [run("get", "-q", queue).stdout for _ in range(2)] == [b"hello", b"from\nstdin\0"]


def test_get_from_an_empty_queue_ends_with_status_two(run: Run, queue: str) -> None:
    got = run("get", "-q", queue)
    assert (got.returncode, got.stdout) == (2, b"")


def test_publish_sets_properties_and_headers(run: Run, queue: str, channel: BlockingChannel) -> None:
    options = ["-p", "-C", "text/plain", "-E", "utf-8", "-t", "answers", "-H", "trace: on", "-H", "shop: größe"]
    assert run("publish", "-r", queue, *options, "-b", "x").returncode == 0
    _, properties, body = channel.basic_get(queue, auto_ack=True)
    assert (properties.content_type, properties.content_encoding, properties.reply_to) == (
        "text/plain",
        "utf-8",
        "answers",
    )
    assert (properties.delivery_mode, body) == (2, b"x")
    assert properties.headers == {"trace": "on", "shop": "größe"}


def test_publish_line_by_line_and_consume_until_the_count(run: Run, queue: str) -> None:
    """amqp-consume runs the command once for each message, with the body on its standard input."""
    lines = b"".join(b"line %d\n" % number for number in range(20))
    assert run("publish", "-r", queue, "-l", stdin=lines).returncode == 0
    consumed = run("consume", "-q", queue, "-c", "20", "-p", "5", "cat")
    assert (consumed.returncode, consumed.stdout) == (0, lines)
    assert run("get", "-q", queue).returncode == 2


def test_consume_rejects_back_into_the_queue_when_the_command_fails(run: Run, queue: str) -> None:
    run("publish", "-r", queue, "-b", "difficult")
    assert run("consume", "-q", queue, "-c", "1", "grep", "easy").returncode == 0
    assert run("get", "-q", queue).stdout == b"difficult"


def test_consume_declares_and_binds_a_queue_of_its_own(
    run: Run, broker_url: str, unique: Callable[[str], str], channel: BlockingChannel
) -> None:
    """Without a queue name the server makes one, and amqp-consume prints it; it is bound a moment later."""
    exchange = unique("news")
    channel.exchange_declare(exchange, "topic")
    command = ["amqp-consume", "--url", broker_url, "-e", exchange, "-r", "sport.#", "-x", "-A", "-c", "1", "cat"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as consuming:
        assert consuming.stdout
        assert consuming.stderr
        assert consuming.stderr.readline().startswith(b"Server provided queue name: amq.gen-")
        publish_once_bound(channel, exchange, "sport.football", b"goal")
        assert consuming.stdout.read() == b"goal"
    assert consuming.returncode == 0


def publish_once_bound(channel: BlockingChannel, exchange: str, routing_key: str, body: bytes) -> None:
    """Publish with mandatory and confirm until somebody gets it. Raises: UnroutableError after DEADLINE_SECONDS"""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            channel.basic_publish(exchange, routing_key, body, mandatory=True)
            return
        except pika.exceptions.UnroutableError:
            if time.monotonic() > deadline:
                raise


def test_large_body_passes(run: Run, queue: str, channel: BlockingChannel) -> None:
    body = bytes(range(256)) * 4096
    publish(channel, queue, body)
    assert run("get", "-q", queue).stdout == body
    assert run("publish", "-r", queue, stdin=body).returncode == 0
    assert drain(channel, queue) == [body]


def test_delete_queue_tells_how_many_messages_it_held(run: Run, queue: str) -> None:
    for _ in range(3):
        run("publish", "-r", queue, "-b", "x")
    refused = run("delete-queue", "-q", queue, "-e")
    assert refused.returncode != 0
    assert b"PRECONDITION_FAILED" in refused.stderr
    deleted = run("delete-queue", "-q", queue)
    assert (deleted.returncode, deleted.stdout) == (0, b"3\n")


def test_errors_of_the_broker_are_printed(run: Run, broker_url: str, unique: Callable[[str], str]) -> None:
    missing = run("get", "-q", unique("missing"))
    assert missing.returncode != 0
    assert b"NOT_FOUND - no queue" in missing.stderr
    vhost = subprocess.run(
        ["amqp-get", "--url", broker_url.rpartition("/")[0] + "/no-such-vhost", "-q", "x"],
        capture_output=True,
        timeout=DEADLINE_SECONDS,
    )
    assert vhost.returncode != 0
    assert b"NOT_ALLOWED - vhost no-such-vhost not found" in vhost.stderr
