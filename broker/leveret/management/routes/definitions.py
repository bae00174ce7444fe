"""Definitions, of the broker and of a virtual host."""

from __future__ import annotations

import email
import email.policy

from leveret.core.vhost import VirtualHost
from leveret.management.answers import NO_CONTENT, Answer, Problem, bad_request
from leveret.management.bodies import parsed
from leveret.management.definitions import Import, exported, exported_vhost
from leveret.management.login import ADMINISTRATOR
from leveret.management.request import Request, Routes

routes = Routes()


@routes.add("GET", "/definitions", "/all-configuration", tags=ADMINISTRATOR)
def export(request: Request) -> Answer:
    return _download(request, exported(request.node, request.managed.users))


@routes.add("GET", "/definitions/{vhost}", tags=ADMINISTRATOR)
def export_vhost(request: Request) -> Answer:
    return _download(request, exported_vhost(request.vhost()))


@routes.add("POST", "/definitions", "/all-configuration", tags=ADMINISTRATOR)
def add(request: Request) -> Answer:
    return _add(request, None)


@routes.add("POST", "/definitions/{vhost}", tags=ADMINISTRATOR)
def add_to_vhost(request: Request) -> Answer:
    return _add(request, request.vhost())


def _add(request: Request, vhost: VirtualHost | None) -> Answer:
    octets, redirect = _uploaded(request)
    if octets.strip():
        try:
            definitions = parsed(octets)
        except Problem:
            definitions = None
        if not isinstance(definitions, dict):
            raise bad_request("failed_to_parse_json")
        Import(request.node, request.managed.users, request.user.name, vhost).run(definitions)
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


def _download(request: Request, definitions: object) -> Answer:
    name = request.query.get("download", "")
    if not name.isprintable() or not name.isascii():
        raise bad_request("bad_download_name")
    headers = {"content-disposition": f"attachment; filename={name}"} if name else {}
    return Answer(200, definitions, headers)
