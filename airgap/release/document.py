# SPDX-License-Identifier: Apache-2.0
"""``release.json``: the bundles of a release, what a site must have for each of them, and every file of the folder.

It contains no time and no folder names: the same files always give the same bytes. ADR 0047 has an example.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airgap import limits
from airgap.bounded_json import TooLarge
from airgap.bundle.document_format import FORMAT, check_supported, dump_json, optional_list
from airgap.bundle.document_parts import Memory, Part, read_parts
from airgap.durable import missing_file, read_hint
from airgap.errors import AirgapError, BundleError, UnsupportedBundle, UsageError
from airgap.i18n import tr
from airgap.json_stream import JsonStream, pread_of
from airgap.records import Record

#: The name of the document in the folder of a release.
DOCUMENT_NAME = "release.json"
#: The oldest airgap that reads the document.
_TOOL = "airgap 0.4.0"
FULL, DIFFERENTIAL = "full", "differential"
#: What a file is for. A later version may know more: other roles are kept as they are.
BUNDLE, PARITY, INVENTORY, CHECKSUMS = "bundle", "parity", "inventory", "checksums"
DOSSIER, NOTES, INSTALL = "dossier", "notes", "install"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ROLE = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)


class SiteRelease(Record):
    """A release that a site must have: its ``version``, and the ``id`` of its full bundle."""

    version: str
    id: str

    def to_json(self) -> dict[str, Any]:
        """Return the value of ``since``."""
        return {"version": self.version, "id": self.id}


class ReleaseBundle(Record):
    """A bundle of the release: its ``id`` (the SHA-256 of its ``bundle.json``) and its ``size`` in bytes.

    ``files`` are the names of its file, or of its volumes in order; ``parity`` of its parity volumes, ``dossier`` of
    the files that describe it. A differential bundle has ``since``: a site with that release needs nothing else.
    """

    id: str
    size: int
    files: tuple[str, ...]
    parity: tuple[str, ...] = ()
    dossier: tuple[str, ...] = ()
    since: SiteRelease | None = None

    @property
    def kind(self) -> str:
        """``full`` or ``differential``."""
        return DIFFERENTIAL if self.since else FULL

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``bundles``."""
        return {
            "kind": self.kind,
            "since": self.since.to_json() if self.since else None,
            "id": self.id,
            "size": self.size,
            "files": list(self.files),
            "parity": list(self.parity),
            "dossier": list(self.dossier),
        }


class ReleaseFile(Record):
    """A file in the folder. ``bundle`` is the ID of the bundle that it is a part of, ``None`` for the whole release."""

    name: str
    size: int
    sha256: str
    role: str
    bundle: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``files``."""
        return {
            "name": self.name,
            "size": self.size,
            "sha256": self.sha256,
            "role": self.role,
            "bundle": self.bundle,
        }


class Release(Record):
    """The content of ``release.json``.

    ``bundles`` begins with the full one; the differential ones follow, the newest ``since`` first. ``files`` are all
    files of the folder, sorted by name, except the document itself and its signatures.
    """

    name: str
    version: str
    bundles: tuple[ReleaseBundle, ...]
    files: tuple[ReleaseFile, ...]

    @property
    def title(self) -> str:
        """The name of the folder, such as ``my-platform-1.10``."""
        return f"{self.name}-{self.version}"

    @property
    def full(self) -> ReleaseBundle:
        """The bundle for a site that has no release, or one that no differential bundle builds on."""
        return self.bundles[0]

    @property
    def differentials(self) -> tuple[ReleaseBundle, ...]:
        """The bundles for sites that have an earlier release."""
        return self.bundles[1:]

    def to_bytes(self) -> bytes:
        """Return the file's content: one line for each bundle and file."""
        head = dump_json({"format": FORMAT, "tool": _TOOL, "name": self.name, "version": self.version})[:-1]
        bundles = b",\n".join(dump_json(bundle.to_json()) for bundle in self.bundles)
        files = b",\n".join(dump_json(file.to_json()) for file in self.files)
        return head + b',\n"bundles":[\n' + bundles + b'],\n"files":[\n' + files + b"]}\n"

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> Release:
        """Parse and check the file's content.

        Raises :class:`UnsupportedBundle` for a newer format, :class:`BundleError` for an invalid document.
        """
        memory = Memory()
        try:
            stream = JsonStream(pread_of(content), size=len(content))
            found = read_parts(stream, _PARTS, memory, lambda read: check_supported(read, where))
            check_supported(found, where)
            release = cls(found["name"], found["version"], found["bundles"], found["files"])
            _check_consistency(release)
            return release
        except UnsupportedBundle:
            raise
        except TooLarge as error:
            refused = _unreadable(error, where)
            refused.hint = error.hint
            raise refused from None
        except (AirgapError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _unreadable(error, where) from error


def read_release(folder: str | os.PathLike[str]) -> Release:
    """Read the document of the release in ``folder``.

    Raises :class:`UsageError` if there is none or it cannot be read, and what :meth:`Release.from_bytes` raises.
    """
    path = Path(folder) / DOCUMENT_NAME
    try:
        with path.open("rb") as file:
            # One byte more than is read, so that a larger file is refused.
            content = file.read(limits.value("document-bytes") + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise missing_file(path, hint=tr("name the folder of a release")) from None
    except OSError as error:
        hint = read_hint(error, path)
        raise UsageError(
            tr("cannot read it: {strerror}", strerror=error.strerror), where=str(path), hint=hint
        ) from error
    return Release.from_bytes(content, where=str(path))


def file_name_problem(name: str) -> str | None:
    """Return why a file of a release cannot have this name, or ``None``. It has to be one in the folder itself."""
    if not name or name[0] in ".-" or "/" in name or "\\" in name or not name.isprintable():
        return tr("is no plain file name")
    if len(name.encode(errors="replace")) > 255:
        return tr("is too long for a file name")
    return None


def _parse_bundle(entry: Mapping[str, Any]) -> ReleaseBundle:
    files, parity, dossier = (tuple(map(_parse_name, _list(entry[key]))) for key in ("files", "parity", "dossier"))
    since = entry["since"]
    site = SiteRelease(_parse_name(since["version"]), _parse_sha256(since["id"])) if since is not None else None
    bundle = ReleaseBundle(_parse_sha256(entry["id"]), _parse_size(entry["size"]), files, parity, dossier, site)
    if entry["kind"] != bundle.kind:
        raise ValueError(tr("{kind!r} is no kind of bundle that fits its needs", kind=str(entry["kind"])[:80]))
    return bundle


def _parse_file(entry: Mapping[str, Any]) -> ReleaseFile:
    role, bundle = entry["role"], entry["bundle"]
    if not isinstance(role, str) or not _ROLE.fullmatch(role):
        raise ValueError(tr("{role!r} is no role of a file", role=str(role)[:80]))
    return ReleaseFile(
        _parse_name(entry["name"]),
        _parse_size(entry["size"]),
        _parse_sha256(entry["sha256"]),
        role,
        None if bundle is None else _parse_sha256(bundle),
    )


def _check_consistency(release: Release) -> None:
    """Raise ValueError unless the bundles and the files agree."""
    if [bundle.kind for bundle in release.bundles] != [FULL, *[DIFFERENTIAL] * (len(release.bundles) - 1)]:
        raise ValueError(tr("the first of its bundles, and no other, must be the full one"))
    ids = [bundle.id for bundle in release.bundles]
    bases = [bundle.since.id for bundle in release.differentials if bundle.since]
    if len(set(ids)) != len(ids) or len(set(bases)) != len(bases) or release.full.id in bases:
        raise ValueError(tr("it lists a bundle twice"))
    files = {file.name: file for file in release.files}
    if len(files) != len(release.files) or DOCUMENT_NAME in files:
        raise ValueError(tr("it lists a file twice, or itself"))
    belongs: dict[str, tuple[str, str]] = {}
    for bundle in release.bundles:
        parts = {BUNDLE: bundle.files, PARITY: bundle.parity, DOSSIER: bundle.dossier}
        for role, names in parts.items():
            _add_parts(belongs, names, (role, bundle.id))
        if not bundle.files:
            raise ValueError(tr("the bundle {id} has no files", id=bundle.id))
        if any(name not in files for names in parts.values() for name in names):
            raise ValueError(tr("the bundle {id} has files that it does not list", id=bundle.id))
        if sum(files[name].size for name in bundle.files) != bundle.size:
            raise ValueError(tr("the files of the bundle {id} have another size than it has", id=bundle.id))
    for name, file in files.items():
        expected = belongs.get(name)
        if expected and expected != (file.role, file.bundle):
            raise ValueError(tr("the file {name} is a part of another bundle than it says", name=name))
        if not expected and (file.role in (BUNDLE, PARITY) or file.bundle not in (None, *ids)):
            raise ValueError(tr("the file {name} is a part of no bundle", name=name))


def _add_parts(belongs: dict[str, tuple[str, str]], names: Sequence[str], part: tuple[str, str]) -> None:
    for name in names:
        if name in belongs:
            raise ValueError(tr("the file {name} is listed as two parts of bundles", name=name))
        belongs[name] = part


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(tr("{value!r} is no list", value=str(value)[:80]))
    return value


def _parse_name(value: Any) -> str:
    """A file's name, or a name or version of a release, which are parts of file names."""
    if not isinstance(value, str):
        raise ValueError(tr("{value!r} is no text", value=str(value)[:80]))
    if reason := file_name_problem(value):
        raise ValueError(tr("the name {name!r} {reason}", name=value[:80], reason=reason))
    return value


def _parse_size(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(tr("{value!r} is no size in bytes", value=str(value)[:80]))
    return value


def _parse_sha256(value: Any) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ValueError(tr("{value!r} is no SHA-256", value=str(value)[:80]))
    return value


#: How each key is read.
_PARTS = {
    "format": Part("value", lambda value: value),
    "features": Part("value", optional_list),
    "tool": Part("value", lambda value: value),
    "name": Part("value", _parse_name),
    "version": Part("value", _parse_name),
    "bundles": Part("list", _parse_bundle, cost=1000, factor=8, optional=False),
    "files": Part("list", _parse_file, cost=500, optional=False),
}


def _unreadable(error: Exception, where: str) -> BundleError:
    what = error.what if isinstance(error, AirgapError) else str(error)
    return BundleError(
        tr("this release.json is unreadable ({error})", error=what),
        where=where,
        hint=tr("copy the folder again, and compare it with sha256sum -c SHA256SUMS"),
    )
