"""Users: adding, changing, deleting; what observers are told; what comes back after a restart."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest

from leveret.auth import users as users_module
from leveret.auth.errors import InvalidCredentials, NoSuchUser, NoSuchVirtualHost, UserExists
from leveret.auth.first_definitions import FirstDefinitions, make_first_definitions
from leveret.auth.passwords import MD5, SHA512, hash_password, is_password
from leveret.auth.permissions import EVERYTHING, InvalidPermission, Permission, TopicPermission
from leveret.auth.users import User, Users
from leveret.core.events import Event
from leveret.core.node import Node
from leveret_protocol.fields import plain
from tests.harness import BrokerHarness

ME = ("user_who_performed_action", "me")


class TestPasswords:
    @pytest.mark.parametrize(
        ("name", "password"), [("ann", "Secret"), ("ann", ""), ("nobody", "secret"), ("", ""), ("Ann", "secret")]
    )
    def test_wrong_name_or_password_is_nobody(self, users: Users, name: str, password: str) -> None:
        users.add(User.with_password("ann", "secret"))
        assert users.authenticate(name, password) is None
        with pytest.raises(InvalidCredentials) as caught:
            users.check_password(name, password)
        assert str(caught.value).endswith(f"\nuser '{name}' - invalid credentials")

    def test_the_right_one_is_let_in_with_its_tags(self, users: Users) -> None:
        users.add(User.with_password("ann", "secret", ["management", "our own word"]))
        user = users.authenticate("ann", "secret")
        assert user is not None
        assert user.tags == ("management", "our own word")
        users.check_password("ann", "secret")

    def test_a_blank_password_is_none(self, users: Users) -> None:
        """RabbitMQ: the internal backend refuses a blank password, whatever hash is kept."""
        users.add(User.with_password("ann", ""))
        users.add(User.with_hash("ben", "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"))
        users.change_password("ben", "")
        assert [users.authenticate(name, "") for name in ("ann", "ben")] == [None, None]
        assert users["ann"].password_hash == users["ben"].password_hash == ""

    @pytest.mark.parametrize("name", ["ann", "nobody", "no-password"])
    def test_every_failure_takes_the_same_path(self, users: Users, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        users.add(User.with_password("ann", "secret"))
        users.add(User("no-password"))
        checked = []

        def recording(password: str, password_hash: str, algorithm: str) -> bool:
            checked.append(password)
            return is_password(password, password_hash, algorithm)

        monkeypatch.setattr(users_module, "is_password", recording)
        assert users.authenticate(name, "wrong") is None
        assert checked == ["wrong"]

    def test_nobody_logs_in_with_what_stands_for_no_password(self, users: Users) -> None:
        users.add(User("ann"))
        assert users.authenticate("ann", "nobody's") is None

    def test_users_of_definitions_log_in_whatever_algorithm_hashed_their_password(self, users: Users) -> None:
        """RabbitMQ: rabbit_password_hashing_sha512; md5 is of before 3.6."""
        by_md5 = base64.b64encode(b"salt" + hashlib.md5(b"saltsecret").digest()).decode()
        users.add(User.with_hash("new", hash_password("secret", algorithm=SHA512), algorithm=SHA512))
        users.add(User.with_hash("old", by_md5, algorithm=MD5))
        for name in ("new", "old"):
            assert users.authenticate(name, "secret") == users[name]
            assert users.authenticate(name, "Secret") is None

    def test_a_new_password_takes_the_place_of_a_hash_by_any_algorithm(self, users: Users) -> None:
        users.add(User.with_hash("ann", hash_password("old", algorithm=SHA512), algorithm=SHA512))
        users.change_password("ann", "new")
        assert users.authenticate("ann", "old") is None
        assert users.authenticate("ann", "new") == users["ann"]

    @pytest.mark.parametrize("password_hash", ["AAAA", "not base64!"])
    def test_what_is_no_hash_is_refused_and_not_repeated(self, password_hash: str) -> None:
        with pytest.raises(ValueError) as caught:
            User.with_hash("ann", password_hash)
        assert password_hash not in str(caught.value)

    def test_a_hash_does_not_show_in_a_repr(self, users: Users) -> None:
        user = User.with_password("ann", "secret")
        assert user.password_hash not in repr(user)


class TestTexts:
    """Those of rabbitmqctl 3.10.8."""

    @pytest.mark.parametrize(
        "act",
        [
            lambda users: users.delete("nobody"),
            lambda users: users.change_password("nobody", "x"),
            lambda users: users.clear_password("nobody"),
            lambda users: users.set_tags("nobody", ["x"]),
            lambda users: users.set_limits("nobody", {}),
            lambda users: users.permissions.set("nobody", "/", EVERYTHING),
            lambda users: users.permissions.clear("nobody", "/"),
            lambda users: users.permissions.set_topic("nobody", "/", "x", TopicPermission("", "")),
            lambda users: users.permissions.clear_topic("nobody", "/"),
            lambda users: list(users.permissions.of_user("nobody")),
            lambda users: list(users.permissions.topics_of_user("nobody")),
        ],
    )
    def test_of_a_user_who_is_not_there(self, users: Users, act: Callable[[Users], None]) -> None:
        with pytest.raises(NoSuchUser) as caught:
            act(users)
        assert str(caught.value) == 'User "nobody" does not exist'

    @pytest.mark.parametrize(
        "act",
        [
            lambda users: users.permissions.set("ann", "nope", EVERYTHING),
            lambda users: users.permissions.clear("ann", "nope"),
            lambda users: users.permissions.set_topic("ann", "nope", "x", TopicPermission("", "")),
            lambda users: users.permissions.clear_topic("ann", "nope"),
            lambda users: list(users.permissions.of_vhost("nope")),
            lambda users: list(users.permissions.topics_of_vhost("nope")),
        ],
    )
    def test_of_a_virtual_host_that_is_not_there(self, users: Users, act: Callable[[Users], None]) -> None:
        users.add(User.with_password("ann", "secret"))
        with pytest.raises(NoSuchVirtualHost) as caught:
            act(users)
        assert str(caught.value) == "Virtual host 'nope' does not exist"

    def test_of_a_user_who_is_there_already_and_of_one_without_a_name(self, users: Users) -> None:
        users.add(User.with_password("ann", "secret"))
        with pytest.raises(UserExists, match='User "ann" already exists'):
            users.add(User.with_password("ann", "other"))
        with pytest.raises(ValueError, match="Bad argument: user cannot be an empty string"):
            users.add(User.with_password("", "secret"))
        assert users.authenticate("ann", "secret") == users["ann"]

    def test_of_a_pattern_that_is_not_valid(self) -> None:
        with pytest.raises(InvalidPermission) as caught:
            Permission(".*", "(", ".*")
        assert str(caught.value).startswith("{:invalid_regexp, '(', {'missing )")
        with pytest.raises(InvalidPermission):
            TopicPermission(".*", "(")


class TestEvents:
    """Seen on RabbitMQ 3.10.8 (XT-24)."""

    def test_of_a_users_life(self, users: Users, told: list[Event]) -> None:
        users.add(User.with_password("ann", "secret"), "me")
        users.set_tags("ann", ["a", "b"], "me")
        users.change_password("ann", "other", "me")
        users.clear_password("ann", "me")
        users.set_limits("ann", {"max-connections": 5}, "me")
        users.clear_limit("ann", "max-connections", "me")
        users.delete("ann", "me")
        name, limits = ("name", "ann"), ("name", "limits")
        assert [(event.name, list(plain(event.details).items())) for event in told] == [
            ("user.created", [name, ME]),
            ("user.tags.set", [name, ("tags", ["a", "b"]), ME]),
            ("user.password.changed", [name, ME]),
            ("user.password.cleared", [name, ME]),
            ("user.limits.set", [limits, ME, ("username", "ann"), ("max-connections", 5)]),
            ("user.limits.cleared", [limits, ME, ("username", "ann")]),
            ("user.deleted", [name, ME]),
        ]

    def test_of_permissions(self, users: Users, told: list[Event]) -> None:
        """A topic permission of one exchange is told to go by the name of the other kind."""
        users.add(User.with_password("ann", "secret"))
        told.clear()
        users.permissions.set("ann", "/", Permission("a", "b", "c"), "me")
        users.permissions.set_topic("ann", "/", "amq.topic", TopicPermission("a", "b"), "me")
        users.permissions.clear_topic("ann", "/", "amq.topic", "me")
        users.permissions.clear_topic("ann", "/", by="me")
        users.permissions.clear("ann", "/", "me")
        users.permissions.clear("ann", "/", "me")
        where = [("user", "ann"), ("vhost", "/")]
        assert [(event.name, list(plain(event.details).items())) for event in told] == [
            ("permission.created", [*where, ("configure", "a"), ("write", "b"), ("read", "c"), ME]),
            ("topic.permission.created", [*where, ("exchange", "amq.topic"), ("write", "a"), ("read", "b"), ME]),
            ("permission.deleted", [*where, ME]),
            ("topic.permission.deleted", [*where, ME]),
            ("permission.deleted", [*where, ME]),
            ("permission.deleted", [*where, ME]),
        ]

    def test_a_virtual_host_takes_its_permissions_along_before_all_else(
        self, node: Node, users: Users, told: list[Event]
    ) -> None:
        users.add(User.with_password("ann", "secret"))
        node.add_vhost("v")
        users.permissions.set("ann", "v", EVERYTHING)
        users.permissions.set_topic("ann", "v", "amq.topic", TopicPermission("a", "b"))
        told.clear()
        node.delete_vhost("v", "me")
        assert [event.name for event in told][:2] == ["permission.deleted", "topic.permission.deleted"]
        node.add_vhost("v")
        assert not users.permissions.may_open("ann", "v")
        assert users.permissions.may_use_topic("ann", "v", "amq.topic", "k", "write")

    def test_a_users_permissions_go_untold(self, users: Users, told: list[Event]) -> None:
        users.add(User.with_password("ann", "secret"))
        users.permissions.set("ann", "/", EVERYTHING)
        users.permissions.set_topic("ann", "/", "amq.topic", TopicPermission("a", "b"))
        told.clear()
        users.delete("ann")
        assert [event.name for event in told] == ["user.deleted"]
        users.add(User.with_password("ann", "secret"))
        assert list(users.permissions.of_user("ann")) == list(users.permissions.topics_of_user("ann")) == []

    def test_no_event_and_no_error_holds_a_secret(self, users: Users, told: list[Event]) -> None:
        users.add(User.with_password("ann", "s3cret"))
        users.put(User.with_password("ann", "s3cret", ["a"]))
        users.change_password("ann", "s3cret")
        kept = users["ann"].password_hash
        assert all("s3cret" not in repr(event) and kept not in repr(event) for event in told)
        assert "s3cret" not in repr(users.get("ann"))


def test_put_is_what_definitions_do(users: Users) -> None:
    """RabbitMQ: an import leaves no old tags, and permissions as they are."""
    users.put(User.with_password("ann", "old", ["a"]))
    users.permissions.set("ann", "/", EVERYTHING)
    users.put(User.with_password("ann", "new", ["b"]))
    assert [user.name for user in users] == ["ann"]
    user = users.authenticate("ann", "new")
    assert user is not None
    assert user.tags == ("b",)
    assert users.permissions.may_open("ann", "/")


class TestRestart:
    @pytest.mark.parametrize("stop", [BrokerHarness.stopped, BrokerHarness.killed])
    def test_users_and_permissions_come_back(self, stop: Callable[[BrokerHarness], BrokerHarness]) -> None:
        broker = BrokerHarness.durable()
        users = broker.users
        broker.node.add_vhost("v")
        users.add(User.with_hash("ann", hash_password("secret", algorithm=SHA512), ["a", "b"], SHA512))
        users.set_limits("ann", {"max-channels": 5})
        users.permissions.set("ann", "v", Permission("^c", "^w", "^r"))
        users.permissions.set_topic("ann", "v", "amq.topic", TopicPermission("^w", "^r"))
        users.permissions.set("guest", "v", EVERYTHING)
        users.permissions.clear("guest", "v")
        users.permissions.set_topic("guest", "v", "amq.topic", TopicPermission("^w", "^r"))
        users.permissions.clear_topic("guest", "v")
        users.delete("other")
        before = users["ann"]
        broker.commit()
        again = stop(broker).users
        assert again["ann"] == before
        assert {user.name for user in again} == {"guest", "stand-in", "ann"}
        assert list(again.permissions.of_vhost("v")) == [("ann", Permission("^c", "^w", "^r"))]
        assert list(again.permissions.topics_of_vhost("v")) == [("ann", "amq.topic", TopicPermission("^w", "^r"))]
        assert {name for name, _ in again.permissions.of_vhost("/")} == {"guest", "stand-in"}

    def test_a_deleted_virtual_hosts_permissions_stay_away(self) -> None:
        broker = BrokerHarness.durable()
        broker.add_vhost("v")
        broker.node.delete_vhost("v")
        again = broker.stopped()
        again.node.add_vhost("v")
        assert list(again.users.permissions.of_vhost("v")) == []


class TestFirstDefinitions:
    """RabbitMQ's settings default_user, default_pass, default_user_tags, default_vhost, default_permissions."""

    def test_a_new_broker_has_guest_as_administrator(self, node: Node, users: Users) -> None:
        make_first_definitions(node, users, FirstDefinitions())
        assert users.authenticate("guest", "guest") == users["guest"]
        assert users["guest"].tags == ("administrator",)
        assert list(users.permissions.of_user("guest")) == [("/", EVERYTHING)]

    def test_all_of_it_may_be_another(self) -> None:
        first = FirstDefinitions("ann", "secret", ("monitoring",), "orders", "^c", "^w", "^r")
        node = Node(now=lambda: 0.0, default_vhost=first.vhost)
        users = Users(node)
        make_first_definitions(node, users, first)
        assert node.vhosts.keys() == {"orders"}
        assert [user.name for user in users] == ["ann"]
        assert users["ann"].tags == ("monitoring",)
        assert list(users.permissions.of_vhost("orders")) == [("ann", Permission("^c", "^w", "^r"))]
        assert "secret" not in repr(first)

    def test_a_broker_with_definitions_gets_none(self) -> None:
        broker = BrokerHarness.durable()
        for name in ("guest", "other", "stand-in"):
            broker.users.delete(name)
        again = broker.stopped()
        make_first_definitions(again.node, again.users, FirstDefinitions())
        assert list(again.users) == []
