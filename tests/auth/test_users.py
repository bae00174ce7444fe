"""Logging in: names, passwords, tags."""

import pytest

from leveret.auth import users as users_module
from leveret.auth.passwords import is_password
from leveret.auth.users import User, Users


def test_a_new_broker_knows_guest_with_password_guest_as_administrator():
    users = Users.with_guest()
    guest = users.authenticate("guest", "guest")
    assert guest == users["guest"]
    assert guest.tags == ("administrator",)


@pytest.mark.parametrize(
    ("name", "password"), [("guest", "Guest"), ("guest", ""), ("nobody", "guest"), ("", ""), ("Guest", "guest")]
)
def test_wrong_name_or_password_is_nobody(name, password):
    assert Users.with_guest().authenticate(name, password) is None


def test_a_user_comes_with_the_tags_given():
    users = Users([User.with_password("ann", "secret", ["management", "our own word"])])
    assert users.authenticate("ann", "secret").tags == ("management", "our own word")


def test_a_blank_password_never_logs_in_even_where_its_hash_is_kept():
    """RabbitMQ: the internal backend refuses a blank password."""
    assert Users([User.with_password("ann", "")]).authenticate("ann", "") is None


def test_an_unknown_user_takes_the_same_path_as_a_wrong_password(monkeypatch):
    checked = []

    def recording(password, password_hash):
        checked.append(password)
        return is_password(password, password_hash)

    monkeypatch.setattr(users_module, "is_password", recording)
    users = Users.with_guest()
    users.authenticate("guest", "wrong")
    users.authenticate("nobody", "wrong")
    assert checked == ["wrong", "wrong"]


def test_a_users_hash_does_not_show_in_its_repr():
    user = User.with_password("ann", "secret")
    assert user.password_hash not in repr(user)


def test_an_added_user_takes_the_place_of_the_one_with_that_name():
    users = Users([User.with_password("ann", "old", ["management"])])
    users.add(User.with_password("ben", "secret"))
    users.add(User.with_password("ann", "new"))
    assert users.authenticate("ben", "secret") == users["ben"]
    assert users.authenticate("ann", "old") is None
    assert users.authenticate("ann", "new").tags == ()
