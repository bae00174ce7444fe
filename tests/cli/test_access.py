"""`leveret server` with the settings of who is let in."""

import re

import pika
import pytest

from tests.checking_service import running_service

READY = re.compile(r"leveret ready on amqp://127\.0\.0\.1:(\d+) .*\n")


@pytest.fixture
def ready(leveret):
    """A server with these options, once it is ready: its port."""

    def start(*options):
        process = leveret("server", "--in-memory", *options)
        match = READY.fullmatch(process.stdout.readline())
        assert match, process.stderr.read() if process.poll() else "not ready"
        return int(match[1])

    return start


@pytest.fixture
def service():
    with running_service() as service:
        yield service


def paths(service):
    return [
        "--auth-http-user-path", f"{service.url}/user",
        "--auth-http-vhost-path", f"{service.url}/vhost",
        "--auth-http-resource-path", f"{service.url}/resource",
        "--auth-http-topic-path", f"{service.url}/topic",
    ]  # fmt: skip


def test_a_service_is_asked_at_the_paths_that_were_given(ready, service):
    port = ready("--port", "0", "--auth-backends", "http,internal", "--auth-http-http-method", "post", *paths(service))
    credentials = pika.PlainCredentials("ann", "s3cret")
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port, credentials=credentials)) as connection:
        connection.channel().queue_declare("ann.q")
        connection.channel().queue_bind("ann.q", "amq.topic", "k")
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port)) as connection:
        connection.channel().queue_declare("guest.q")
    assert {method for method, _, _ in service.asked} == {"POST"}
    asked = [(path, form["username"]) for _, path, form in service.asked]
    assert asked == [
        ("/user", "ann"), ("/vhost", "ann"), ("/resource", "ann"), ("/resource", "ann"), ("/resource", "ann"),
        ("/topic", "ann"), ("/user", "guest"),
    ]  # fmt: skip
