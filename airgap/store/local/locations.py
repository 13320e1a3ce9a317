# SPDX-License-Identifier: Apache-2.0
"""Open images at hand by the names that skopeo gives to such places (containers-transports(5))."""

from __future__ import annotations

from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.store.local.base import LocalImages

_FORMS = tr("oci-archive:F[:REF], docker-archive:F[:REF], oci:DIR[:REF] or containerd:[SOCKET][:NAMESPACE]")


def open_images(location: str) -> LocalImages:
    """Open ``transport:path[:reference]``; the caller closes it.

    Raises :class:`UsageError` for another form and a path that cannot be opened, and
    :class:`airgap.errors.ContentError` for content that is not what its transport says.
    """
    transport, colon, rest = location.partition(":")
    path, _, wanted = rest.partition(":")
    if transport == "containerd" and colon:
        from airgap.store.local.containerd import Containerd

        return Containerd(location, path, wanted)
    if transport not in ("oci", "oci-archive", "docker-archive") or not path:
        raise UsageError(
            tr("{location!r} is no place with images", location=location), hint=tr("--from takes {forms}", forms=_FORMS)
        )
    label = f"{transport}:{path}"
    if transport == "docker-archive":
        from airgap.store.local.docker import DockerArchive

        return DockerArchive(label, path, wanted)
    from airgap.store.local.oci import OciArchive, OciFolder

    return OciFolder(label, path, wanted) if transport == "oci" else OciArchive(label, path, wanted)
