# SPDX-License-Identifier: Apache-2.0
"""Values in a ``hosts.toml``, as strictly as containerd reads them (containerd core/remotes/docker/config)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from airgap.i18n import tr
from airgap.prove.node_files import NodeFileError


class HostsFileError(NodeFileError):
    """A ``hosts.toml`` that containerd cannot read."""


def split_address(address: str, where: str) -> SplitResult:
    """Split an address. Raises :class:`HostsFileError`."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 # raises ValueError for an invalid port
    except ValueError:
        raise HostsFileError(tr("{address!r} is no address", address=address[:200]), where=where) from None
    return parts


def texts(settings: Mapping[str, Any], key: str, where: str) -> list[str]:
    """Return one text or a list of texts. Raises :class:`HostsFileError`."""
    value = settings.get(key) or []
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise HostsFileError(tr("{key} names no files", key=key), where=where)
    return texts


def headers_of(value: Any, where: str) -> tuple[tuple[str, str], ...]:
    """Return the headers of a host. Raises :class:`HostsFileError`."""
    headers = []
    for name, content in (value or {}).items() if isinstance(value, dict | None) else [("", None)]:
        texts = [content] if isinstance(content, str) else content
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise HostsFileError(tr("header holds something else than texts"), where=where)
        headers.append((str(name), ", ".join(texts)))
    return tuple(headers)


def absolute(path: str, folder: str) -> str:
    """Return a path that a file in ``folder`` names."""
    return path if path.startswith("/") else f"{folder}/{path}"
