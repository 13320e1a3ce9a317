# SPDX-License-Identifier: Apache-2.0
"""Checks an upload: begins one, sends a body that is larger than the default limit of an Ingress, and cancels it."""

from __future__ import annotations

import contextlib
import re
import socket

from airgap.errors import AirgapError, RegistryError
from airgap.i18n import tr
from airgap.targets.doctor import nexus_settings, probe_image
from airgap.targets.doctor.web_page import without_tags
from airgap.targets.harbor.detection import is_harbor
from airgap.targets.nexus.detection import is_nexus
from airgap.targets.nexus.refusals import BODY_SIZE, BUFFERING, REFUSALS_BY_ID, explain, find_refusal
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding

#: Bytes of the body: more than nginx's default client_max_body_size of 1 MiB.
_SIZE = 1024 * 1024 + 64 * 1024


def check_begin(probe: Probe) -> list[Finding]:
    """Begin an upload and cancel it, without a body."""
    return _check(probe, with_body=False)


def check_push(probe: Probe) -> list[Finding]:
    """Begin an upload, send a body and cancel it. The limits of a proxy only show with a body."""
    return _check(probe, with_body=True)


def _check(probe: Probe, *, with_body: bool) -> list[Finding]:
    from airgap.registry.upload_sessions import session_path

    if not probe.mapping.address.prefix and with_body and is_harbor(probe) and not is_nexus(probe):
        return []  # every push needs a project, and none is named
    uploads, scopes = f"/v2/{probe_image.repository_of(probe)}/blobs/uploads/", probe_image.scopes_of(probe)
    try:
        response = probe.client.request("POST", uploads, scopes=scopes, headers={"Content-Length": "0"}, ok=(202,))
        location = session_path(probe.client, response, uploads)
    except AirgapError as error:
        return [_begin_refused(probe, error)]
    try:
        if not with_body:
            return [Finding("ok", tr("an upload may begin"))]
        finding = _send_body(probe, location, scopes)
        return [_check_read(probe) or finding] if finding.level == "ok" else [finding]
    finally:
        # Not every server supports cancelling, and a user who may only push may not be allowed to. The server's own
        # clean-up then removes the upload (in Nexus the task "Docker - Delete incomplete uploads").
        with contextlib.suppress(AirgapError):
            probe.client.request("DELETE", location, scopes=scopes, ok=tuple(range(200, 600)))


def _check_read(probe: Probe) -> Finding | None:
    """The problem of a user who may push and not read: an import compares and reads back what it pushes."""
    if probe.may_read is None:
        with contextlib.suppress(AirgapError):
            probe_image.ask_for_tag(probe)
    if probe.may_read is not False:
        return None
    return Finding(
        "problem",
        tr("this user may push and may not read, and an import reads back what it has pushed"),
        tr("the user's role needs the privilege to read as well; in Nexus nx-repository-view-docker-REPOSITORY-read"),
    )


def _begin_refused(probe: Probe, error: AirgapError) -> Finding:
    explained = explain(error)
    hint = explained.hint or ""
    said = error.said if isinstance(error, RegistryError) else ""
    status = error.status if isinstance(error, RegistryError) else 0
    if explained is error and status >= 500:
        words = without_tags(said)
        if status == 507 or re.search(r"no space left|disk|storage", words, re.IGNORECASE):
            hint = tr("make room on the disk of the registry's storage (in Nexus that of the blob store), then go on")
        return Finding("problem", tr("no upload may begin ({status}: {words})", status=status, words=words), hint)
    if explained is error and status in (403, 405) and "<html" in said.lower():
        return Finding(
            "problem",
            tr(
                "a proxy or filter in front refuses POST ({status}: {without_tags})",
                status=status,
                without_tags=without_tags(said),
            ),
            tr(
                "have it let the methods POST, PATCH, PUT and DELETE through below /v2/ (nginx: limit_except; "
                "a filter's rules)"
            ),
        )
    if explained is error and status == 405:
        what = tr("the registry takes no uploads here (405): this is a proxy or group repository, or a mirror")
        return Finding("problem", what, tr("push to a hosted repository"))
    if find_refusal(status, said) is REFUSALS_BY_ID["missing"] and nexus_settings.registries_of(probe):
        return Finding(
            "problem", explained.what, tr("there is {addresses_of}", addresses_of=nexus_settings.addresses_of(probe))
        )
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
        return Finding("ok", tr("the test upload of {size:,} bytes works; it was cancelled", size=_SIZE))
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
