"""Runtime parameters. Operator policies and the limits of virtual hosts are such, too, and have routes of their own."""

from __future__ import annotations

from collections.abc import Iterator

from leveret.core.vhost import VirtualHost
from leveret.management.answers import not_found
from leveret.management.definitions import parameters_of
from leveret.management.login import POLICYMAKER
from leveret.management.request import Request, Routes
from leveret.management.shapes import Shape

routes = Routes()


@routes.add("GET", "/parameters", "/parameters/{component}", tags=POLICYMAKER)
def everywhere(request: Request) -> object:
    return request.listed([shape for vhost in request.visible_vhosts() for shape in _of(vhost, request)])


@routes.add("GET", "/parameters/{component}/{vhost}", tags=POLICYMAKER)
def of_vhost(request: Request) -> object:
    return request.listed([*_of(request.vhost(), request)])


@routes.add("GET", "/parameters/{component}/{vhost}/{parameter}", tags=POLICYMAKER)
def one(request: Request) -> object:
    for shape in _of(request.vhost(), request):
        if shape["name"] == request.names["parameter"]:
            return request.chosen(shape)
    raise not_found()


@routes.add("GET", "/global-parameters", tags=POLICYMAKER)
def everywhere_global(request: Request) -> object:
    return request.listed([_cluster_name(request)])


@routes.add("GET", "/global-parameters/{parameter}", tags=POLICYMAKER)
def one_global(request: Request) -> object:
    if request.names["parameter"] != "cluster_name":
        raise not_found()
    return request.chosen(_cluster_name(request))


def _cluster_name(request: Request) -> Shape:
    return {"name": "cluster_name", "value": request.node.cluster_name}


def _of(vhost: VirtualHost, request: Request) -> Iterator[Shape]:
    component = request.names.get("component")
    return (shape for shape in parameters_of(vhost) if component in (None, shape["component"]))
