"""Users and permissions that an operator changes under open connections, with pika."""

from __future__ import annotations

import re
from collections.abc import Callable

import pika
import pytest

from interop.admin import Admin
from interop.scenarios.conftest import Connect


def refused(act: Callable[[], object]) -> tuple[int, str]:
    """Reply code and text of the channel.close that the call brings, without the right that RabbitMQ 3.12 and later
    name (PERM-2)."""
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        act()
    return caught.value.reply_code, re.sub("- (configure|write|read) access", "- access", caught.value.reply_text)


@pytest.fixture
def user(admin: Admin) -> str:
    """Its name; the user may do everything in the virtual host of the operator, and its password is secret."""
    name = f"user-of-{admin.vhost}"
    admin.add_user(name, "secret")
    return name


def test_permissions_count_for_the_next_operation(admin: Admin, connect: Connect, user: str) -> None:
    connection = connect(admin.url_of(user, "secret"))
    connection.channel().queue_declare("mine")
    admin.set_permissions(user, "^mine", ".*", ".*")
    text = f"ACCESS_REFUSED - access to queue 'other' in vhost '{admin.vhost}' refused for user '{user}'"
    assert refused(lambda: connection.channel().queue_declare("other")) == (403, text)
    connection.channel().queue_declare("mine")
    admin.clear_permissions(user)
    text = f"ACCESS_REFUSED - access to queue 'mine' in vhost '{admin.vhost}' refused for user '{user}'"
    assert refused(lambda: connection.channel().queue_declare("mine")) == (403, text)
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError, match=f"refused for user '{user}'"):
        connect(admin.url_of(user, "secret"))


def test_topic_permissions_are_for_keys(admin: Admin, connect: Connect, user: str) -> None:
    admin.set_topic_permissions(user, "amq.topic", "^{username}", "^{username}")
    connection = connect(admin.url_of(user, "secret"))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("amq.topic", f"{user}.x", b"")
    text = f"ACCESS_REFUSED - access to topic 'x' in exchange 'amq.topic' in vhost '{admin.vhost}' refused for user"
    assert refused(lambda: channel.basic_publish("amq.topic", "x", b"")) == (403, f"{text} '{user}'")


def test_a_deleted_users_connection_is_closed(admin: Admin, connect: Connect, user: str) -> None:
    connection = connect(admin.url_of(user, "secret"))
    admin.delete_user(user)
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as caught:
        connection.process_data_events(time_limit=10)
    assert (caught.value.reply_code, caught.value.reply_text) == (320, f"CONNECTION_FORCED - user '{user}' is deleted")


def test_a_changed_password_and_new_tags_are_for_new_connections(admin: Admin, connect: Connect, user: str) -> None:
    connection = connect(admin.url_of(user, "secret"))
    admin.change_password(user, "changed")
    admin.set_user_tags(user, "impersonator")
    channel = connection.channel()
    channel.confirm_delivery()
    other = pika.BasicProperties(user_id="other")
    text = f"PRECONDITION_FAILED - user_id property set to 'other' but authenticated user was '{user}'"
    assert refused(lambda: channel.basic_publish("amq.fanout", "", b"", other)) == (406, text)
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        connect(admin.url_of(user, "secret"))
    channel = connect(admin.url_of(user, "changed")).channel()
    channel.confirm_delivery()
    channel.basic_publish("amq.fanout", "", b"", other)
