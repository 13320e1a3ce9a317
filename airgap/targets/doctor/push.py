# SPDX-License-Identifier: Apache-2.0
"""A push that is begun, given a little more than an Ingress's default limit, and called off."""

from __future__ import annotations

import contextlib
import socket

from airgap.errors import AirgapError, RegistryError
from airgap.targets.nexus.refusals import BODY_SIZE, BUFFERING, explained, refusal_of
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding

#: More than nginx's client_max_body_size of 1 MiB when nobody sets it.
_SIZE = 1024 * 1024 + 64 * 1024
#: The image name that the probe uses under the target's prefix; no tag and no blob of it is ever finished.
PROBE = "airgap-probe"


def begin(probe: Probe) -> list[Finding]:
    """What an import asks before it pushes: nothing but the beginning."""
    return upload(probe, body=False)


def upload(probe: Probe, *, body: bool = True) -> list[Finding]:
    """Rights, policy, state and edition's limit show at the first request; a proxy's limits only with a body."""
    from airgap.registry.upload_sessions import session_path

    prefix = probe.mapping.address.prefix
    repository = f"{prefix}/{PROBE}" if prefix else PROBE
    uploads, scopes = f"/v2/{repository}/blobs/uploads/", (f"repository:{repository}:pull,push",)
    try:
        begun = probe.client.request("POST", uploads, scopes=scopes, headers={"Content-Length": "0"}, ok=(202,))
        location = session_path(probe.client, begun, uploads)
    except AirgapError as error:
        return [_refused(error)]
    try:
        return [_with_body(probe, location, scopes)] if body else [Finding("ok", "an upload may begin")]
    finally:
        # Whether a server knows how to call one off is not established, and a user who may only push may not; what is
        # left is never finished, and goes by the server's own clean-up (Nexus: Docker - Delete incomplete uploads).
        with contextlib.suppress(AirgapError):
            probe.client.request("DELETE", location, scopes=scopes, ok=tuple(range(200, 600)))


def _refused(error: AirgapError) -> Finding:
    told = explained(error)
    hint = told.hint or ""
    if getattr(error, "status", 0) == 403 and told is error:
        return Finding("problem", f"this user may not push here ({error.what})", hint)
    return Finding("problem", told.what, hint)


def _with_body(probe: Probe, location: str, scopes: tuple[str, ...]) -> Finding:
    def feed(sock: socket.socket) -> None:
        sock.sendall(bytes(_SIZE))

    try:
        answer = probe.client.send_body(
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
            f"a body of {_SIZE:,} bytes does not get through ({error.what})",
            f"what stands in front cuts it: {BUFFERING}",
        )
    if answer.status in (200, 201, 202, 204):
        return Finding("ok", f"an upload may begin, and {_SIZE:,} bytes of a body get through; it was called off")
    if answer.status == 413:
        return Finding(
            "problem",
            f"a proxy or Ingress in front takes no body of {_SIZE:,} bytes (413): layers are larger",
            "switch its limit off; nginx itself: client_max_body_size 0; and for an Ingress:",
            run=(BODY_SIZE,),
        )
    fault = answer.error()
    said = fault.said if isinstance(fault, RegistryError) else ""
    known = refusal_of(answer.status, said)
    if known is not None:
        return Finding("problem", known.what, known.hint)
    if answer.status in (404, 405, 411, 416, 501):
        return Finding("ok", f"an upload may begin (how a body goes in pieces it does not know: {answer.status})")
    told = explained(fault)
    return Finding("problem", f"a body is refused: {told.what}", told.hint or "")
