"""Limits of virtual hosts and of users. Setting one is 204 in any case, clearing one that is not set too."""

from __future__ import annotations

from leveret.core.limits import VHOST_LIMITS
from leveret.management.answers import NO_CONTENT, Answer, bad_request, not_authorised, not_found, validation_failed
from leveret.management.bodies import Body
from leveret.management.login import ADMINISTRATOR
from leveret.management.request import OBJECT, Request, Routes

routes = Routes()


@routes.add("GET", "/vhost-limits")
def of_vhosts(request: Request) -> object:
    limited = (vhost for vhost in request.visible_vhosts() if vhost.limits)
    return request.listed([{"vhost": vhost.name, "value": {**vhost.limits}} for vhost in limited])


@routes.add("GET", "/vhost-limits/{vhost}")
def of_vhost(request: Request) -> object:
    vhost = request.vhost()
    return [{"vhost": vhost.name, "value": {**vhost.limits}}] if vhost.limits else []


@routes.add("PUT", "/vhost-limits/{vhost}/{limit}", tags=ADMINISTRATOR)
def put_of_vhost(request: Request) -> Answer:
    request.require_json()
    vhost, name = request.vhost_to_rule(), request.names["limit"]
    try:
        vhost.set_limits({**vhost.limits, name: _value(request.body)}, request.user.name)
    except ValueError as error:
        raise validation_failed(error) from None
    return Answer(NO_CONTENT)


@routes.add("DELETE", "/vhost-limits/{vhost}/{limit}", tags=ADMINISTRATOR)
def delete_of_vhost(request: Request) -> Answer:
    vhost, name = request.vhost(), request.names["limit"]
    if name in VHOST_LIMITS:
        left = {limit: value for limit, value in vhost.limits.items() if limit != name}
        vhost.set_limits(left, request.user.name)
    return Answer(NO_CONTENT)


@routes.add("GET", "/user-limits")
def of_users(request: Request) -> object:
    seen = (user for user in request.managed.users if request.sees_all or user.name == request.user.name)
    return request.listed([{"user": user.name, "value": {**user.limits}} for user in seen if user.limits])


@routes.add("GET", "/user-limits/{user}")
def of_user(request: Request) -> object:
    name = request.names["user"]
    if not (request.is_administrator or name == request.user.name):
        raise not_authorised(OBJECT)
    user = request.managed.users.get(name)
    if user is None:
        raise not_found()
    return [{"user": name, "value": {**user.limits}}] if user.limits else []


@routes.add("PUT", "/user-limits/{user}/{limit}", tags=ADMINISTRATOR)
def put_of_user(request: Request) -> Answer:
    request.require_json()
    name = request.user_name()
    try:
        request.managed.users.set_limits(name, {request.names["limit"]: _value(request.body)}, request.user.name)
    except ValueError as error:
        raise validation_failed(error) from None
    return Answer(NO_CONTENT)


@routes.add("DELETE", "/user-limits/{user}/{limit}", tags=ADMINISTRATOR)
def delete_of_user(request: Request) -> Answer:
    request.managed.users.clear_limit(request.user_name(), request.names["limit"], request.user.name)
    return Answer(NO_CONTENT)


def _value(body: Body) -> object:
    """Whatever it is: the core says what it has to be. Only text that is a number becomes one."""
    body.require("value")
    value = body["value"]
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise bad_request(f"not_integer: {value}") from None
    return value
