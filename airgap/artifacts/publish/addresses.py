# SPDX-License-Identifier: Apache-2.0
"""The targets of artifacts as the user writes them: ``pypi=http://nexus:8081/repository/pypi-hosted``."""

from __future__ import annotations

from pathlib import Path

from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.records import Record


class ArtifactTarget(Record):
    """Where the artifacts of a format go: ``url`` is ``http(s)://…`` or ``oci://…``; or ``folder`` is a folder on this
    machine, and ``served`` the address under which it will be served, if that is known."""

    format: str
    url: str = ""
    folder: Path | None = None
    served: str = ""

    @classmethod
    def parse(cls, format_name: str, text: str, *, folder: Path | None = None) -> ArtifactTarget:
        """Parse an address. A relative path after ``file:`` is below ``folder``; ``#URL`` behind it is the address that
        the folder will be served under. Raises :class:`UsageError`."""
        from airgap.artifacts.formats import format_named

        format_named(format_name)
        if text.startswith("file:"):
            path, _, served = text.removeprefix("file:").partition("#")
            path = path.removeprefix("//")
            if not path:
                raise UsageError(
                    tr("file: names no folder"), hint=tr("write it as file:///srv/{name}", name=format_name)
                )
            if served:
                _check_url(served, format_name)
            return cls(format_name, "", (folder or Path()) / path, served.rstrip("/"))
        _check_url(text, format_name)
        return cls(format_name, text.rstrip("/"))

    @classmethod
    def parse_option(cls, text: str) -> ArtifactTarget:
        """Parse ``FORMAT=URL``. Raises :class:`UsageError`."""
        name, separator, url = text.partition("=")
        if not separator or not url:
            raise UsageError(
                tr("--artifacts-to is written as FORMAT=URL, not {text!r}", text=text.rpartition("@")[2][:200]),
                hint=tr("such as --artifacts-to pypi=http://nexus.corp:8081/repository/pypi-hosted"),
            )
        return cls.parse(name, url)

    def __str__(self) -> str:
        return f"file://{self.folder}" if self.folder is not None else self.url.rpartition("@")[2] or self.url


def _check_url(text: str, format_name: str) -> None:
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in ("http", "https", "oci") or not rest.strip("/"):
        raise UsageError(
            tr("{text!r} is no address for artifacts", text=text.rpartition("@")[2][:200]),
            hint=tr(
                "write http://HOST:PORT/repository/{name}-hosted, or file:///srv/{name} for a folder", name=format_name
            ),
        )
