# SPDX-License-Identifier: Apache-2.0
"""Whether the index that Nexus writes of an apt repository lists what was uploaded.

Versions from 3.60 on write it when a client asks for it, 3.84 some seconds later, and some leave packages out
(sonatype/nexus-public 262, 725, 907). apt sees a package only there.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.formats.apt.control import parse_paragraphs
from airgap.artifacts.formats.apt.names import INDEXES, architecture_of
from airgap.artifacts.web import WebServer
from airgap.errors import ContentError, NotFound
from airgap.i18n import tr
from airgap.targets.nexus.settings import RepositorySettings
from airgap.targets.protocols import Finding
from airgap.transfer import Context

#: Seconds between the questions; the first one makes Nexus write the index.
_WAITS = (0, 1, 2, 4, 8, 15)
_SHOWN = 3


def check_index(
    server: WebServer, repository: RepositorySettings, artifacts: Sequence[Artifact], context: Context,
    waits: Sequence[float] = _WAITS,
) -> list[Finding]:  # fmt: skip
    """Return a warning if packages are still not in the index after half a minute. Nothing is said of an index that is
    too large to be read, or whose suite is not known."""
    suites = {index.rpartition("/")[0] for one in artifacts for index in one.properties.get(INDEXES, "").split()}
    suite = repository.distribution or (suites.pop() if len(suites) == 1 else "")
    missing = list(artifacts) if suite else []
    for seconds in waits:
        if not missing:
            return []
        _sleep(seconds, context)
        try:
            listed = _listed(server, suite, {architecture_of(one) for one in missing})
        except ContentError:
            return []
        if listed is None and not repository.distribution:
            return []
        missing = [one for one in missing if (one.name, one.version, one.digest) not in (listed or ())]
    if not missing:
        return []
    shown = ", ".join(f"{one.name} {one.version}" for one in missing[:_SHOWN])
    what = tr(
        "the index of {suite} does not list {count} of the packages: {shown}",
        suite=suite, count=len(missing), shown=f"{shown}, …" if len(missing) > _SHOWN else shown,
    )  # fmt: skip
    hint = tr("apt does not see them: in Nexus, run the task Apt - Rebuild Apt metadata (Settings > System > Tasks)")
    return [Finding("warning", what, hint)]


def _listed(server: WebServer, suite: str, architectures: Iterable[str]) -> set[tuple[str, str, str]] | None:
    """The names, versions and digests of the suite's index; ``None`` if there is none."""
    with contextlib.suppress(NotFound):
        server.get(f"/dists/{suite}/InRelease")
    found: set[tuple[str, str, str]] | None = None
    for architecture in sorted(architectures):
        try:
            text = server.get(f"/dists/{suite}/main/binary-{architecture}/Packages").body.decode("utf-8", "replace")
        except NotFound:
            continue
        found = found or set()
        for fields in parse_paragraphs(text):
            digest = f"sha256:{fields.get('SHA256', '').lower()}"
            found.add((fields.get("Package", ""), fields.get("Version", ""), digest))
    return found


def _sleep(seconds: float, context: Context) -> None:
    """Wait, and end at once when the command is stopped."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        context.cancel.check()
        time.sleep(min(left, 0.2))
