# SPDX-License-Identifier: Apache-2.0
"""Uploads by REST: ``POST components`` for formats other than docker, and the fields that they take (section 3, 45)."""

from __future__ import annotations

import email.parser
import email.policy
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.doubles.nexus import answers, policy
from tests.doubles.nexus.access import BASIC
from tests.doubles.nexus.settings import User
from tests.doubles.registry import Answer, Request

if TYPE_CHECKING:
    from tests.doubles.nexus.double import Nexus

#: Fields of a component and of each asset, by format: those that sources state. ``*`` is optional.
_FIELDS: dict[str, tuple[bool, tuple[str, ...], tuple[str, ...]]] = {
    "raw": (True, ("directory",), ("filename",)),
    "maven2": (
        True,
        ("groupId", "artifactId", "version", "packaging*", "generate-pom*"),
        ("extension", "classifier*"),
    ),
    "apt": (False, (), ()),
    "yum": (False, ("directory*",), ("filename",)),
}


def specs(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """Readable without credentials; docker is not among them."""
    return answers.document(200, [_spec(name, *fields) for name, fields in _FIELDS.items()])


def _spec(name: str, multiple: bool, component: tuple[str, ...], asset: tuple[str, ...]) -> dict[str, Any]:
    def fields(names: tuple[str, ...]) -> list[dict[str, Any]]:
        return [{"name": name.rstrip("*"), "type": "STRING", "optional": name.endswith("*")} for name in names]

    own = {"componentFields": fields(component), "assetFields": fields(asset)}
    return {"format": name, "multipleUpload": multiple, **own}


def upload(nexus: Nexus, request: Request, user: User, scheme: str) -> Answer:
    """204; 422 without such a repository; 400 for docker, for what is not hosted and for wrong fields."""
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
    if kept.format not in _FIELDS:
        return _invalid(f"Uploading components to '{kept.format}' repositories is unsupported")
    values, files = _form(request)
    multiple, component, asset = _FIELDS[kept.format]
    label = kept.format
    for name in component:
        if not name.endswith("*") and not values.get(f"{label}.{name}"):
            return _invalid(f"Missing required component field '{name}'")
    if not files:
        return _invalid("At least one asset must be provided")
    paths = {}
    for field, (sent, data) in files.items():
        if not re.fullmatch(rf"{label}\.asset{'[0-9]*' if multiple else ''}", field):
            return _invalid(f"Unknown field '{field}'")
        for name in asset:
            if not name.endswith("*") and not values.get(f"{field}.{name}"):
                return _invalid(f"Missing required asset field '{name}' on '{field}'")
        paths[_path(label, values, field, sent)] = data
    refused = [path for path in paths if path in content.files]
    if refused and policy.once(content):
        return _invalid(f"Repository does not allow updating assets: {content.name}")
    with nexus.lock:
        content.files.update(paths)
    return Answer(204)


def _path(label: str, values: dict[str, str], field: str, sent: str) -> str:
    if label == "maven2":
        group, artifact, version = (values[f"maven2.{name}"] for name in ("groupId", "artifactId", "version"))
        classifier = values.get(f"{field}.classifier", "")
        name = f"{artifact}-{version}{'-' + classifier if classifier else ''}.{values[f'{field}.extension']}"
        return f"{group.replace('.', '/')}/{artifact}/{version}/{name}"
    directory = values.get(f"{label}.directory", "").strip("/")
    return f"{directory}/{values.get(f'{field}.filename') or sent}".lstrip("/")


def _form(request: Request) -> tuple[dict[str, str], dict[str, tuple[str, bytes]]]:
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


def file(nexus: Nexus, request: Request, path: str) -> Answer:
    """GET of what was uploaded, below ``/repository/<repository>/``, to whom may read."""
    if request.method not in ("GET", "HEAD"):
        return answers.only_reason(405, "Method Not Allowed")
    name, _, inner = unquote(path).removeprefix("/repository/").partition("/")
    content, user = nexus.contents[name], nexus.access.of_rest(request)
    if isinstance(user, Answer):
        return user
    if user is None and nexus.settings.anonymous:
        user = nexus.access.anonymous
    if user is None or not user.may("read", name):
        return answers.unauthorized(BASIC) if user is None else answers.only_reason(403, "Forbidden")
    if inner not in content.files:
        return answers.html(404, "Not Found")
    return Answer(200, content.files[inner], {"Content-Type": "application/octet-stream"})


def _invalid(message: str) -> Answer:
    return answers.document(400, [{"id": "*", "message": message}])
