# SPDX-License-Identifier: Apache-2.0
"""Uploads to formats other than docker: ``POST components`` (section 3, 7, 45, 48), and each format's own way."""

from __future__ import annotations

import email.parser
import email.policy
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tests.doubles.nexus import answers, policy
from tests.doubles.nexus.access import BASIC
from tests.doubles.nexus.content import Content
from tests.doubles.nexus.formats import FileFormat, Refused, Upload, formats
from tests.doubles.nexus.routes import base_of
from tests.doubles.nexus.settings import User
from tests.doubles.registry import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.nexus.double import Nexus


def specs(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """Readable without credentials; docker is not among them."""
    return answers.document(200, [played.spec() for played in formats().values() if _takes(nexus, played.name)])


def upload(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """204; 422 without such a repository; 400 for docker, for what is not hosted and for wrong fields."""
    if not nexus.settings.rest_uploads:
        return answers.only_reason(404, "Not Found")
    content = nexus.contents.get(request.query.get("repository", [""])[0])
    if content is None:
        return answers.only_reason(422, "Unprocessable Entity")
    if not user.may("edit", content.name):
        return answers.only_reason(403, "Forbidden") if user.name != "anonymous" else nexus.access.refuse_rest()
    if nexus.frozen:
        return answers.text(503, policy.READ_ONLY)
    kept = content.settings
    if kept.kind != "hosted":
        return _invalid(f"Uploading components to a '{kept.kind}' type repository is unsupported, must be 'hosted'")
    if kept.format not in formats() or not _takes(nexus, kept.format):
        return _invalid(f"Uploading components to '{kept.format}' repositories is unsupported")
    if not (request.headers.get("Content-Type") or "").startswith("multipart/form-data"):
        return answers.text(400, "Expected multipart Content-Type")
    refused = policy.refuse_upload(nexus, content)
    if refused is not None:
        return refused
    values, files = read_form(request)
    try:
        paths = _paths(formats()[kept.format], values, files)
    except Refused as why:
        return _invalid(str(why))
    return _keep(nexus, content, paths) or Answer(204)


def _takes(nexus: Nexus, format_name: str) -> bool:
    return nexus.settings.rest_formats is None or format_name in nexus.settings.rest_formats


def _paths(file_format: FileFormat, values: dict[str, str], files: dict[str, tuple[str, bytes]]) -> dict[str, bytes]:
    """The prefix ``FORMAT.`` of a field is optional; a file's field is ``asset``, with a number where several go."""
    prefix = f"{file_format.name}."
    values = {name.removeprefix(prefix): value for name, value in values.items()}
    component = {name: value for name, value in values.items() if not name.startswith("asset")}
    for name in file_format.component:
        if not name.endswith("*") and not component.get(name):
            raise Refused(f"Missing required component field '{name}'")
    if not files:
        raise Refused("At least one asset must be provided")
    if len(files) > 1 and not file_format.multiple:
        raise Refused(f"Format '{file_format.name}' takes one asset")
    paths = {}
    for sent_field, (sent, data) in files.items():
        asset = sent_field.removeprefix(prefix)
        if not re.fullmatch(r"asset\d*", asset):
            raise Refused(f"Unknown field '{sent_field}'")
        own = {n.removeprefix(f"{asset}."): v for n, v in values.items() if n.startswith(f"{asset}.")}
        for name in file_format.asset:
            if not name.endswith("*") and not own.get(name):
                raise Refused(f"Missing required asset field '{name}' on '{sent_field}'")
        path = file_format.path(Upload({**component, **own}, sent, data))
        if ".." in path.split("/"):
            raise Refused(f"Path is not allowed to have '.' or '..' segments: '{path}'")
        paths[path] = data
    return paths


def _keep(nexus: Nexus, content: Content, paths: dict[str, bytes]) -> Answer | None:
    """Keep files, unless one is there already and the policy lets nothing be written twice."""
    with nexus.lock:
        if policy.once(content) and any(path in content.files for path in paths):
            return _invalid(f"Repository does not allow updating assets: {content.name}")
        content.files.update(paths)
    return None


def read_form(request: Request) -> tuple[dict[str, str], dict[str, tuple[str, bytes]]]:
    """Fields, and files with the names that they were sent under, of multipart/form-data."""
    head = f"Content-Type: {request.headers.get('Content-Type')}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.read())
    values: dict[str, str] = {}
    files: dict[str, tuple[str, bytes]] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name, sent = part.get_param("name", header="Content-Disposition"), part.get_filename()
        data = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(data, bytes):
            continue
        if sent is None:
            values[name] = data.decode()
        else:
            files[name] = (sent, data)
    return values, files


def file(nexus: Nexus, request: Request, path: str, scheme: str) -> Answer:
    """What is below ``/repository/<repository>/``: files and indexes to read, and the format's own way to write."""
    name, _, inner = unquote(path).removeprefix("/repository/").partition("/")
    content, user = nexus.contents[name], nexus.access.of_rest(request)
    if isinstance(user, Answer):
        return user
    if user is None and nexus.settings.anonymous:
        user = nexus.access.anonymous
    writes = request.method not in ("GET", "HEAD")
    if user is None or not user.may("edit" if writes else "read", name):
        return answers.unauthorized(BASIC) if user is None else answers.only_reason(403, "Forbidden")
    if not content.settings.online:
        return answers.text(503, "Repository offline")
    if writes:
        return _receive(nexus, content, request, inner)
    for readable in nexus.read_from(content):
        if inner in readable.files:
            media_type = formats()[content.settings.format].media_type
            data = readable.files[inner]
            return Answer(200, data, {"Content-Type": media_type, "Accept-Ranges": "bytes"})
    base = f"{base_of(request, scheme)}{nexus.settings.context}/repository/{name}"
    merged = content if len(nexus.read_from(content)) == 1 else _merged(nexus, content)
    return formats()[content.settings.format].index(merged, inner, base) or answers.html(404, "Not Found")


def _merged(nexus: Nexus, content: Content) -> Content:
    """What a group shows: the files of its members."""
    merged = Content(content.settings)
    for readable in reversed(nexus.read_from(content)):
        merged.files.update(readable.files)
    return merged


def _receive(nexus: Nexus, content: Content, request: Request, inner: str) -> Answer:
    if content.settings.kind != "hosted":
        return answers.only_reason(405, "Method Not Allowed")
    refused = policy.refuse_upload(nexus, content)
    if refused is not None:
        return refused
    file_format = formats()[content.settings.format]
    try:
        received = file_format.receive(request, inner)
    except Refused as why:
        return answers.only_reason(400, str(why))
    if isinstance(received, Answer):
        return received
    if received is None and request.method == "PUT" and file_format.puts:
        received = {inner: request.read()}
    if received is None:
        return answers.only_reason(405, "Method Not Allowed")
    return _keep(nexus, content, received) or Answer(201)


def _invalid(message: str) -> Answer:
    return answers.document(400, [{"id": "*", "message": message}])
