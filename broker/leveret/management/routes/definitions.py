"""Definitions, of the broker and of a virtual host."""

from __future__ import annotations

import email
import email.policy
from typing import Any

from leveret.core.vhost import VirtualHost
from leveret.management.answers import NO_CONTENT, Answer, Problem, bad_request
from leveret.management.bodies import parsed_in_steps
from leveret.management.definitions import Import, in_steps, of_all, of_vhost
from leveret.management.login import ADMINISTRATOR
from leveret.management.request import Request, Routes
from leveret.shell.turns import InTurns, Steps

routes = Routes()


@routes.add("GET", "/definitions", "/all-configuration", tags=ADMINISTRATOR)
def export(request: Request) -> InTurns[Answer]:
    return _download(request, of_all(request.node, request.managed.users))


@routes.add("GET", "/definitions/{vhost}", tags=ADMINISTRATOR)
def export_vhost(request: Request) -> InTurns[Answer]:
    return _download(request, of_vhost(request.vhost()))


@routes.add("POST", "/definitions", "/all-configuration", tags=ADMINISTRATOR)
def add(request: Request) -> InTurns[Answer]:
    return _add(request, None)


@routes.add("POST", "/definitions/{vhost}", tags=ADMINISTRATOR)
def add_to_vhost(request: Request) -> InTurns[Answer]:
    return _add(request, request.vhost())


def _add(request: Request, vhost: VirtualHost | None) -> InTurns[Answer]:
    octets, redirect = _uploaded(request)
    return InTurns(_adding(request, octets, vhost, redirect))


def _adding(request: Request, octets: bytes, vhost: VirtualHost | None, redirect: str) -> Steps[Answer]:
    """RabbitMQ, too, lets others see a part of it before the rest."""
    if octets.strip():
        try:
            is_form = octets is not request.octets
            definitions = (yield from parsed_in_steps(octets)) if is_form else request.parse(octets)
        except Problem:
            definitions = None
        if not isinstance(definitions, dict):
            raise bad_request("failed_to_parse_json")
        yield from Import(request.node, request.managed.users, request.user.name, vhost).steps(definitions)
    if redirect:
        return Answer(303, headers={"location": redirect})
    return Answer(NO_CONTENT)


def _uploaded(request: Request) -> tuple[bytes, str]:
    """The file, and where a form wants to go next: only to a place here. Raises Problem (415, 400)."""
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip()
    if kind == "application/json":
        return request.octets, ""
    if kind != "multipart/form-data":
        raise Problem(415)
    head = f"content-type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    form = email.message_from_bytes(head + request.octets, policy=email.policy.HTTP)
    fields: dict[object, bytes] = {}
    for part in form.iter_parts() if form.is_multipart() else ():
        payload = part.get_payload(decode=True)
        fields[part.get_param("name", header="content-disposition")] = payload if isinstance(payload, bytes) else b""
    if "file" not in fields:
        raise bad_request("failed_to_parse_json")
    redirect = fields.get("redirect", b"").decode("latin-1")
    is_here = redirect.startswith(("/", "..")) and not redirect.startswith(("//", "/\\")) and redirect.isprintable()
    return fields["file"], redirect if is_here else ""


def _download(request: Request, definitions: dict[str, Any]) -> InTurns[Answer]:
    name = request.query.get("download", "")
    if not name.isprintable() or not name.isascii():
        raise bad_request("bad_download_name")
    headers = {"content-disposition": f"attachment; filename={name}"} if name else {}
    return InTurns(_exported(definitions, headers))


def _exported(definitions: dict[str, Any], headers: dict[str, str]) -> Steps[Answer]:
    return Answer(200, (yield from in_steps(definitions)), headers)
