"""Virtual hosts, limits, users and tracing under the hands of an operator, with pika."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pika
import pytest

from interop.admin import Admin
from interop.scenarios.blocking import drain, publish, wait_for_ready_count
from interop.scenarios.callbacks import Inbox, Play, Steps, play
from interop.scenarios.conftest import Connect


def closed_by(broken: Callable[[], object]) -> tuple[int, str]:
    """Reply code and text of the connection.close that the call brings."""
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as caught:
        broken()
    return caught.value.reply_code, caught.value.reply_text


def assert_not_let_in(connect: Connect, url: str, text: str) -> None:
    """connection.open is answered with 530 and this text."""
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError, match=re.escape(f"NOT_ALLOWED - {text}")):
        connect(url)


def test_virtual_hosts_share_nothing(admin: Admin, connect: Connect, broker_url: str) -> None:
    here, there = connect(admin.url).channel(), connect(broker_url).channel()
    here.queue_declare("same-name")
    there.queue_declare("same-name", exclusive=True)
    here.confirm_delivery()
    publish(here, "same-name", b"only here")
    assert (drain(there, "same-name"), drain(here, "same-name")) == ([], [b"only here"])


def test_deleting_a_virtual_host_cancels_consumers_and_closes_connections(admin: Admin, connect: Connect) -> None:
    def scenario(play: Play) -> Steps:
        channel = yield play.channel
        yield partial(channel.queue_declare, "work")
        cancelled = Inbox()
        channel.add_on_cancel_callback(cancelled.put)
        yield partial(channel.basic_consume, "work", lambda *delivery: None, consumer_tag="worker")
        admin.delete_vhost()
        error = yield play.closed
        told = (error.reply_code, error.reply_text)
        assert told == (320, f"CONNECTION_FORCED - vhost '{admin.vhost}' is deleted")
        assert [frame.method.consumer_tag for frame in cancelled.items] == ["worker"]

    play(pika.SelectConnection, admin.url, scenario)
    assert_not_let_in(connect, admin.url, f"vhost {admin.vhost} not found")


def test_a_limit_of_connections_lets_no_more_in(admin: Admin, connect: Connect) -> None:
    first = connect(admin.url)
    admin.set_vhost_limits(max_connections=1)
    refusal = f"access to vhost '{admin.vhost}' refused for user 'guest': connection limit (1) is reached"
    assert_not_let_in(connect, admin.url, refusal)
    assert first.channel().queue_declare("still served").method.message_count == 0
    admin.set_vhost_limits(max_connections=-1)
    connect(admin.url)


def test_a_limit_of_queues_allows_those_that_are_there(admin: Admin, connect: Connect) -> None:
    connection = connect(admin.url)
    channel = connection.channel()
    channel.queue_declare("first")
    admin.set_vhost_limits(max_queues=1)
    channel.queue_declare("first")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        channel.queue_declare("second")
    text = f"cannot declare queue 'second': queue limit in vhost '{admin.vhost}' (1) is reached"
    assert (caught.value.reply_code, caught.value.reply_text) == (406, f"PRECONDITION_FAILED - {text}")
    channel = connection.channel()
    channel.queue_delete("first")
    channel.queue_declare("second")


def test_a_user_has_limits_of_its_own(admin: Admin, connect: Connect, is_rabbitmq: bool) -> None:
    user = f"user-of-{admin.vhost}"
    url = admin.add_user(user, "secret")
    connection = connect(url)
    admin.set_user_limits(user, max_connections=1, max_channels=2)
    assert_not_let_in(connect, url, f"connection refused for user '{user}': user connection limit (1) is reached")
    connect(admin.url)
    for _ in range(2):
        connection.channel()
    limit = "(2)" if is_rabbitmq else "2"  # RabbitMQ from 4.0 has no parentheses (VER-36)
    refusal = f"number of channels opened for user '{user}' has reached the maximum allowed user limit of {limit}"
    assert closed_by(connection.channel) == (530, f"NOT_ALLOWED - {refusal}")


def test_a_new_user_logs_in_with_its_password_only(admin: Admin, connect: Connect) -> None:
    user = f"user-of-{admin.vhost}"
    connect(admin.add_user(user, "secret")).channel()
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        connect(admin.url_of(user, "guess"))


def test_tracing_shows_what_is_published_and_delivered(admin: Admin, connect: Connect) -> None:
    channel = connect(admin.url).channel()
    channel.confirm_delivery()
    channel.queue_declare("work")
    channel.queue_declare("trace")
    channel.queue_bind("trace", "amq.rabbitmq.trace", "#")
    publish(channel, "work", b"untraced")
    admin.trace_on()
    channel.basic_publish("", "work", b"traced", pika.BasicProperties(content_type="text/plain"), mandatory=True)
    assert drain(channel, "work") == [b"untraced", b"traced"]
    wait_for_ready_count(channel, "trace", 3)
    traces = [channel.basic_get("trace", auto_ack=True) for _ in range(3)]
    admin.trace_off()
    publish(channel, "work", b"untraced again")

    assert sorted((method.routing_key, body) for method, _, body in traces) == [
        ("deliver.work", b"traced"),
        ("deliver.work", b"untraced"),
        ("publish.", b"traced"),
    ]
    [published] = [properties.headers for method, properties, _ in traces if method.routing_key == "publish."]
    assert published["properties"]["content_type"] == "text/plain"
    assert (published["routing_keys"], published["routed_queues"]) == (["work"], ["work"])
    assert (published["vhost"], published["user"]) == (admin.vhost, "guest")
    assert drain(channel, "trace") == []
