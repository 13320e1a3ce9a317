# SPDX-License-Identifier: Apache-2.0
"""Explains why no Nexus answers at the address that ``--nexus`` gives."""

from __future__ import annotations

from airgap.errors import AirgapError
from airgap.i18n import tr
from airgap.targets.doctor.web_page import described
from airgap.targets.nexus.detection import is_nexus_response
from airgap.targets.nexus.probe import NexusProbe
from airgap.targets.nexus.rest import API, is_status
from airgap.targets.protocols import Finding

#: Context paths that installations use; Nexus has none by default.
_CONTEXT_PATHS = ("/nexus", "/nexus3", "/repository-manager")
_HINT = tr("--nexus is Nexus's own address, that of its pages, with its context path")


def explain_silence(probe: NexusProbe) -> Finding:
    """Return the warning for an address at which no REST API of Nexus answers, with the reason."""
    url, answer = probe.rest.url, probe.rest.status_answer
    curl = (f"curl -i {probe.rest.url_of('status')}",)
    if isinstance(answer, AirgapError):
        hint = f"{_HINT}; {answer.hint}" if answer.hint else _HINT
        return Finding(
            "warning",
            tr("--nexus {url}: {what}, so its settings were not looked at", url=url, what=answer.what),
            hint,
            run=curl,
        )
    if (context_path := _context_path(probe)) is not None:
        return Finding(
            "warning",
            tr(
                "--nexus {url} lacks Nexus's context path {context_path}, so its settings were not looked at",
                url=url,
                context_path=context_path,
            ),
            tr("give it with its context path:"),
            run=(f"--nexus {url}{context_path}",),
        )
    if answer.headers.get("Docker-Distribution-Api-Version") or is_nexus_response(answer) or url == probe.root:
        what = tr("--nexus {url} is a registry, a connector's port: so Nexus's settings were not looked at", url=url)
        return Finding("warning", what, tr("{hint}, often port 8081 or 8443", hint=_HINT), run=curl)
    return Finding(
        "warning",
        tr(
            "no Nexus answers at {url} but {described}, so its settings were not looked at",
            url=url,
            described=described(answer),
        ),
        _HINT,
        run=curl,
    )


def _context_path(probe: NexusProbe) -> str | None:
    """The usual context path below which a Nexus answers; ``None`` if there is none."""
    url = probe.rest.url
    for context_path in _CONTEXT_PATHS:
        try:
            response = probe.rest.client.request_url("GET", f"{url}{context_path}{API}/status")
        except AirgapError:
            return None
        if is_status(response):
            return context_path
    return None
