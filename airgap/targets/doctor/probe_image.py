# SPDX-License-Identifier: Apache-2.0
"""The image that doctor asks a registry for and begins an upload to. It never gets a tag or a blob."""

from __future__ import annotations

from airgap.targets.probe import Probe

#: The image's name below the target's prefix.
_NAME = "airgap-probe"
#: Every status but that of a refused sign-in: 403 says that the user may not read.
_STATUSES = tuple(status for status in range(200, 600) if status not in (401, 429))


def repository_of(probe: Probe) -> str:
    """The image's repository, with the target's prefix."""
    prefix = probe.mapping.address.prefix
    return f"{prefix}/{_NAME}" if prefix else _NAME


def scopes_of(probe: Probe) -> tuple[str, ...]:
    """The scopes of a token that allows to read the image and to push it."""
    return (f"repository:{repository_of(probe)}:pull,push",)


def ask_for_tag(probe: Probe) -> None:
    """Ask for a tag of the image, and note whether this user may read.

    Raises the error of the connection, and :class:`airgap.errors.Unauthorized` if the user is refused.
    """
    path = f"/v2/{repository_of(probe)}/manifests/latest"
    response = probe.client.request("HEAD", path, scopes=scopes_of(probe), ok=_STATUSES)
    probe.may_read = response.status != 403
