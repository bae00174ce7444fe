"""Runtime parameters, of virtual hosts and global ones."""

from __future__ import annotations

from collections.abc import Iterator

from leveret.core.parameters import CLUSTER_NAME
from leveret.core.vhost import VirtualHost
from leveret.management.answers import CREATED, NO_CONTENT, Answer, bad_request, not_found, validation_failed
from leveret.management.login import ADMINISTRATOR, POLICYMAKER
from leveret.management.parameters import clear_parameter, parameters_of, put_parameter
from leveret.management.request import Request, Routes
from leveret.management.shapes import Shape

routes = Routes()


@routes.add("GET", "/parameters", "/parameters/{component}", tags=POLICYMAKER)
def everywhere(request: Request) -> object:
    return request.listed([shape for vhost in request.visible_vhosts() for shape in _of(vhost, request)])


@routes.add("GET", "/parameters/{component}/{vhost}", tags=POLICYMAKER)
def of_vhost(request: Request) -> object:
    return request.listed([*_of(request.vhost_ruled(), request)])


@routes.add("GET", "/parameters/{component}/{vhost}/{parameter}", tags=POLICYMAKER)
def one(request: Request) -> object:
    shape = _found(request.vhost_ruled(), request)
    if shape is None:
        raise not_found()
    return request.chosen(shape)


@routes.add("PUT", "/parameters/{component}/{vhost}/{parameter}", tags=POLICYMAKER)
def put(request: Request) -> Answer:
    vhost, component = request.vhost_to_rule(), request.names["component"]
    request.body.require("value")
    if component == "policy":
        raise bad_request("policies may not be set using this method")
    is_there = _found(vhost, request) is not None
    try:
        put_parameter(vhost, component, request.names["parameter"], request.body["value"], request.user.name)
    except ValueError as error:
        raise validation_failed(error) from None
    return Answer(NO_CONTENT if is_there else CREATED)


@routes.add("DELETE", "/parameters/{component}/{vhost}/{parameter}", tags=POLICYMAKER)
def delete(request: Request) -> Answer:
    vhost = request.vhost_to_rule()
    try:
        clear_parameter(vhost, request.names["component"], request.names["parameter"], request.user.name)
    except KeyError:
        raise not_found() from None
    return Answer(NO_CONTENT)


def _of(vhost: VirtualHost, request: Request) -> Iterator[Shape]:
    component = request.names.get("component")
    return (shape for shape in parameters_of(vhost) if component in (None, shape["component"]))


def _found(vhost: VirtualHost, request: Request) -> Shape | None:
    return next((shape for shape in _of(vhost, request) if shape["name"] == request.names["parameter"]), None)


# -- global ones ----------------------------------------------------------------------------------------------------


@routes.add("GET", "/global-parameters", tags=POLICYMAKER)
def everywhere_global(request: Request) -> object:
    return request.listed([{"name": name, "value": value} for name, value in request.node.parameters])


@routes.add("GET", "/global-parameters/{parameter}", tags=POLICYMAKER)
def one_global(request: Request) -> object:
    name = request.names["parameter"]
    if name not in request.node.parameters:
        raise not_found()
    return request.chosen({"name": name, "value": request.node.parameters[name]})


@routes.add("PUT", "/global-parameters/{parameter}", tags=POLICYMAKER)
def put_global(request: Request) -> Answer:
    name, parameters = request.names["parameter"], request.node.parameters
    request.body.require("value")
    is_there = name in parameters
    parameters.set(name, request.body["value"], request.user.name)
    return Answer(NO_CONTENT if is_there else CREATED)


@routes.add("DELETE", "/global-parameters/{parameter}", tags=POLICYMAKER)
def delete_global(request: Request) -> Answer:
    try:
        request.node.parameters.clear(request.names["parameter"], request.user.name)
    except KeyError:
        raise not_found() from None
    return Answer(NO_CONTENT)


@routes.add("GET", "/cluster-name")
def cluster_name(request: Request) -> object:
    return {"name": request.node.cluster_name}


@routes.add("PUT", "/cluster-name", tags=ADMINISTRATOR)
def put_cluster_name(request: Request) -> Answer:
    request.body.require("name")
    request.node.parameters.set(CLUSTER_NAME, request.body.text("name"), request.user.name)
    return Answer(NO_CONTENT)
