"""Policies and operator policies."""

from __future__ import annotations

from leveret.core.policies import Policies, Policy, PolicyError
from leveret.management.answers import CREATED, NO_CONTENT, Answer, not_found, validation_failed
from leveret.management.login import ADMINISTRATOR, POLICYMAKER
from leveret.management.request import Request, Routes

routes = Routes()


@routes.add("GET", "/policies")
def everywhere(request: Request) -> object:
    return request.listed([one.entry() for vhost in request.visible_vhosts() for one in vhost.policies])


@routes.add("GET", "/policies/{vhost}")
def of_vhost(request: Request) -> object:
    return request.listed([one.entry() for one in request.vhost().policies])


@routes.add("GET", "/policies/{vhost}/{policy}", tags=POLICYMAKER)
def one(request: Request) -> object:
    """RabbitMQ: the lists are for more people."""
    return request.chosen(_found(request, request.vhost_ruled().policies).entry())


@routes.add("PUT", "/policies/{vhost}/{policy}", tags=POLICYMAKER)
def put(request: Request) -> Answer:
    return _put(request, request.vhost_to_rule().policies)


@routes.add("DELETE", "/policies/{vhost}/{policy}", tags=POLICYMAKER)
def delete(request: Request) -> Answer:
    return _delete(request, request.vhost_to_rule().policies)


@routes.add("GET", "/operator-policies")
def operator_everywhere(request: Request) -> object:
    return request.listed([one.entry() for vhost in request.visible_vhosts() for one in vhost.operator_policies])


@routes.add("GET", "/operator-policies/{vhost}")
def operator_of_vhost(request: Request) -> object:
    return request.listed([one.entry() for one in request.vhost().operator_policies])


@routes.add("GET", "/operator-policies/{vhost}/{policy}", tags=ADMINISTRATOR)
def operator_one(request: Request) -> object:
    return request.chosen(_found(request, request.vhost().operator_policies).entry())


@routes.add("PUT", "/operator-policies/{vhost}/{policy}", tags=ADMINISTRATOR)
def operator_put(request: Request) -> Answer:
    request.require_json()
    return _put(request, request.vhost_to_rule().operator_policies)


@routes.add("DELETE", "/operator-policies/{vhost}/{policy}", tags=ADMINISTRATOR)
def operator_delete(request: Request) -> Answer:
    return _delete(request, request.vhost_to_rule().operator_policies)


def _found(request: Request, policies: Policies) -> Policy:
    """Raises Problem (404)."""
    policy = policies.get(request.names["policy"])
    if policy is None:
        raise not_found()
    return policy


def _put(request: Request, policies: Policies) -> Answer:
    body, name = request.body, request.names["policy"]
    body.require("pattern", "definition")
    is_there = policies.get(name) is not None
    try:
        policies.set(
            name, pattern=body["pattern"], definition=body["definition"], priority=body.get("priority", 0),
            apply_to=body.get("apply-to", "all"), user=request.user.name,
        )  # fmt: skip
    except PolicyError as error:
        raise validation_failed(error) from None
    return Answer(NO_CONTENT if is_there else CREATED)


def _delete(request: Request, policies: Policies) -> Answer:
    policies.clear(_found(request, policies).name, request.user.name)
    return Answer(NO_CONTENT)
