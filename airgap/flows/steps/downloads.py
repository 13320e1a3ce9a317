# SPDX-License-Identifier: Apache-2.0
"""Resource files at ``http(s)://`` addresses, as ``kubectl apply -f`` takes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from airgap import kube


def downloaded_files(paths: Sequence[str], download: Callable[[str], bytes] | None) -> list[kube.ResourceFile]:
    """Download the addresses among ``paths``. Their names are unique, and their paths hold no password."""
    files = []
    for number, url in enumerate((path for path in paths if is_address(path)), 1):
        assert download is not None
        name = re.sub(r"[^A-Za-z0-9._-]", "_", urlsplit(url).path.rpartition("/")[2]).lstrip(".") or "download.yaml"
        files.append(kube.ResourceFile(f"downloaded-{number}/{name}", without_secrets(url), download(url)))
    return files


def without_secrets(path: str) -> str:
    """Return ``path`` for messages: an address may contain a password or a token."""
    if not is_address(path):
        return path
    from airgap.registry.http.errors import public_url

    return public_url(path)


def is_address(path: str) -> bool:
    """Return whether ``path`` is an address instead of a file."""
    return path.startswith(("http://", "https://"))
