# SPDX-License-Identifier: Apache-2.0
"""Which repository an artifact is in, by its address in a receipt."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from airgap.artifacts.publish.folder import RECORD
from airgap.bundle.receipt import ReceiptArtifact

_REPOSITORY = "/repository/"


def root_of(artifact: ReceiptArtifact) -> str:
    """Return the repository that an address is in; empty for a folder that is not on this machine."""
    url = artifact.target
    if url.startswith("file://"):
        path = Path(url.removeprefix("file://"))
        return next((f"file://{folder}" for folder in path.parents if (folder / RECORD).is_file()), "")
    base, separator, rest = url.partition(_REPOSITORY)
    if separator:
        return f"{base}{separator}{rest.partition('/')[0]}"
    return url if url.startswith(("http://", "https://", "oci://")) else ""


def host_of(netloc: str) -> str:
    """Return the name of the host, without its port; empty for none."""
    return urlsplit(f"//{netloc.rpartition('@')[2]}").hostname or "" if netloc else ""
