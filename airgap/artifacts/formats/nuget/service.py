# SPDX-License-Identifier: Apache-2.0
"""A source of NuGet's V3 API, as its clients ask it: the service index names where everything else is."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable
from typing import Any

from airgap import bounded_json, limits
from airgap.artifacts.formats.nuget.names import content_path
from airgap.artifacts.formats.nuget.versions import Version
from airgap.artifacts.web import WebServer
from airgap.errors import AirgapError, ContentError, NotFound, TargetError
from airgap.i18n import tr

CONTENT = ("PackageBaseAddress/3.0.0",)
PUBLISH = ("PackagePublish/2.0.0",)
#: What knows the packages with SemVer 2.0.0 first. Some are compressed whatever the client accepts.
REGISTRATION = (
    "RegistrationsBaseUrl/3.6.0", "RegistrationsBaseUrl/Versioned", "RegistrationsBaseUrl/3.4.0",
    "RegistrationsBaseUrl",
)  # fmt: skip
_MAX_VALUES = 1_000_000


class ServiceIndex:
    """The service index at ``server``'s own address. ``server_for`` gives the server of an address that it names."""

    def __init__(self, server: WebServer, server_for: Callable[[str], WebServer]) -> None:
        self._server = server
        self._server_for = server_for
        document = read_json(server.get().body, where=str(server))
        entries = document.get("resources") if isinstance(document, dict) else None
        if not isinstance(entries, list):
            raise TargetError(
                tr("this is no service index of NuGet's V3 API"),
                where=str(server),
                hint=index_hint(),
            )
        self._resources: dict[str, str] = {}
        for entry in entries:
            if isinstance(entry, dict) and isinstance(address := entry.get("@id"), str):
                kinds = entry.get("@type")
                for kind in kinds if isinstance(kinds, list) else [kinds]:
                    self._resources.setdefault(str(kind), address.rstrip("/"))

    def __str__(self) -> str:
        return str(self._server)

    def address(self, kinds: tuple[str, ...]) -> str:
        """Return the address of the first resource that the source has, without a slash at its end; empty if none."""
        return next((self._resources[kind] for kind in kinds if kind in self._resources), "")

    def content(self) -> str:
        """Return the base address of package contents. Raises :class:`TargetError` if the source has none."""
        if address := self.address(CONTENT):
            return address
        raise TargetError(tr("this source does not say where packages are (PackageBaseAddress)"), where=str(self))

    def versions(self, package: str) -> list[Version]:
        """Return all versions of a package, none if the source does not have it."""
        server = self._server_for(f"{self.content()}/{package.lower()}/index.json")
        try:
            document = read_json(server.get().body, where=str(server))
        except NotFound:
            return []
        listed = document.get("versions") if isinstance(document, dict) else None
        return [version for text in listed or () if (version := _version(text)) is not None]

    def file_address(self, package: str, version: Version) -> str:
        """Return the address of a package's file."""
        return f"{self.content()}/{content_path(package, version)}"

    def nuspec(self, package: str, version: Version) -> tuple[bytes, str] | None:
        """Return the ``.nuspec`` of a package and its address; ``None`` if only its file has it."""
        server = self._server_for(f"{self.content()}/{package.lower()}/{version}/{package.lower()}.nuspec")
        try:
            return server.get().body, str(server)
        except NotFound:
            return None

    def sha512(self, package: str, version: Version) -> str:
        """Return the SHA-512 that the source tells of a package, as ``sha512:HEX``; empty if it tells none."""
        base = self.address(REGISTRATION)
        entry = self._document(f"{base}/{package.lower()}/{version}.json").get("catalogEntry") if base else None
        if isinstance(entry, str):
            entry = self._document(entry)
        if not isinstance(entry, dict) or str(entry.get("packageHashAlgorithm", "SHA512")).upper() != "SHA512":
            return ""
        try:
            digest = base64.b64decode(str(entry.get("packageHash", "")), validate=True)
        except (binascii.Error, ValueError):
            return ""
        return f"sha512:{digest.hex()}" if len(digest) == 64 else ""

    def _document(self, url: str) -> dict[str, Any]:
        """A document that a source need not have."""
        try:
            document = read_json(self._server_for(url).get().body, where=url)
        except (NotFound, ContentError):
            return {}
        return document if isinstance(document, dict) else {}


def index_hint() -> str:
    """Return where a service index is."""
    return tr("its address ends with index.json: …/repository/NAME/index.json in Nexus, …/v3/index.json elsewhere")


def read_json(content: bytes, *, where: str) -> Any:
    """Parse a document, which may be compressed. Raises :class:`ContentError`."""
    limit = limits.value("download-bytes")
    if content[:2] == b"\x1f\x8b":
        try:
            content = zlib.decompressobj(wbits=31).decompress(content, limit + 1)
        except zlib.error as error:
            raise ContentError(tr("it is compressed, and damaged ({error})", error=error), where=where) from error
        if len(content) > limit:
            raise ContentError(
                tr("it unpacks to more than {limit} bytes", limit=limit),
                where=where,
                hint=limits.hint("download-bytes"),
            )
    return bounded_json.loads(content.removeprefix(b"\xef\xbb\xbf"), values=_MAX_VALUES, where=where)


def _version(text: object) -> Version | None:
    try:
        return Version.parse(str(text))
    except AirgapError:
        return None
