# SPDX-License-Identifier: Apache-2.0
"""Checks an upload: begins one, sends a body that is larger than the default limit of an Ingress, and cancels it."""

from __future__ import annotations

import contextlib
import socket

from airgap.errors import AirgapError, RegistryError
from airgap.i18n import tr
from airgap.targets.nexus.refusals import BODY_SIZE, BUFFERING, explain, find_refusal
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding

#: Bytes of the body: more than nginx's default client_max_body_size of 1 MiB.
_SIZE = 1024 * 1024 + 64 * 1024
#: The image that the upload is for, below the target's prefix. It never gets a tag or a blob.
_IMAGE = "airgap-probe"


def check_begin(probe: Probe) -> list[Finding]:
    """Begin an upload and cancel it, without a body."""
    return _check(probe, with_body=False)


def check_push(probe: Probe) -> list[Finding]:
    """Begin an upload, send a body and cancel it. The limits of a proxy only show with a body."""
    return _check(probe, with_body=True)


def _check(probe: Probe, *, with_body: bool) -> list[Finding]:
    from airgap.registry.upload_sessions import session_path

    prefix = probe.mapping.address.prefix
    repository = f"{prefix}/{_IMAGE}" if prefix else _IMAGE
    uploads, scopes = f"/v2/{repository}/blobs/uploads/", (f"repository:{repository}:pull,push",)
    try:
        response = probe.client.request("POST", uploads, scopes=scopes, headers={"Content-Length": "0"}, ok=(202,))
        location = session_path(probe.client, response, uploads)
    except AirgapError as error:
        return [_begin_refused(error)]
    try:
        return [_send_body(probe, location, scopes)] if with_body else [Finding("ok", tr("an upload may begin"))]
    finally:
        # Not every server supports cancelling, and a user who may only push may not be allowed to. The server's own
        # clean-up then removes the upload (in Nexus the task "Docker - Delete incomplete uploads").
        with contextlib.suppress(AirgapError):
            probe.client.request("DELETE", location, scopes=scopes, ok=tuple(range(200, 600)))


def _begin_refused(error: AirgapError) -> Finding:
    explained = explain(error)
    hint = explained.hint or ""
    if isinstance(error, RegistryError) and error.status == 403 and explained is error:
        return Finding("problem", tr("this user may not push here ({what})", what=error.what), hint)
    return Finding("problem", explained.what, hint)


def _send_body(probe: Probe, location: str, scopes: tuple[str, ...]) -> Finding:
    def feed(sock: socket.socket) -> None:
        sock.sendall(bytes(_SIZE))

    try:
        response = probe.client.send_body(
            "PATCH",
            location,
            scopes=scopes,
            headers={"Content-Type": "application/octet-stream", "Content-Range": f"0-{_SIZE - 1}"},
            length=_SIZE,
            write_body=feed,
        )
    except AirgapError as error:
        return Finding(
            "problem",
            tr("a body of {size:,} bytes does not get through ({what})", size=_SIZE, what=error.what),
            tr("what stands in front cuts it: {buffering}", buffering=BUFFERING),
        )
    if response.status in (200, 201, 202, 204):
        return Finding(
            "ok", tr("an upload may begin, and {size:,} bytes of a body get through; it was called off", size=_SIZE)
        )
    if response.status == 413:
        return Finding(
            "problem",
            tr("a proxy or Ingress in front takes no body of {size:,} bytes (413): layers are larger", size=_SIZE),
            tr("switch its limit off; nginx itself: client_max_body_size 0; and for an Ingress:"),
            run=(BODY_SIZE,),
        )
    refused = response.error()
    refusal = find_refusal(response.status, refused.said if isinstance(refused, RegistryError) else "")
    if refusal is not None:
        return Finding("problem", refusal.what, refusal.hint)
    if response.status in (404, 405, 411, 416, 501):
        return Finding(
            "ok",
            tr("an upload may begin (how a body goes in pieces it does not know: {status})", status=response.status),
        )
    explained = explain(refused)
    return Finding("problem", tr("a body is refused: {what}", what=explained.what), explained.hint or "")
