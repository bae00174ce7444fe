"""Users: who there is, with which tags. No answer has a password, only its hash."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter

from leveret.auth.errors import NoSuchUser
from leveret.auth.users import User
from leveret.core.queue import Queue
from leveret.management import shapes
from leveret.management.answers import CREATED, NO_CONTENT, Answer, bad_request, not_found
from leveret.management.bodies import shown
from leveret.management.login import ADMINISTRATOR
from leveret.management.request import Request, Routes
from leveret.management.routes.queues import listed as listed_queues
from leveret.management.users import user_of

routes = Routes()


@routes.add("GET", "/whoami")
def whoami(request: Request) -> object:
    is_internal = request.managed.users.get(request.user.name) is not None
    minutes = request.managed.options.session_minutes
    return {
        "name": request.user.name, "tags": [*request.user.tags], "is_internal_user": is_internal,
        **({} if minutes is None else {"login_session_timeout": minutes}),
    }  # fmt: skip


@routes.add("GET", "/users", tags=ADMINISTRATOR)
def everywhere(request: Request) -> object:
    return request.listing(lambda: _by_name(request), shapes.user, attrgetter("name"))


@routes.add("GET", "/users/without-permissions", tags=ADMINISTRATOR)
def without_permissions(request: Request) -> object:
    permissions = request.managed.users.permissions
    found = (user for user in _by_name(request) if not any(permissions.of_user(user.name)))
    return request.listed([shapes.user(user) for user in found])


@routes.add("POST", "/users/bulk-delete", tags=ADMINISTRATOR)
def bulk_delete(request: Request) -> Answer:
    """Those before one that is not there are deleted, as in RabbitMQ. Raises Problem (400)."""
    request.body.require("users")
    names = request.body["users"]
    if not isinstance(names, list):
        raise bad_request(f"not_list: {shown(names)}")
    for name in names:
        try:
            request.managed.users.delete(name if isinstance(name, str) else "", request.user.name)
        except NoSuchUser:
            raise bad_request(f"no_such_user: {shown(name)}") from None
    return Answer(NO_CONTENT)


@routes.add("GET", "/users/{user}/queues")
def queues(request: Request) -> object:
    """Those that this user has declared, as far as whoever asks may see them."""
    name = request.names["user"]
    if request.managed.users.get(name) is None:
        raise not_found()

    def declared() -> Iterator[Queue]:
        queues = (queue for vhost in request.visible_vhosts() for _, queue in sorted(vhost.queues.items()))
        return (queue for queue in queues if queue.created_by == name)

    return listed_queues(request, declared)


@routes.add("GET", "/users/{user}", tags=ADMINISTRATOR)
def one(request: Request) -> object:
    user = request.managed.users.get(request.names["user"])
    if user is None:
        raise not_found()
    return request.chosen(shapes.user(user))


@routes.add("PUT", "/users/{user}", tags=ADMINISTRATOR)
def put(request: Request) -> Answer:
    """Without a password or a hash the user cannot log in with one."""
    name, users = request.names["user"], request.managed.users
    old = users.get(name)
    user = user_of(name, request.body)
    try:
        users.put(user if old is None else _with_limits(user, old), request.user.name)
    except ValueError as error:
        raise bad_request(str(error)) from None
    return Answer(CREATED if old is None else NO_CONTENT)


def _with_limits(user: User, old: User) -> User:
    return User(user.name, user.password_hash, user.tags, old.limits, user.hashing_algorithm)


@routes.add("DELETE", "/users/{user}", tags=ADMINISTRATOR)
def delete(request: Request) -> Answer:
    try:
        request.managed.users.delete(request.names["user"], request.user.name)
    except NoSuchUser:
        raise not_found() from None
    return Answer(NO_CONTENT)


def _by_name(request: Request) -> list[User]:
    return sorted(request.managed.users, key=lambda user: user.name)
