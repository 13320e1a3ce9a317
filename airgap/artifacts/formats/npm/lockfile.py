# SPDX-License-Identifier: Apache-2.0
"""Lock files of npm (``package-lock.json``, ``npm-shrinkwrap.json``; versions 1 to 3): packages with their digests."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from airgap import bounded_json, limits
from airgap.artifacts.formats.npm.names import is_name, version_key
from airgap.errors import ContentError, UsageError
from airgap.i18n import tr
from airgap.records import Record

#: Strongest first; ``integrity`` may have several (W3C "Subresource Integrity").
_ALGORITHMS = {"sha512": 64, "sha384": 48, "sha256": 32, "sha1": 20}
_MAX_DEPTH = 200


class LockedPackage(Record):
    """One package of a lock file. ``resolved`` is its address, empty if the file does not have it; ``expected`` is the
    digest that it must have, empty without one."""

    name: str
    version: str
    resolved: str
    expected: tuple[str, ...]


def parse_lockfile(content: bytes, *, where: str) -> list[LockedPackage]:
    """Return the packages of a lock file that a registry has. Folders of a workspace, packages inside other packages
    and files beside the lock file are left out.

    Raises :class:`ContentError` for a file that is no lock file, and :class:`UsageError` for packages that are taken
    from version control.
    """
    try:
        document = bounded_json.loads(content, values=limits.value("lockfile-values"), depth=2 * _MAX_DEPTH)
        if not isinstance(document, dict):
            raise ValueError(tr("it is no JSON object"))
        if not isinstance(document.get("packages", document.get("dependencies", {})), dict):
            raise ValueError(tr("its packages are no JSON object"))
        entries = _entries(document)
        packages = [package for name, entry in entries if (package := _package(name, entry, where)) is not None]
    except bounded_json.TooLarge as error:
        error.where, error.hint = where, limits.hint("lockfile-values")
        raise
    except (ContentError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ContentError(
            tr("this is no lock file of npm ({error})", error=error),
            where=where,
            hint=tr("npm install --package-lock-only writes one"),
        ) from error
    if "packages" not in document and "dependencies" not in document and "lockfileVersion" not in document:
        raise ContentError(
            tr("this is no lock file of npm: it has no lockfileVersion"),
            where=where,
            hint=tr("name package-lock.json or npm-shrinkwrap.json"),
        )
    return list(dict.fromkeys(packages))


def _entries(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "packages" not in document:
        yield from _nested(document.get("dependencies", {}))
        return
    for place, entry in document["packages"].items():
        _, is_installed, name = place.rpartition("node_modules/")
        if is_installed and not entry.get("link") and not entry.get("inBundle"):
            yield str(entry.get("name") or name), entry


def _nested(dependencies: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Version 1: ``dependencies`` inside each other. An alias has ``npm:NAME@VERSION`` as its version."""
    if depth > _MAX_DEPTH:
        raise ValueError(tr("it is nested too deeply"))
    for name, entry in dependencies.items():
        if not entry.get("bundled"):
            version = str(entry.get("version", ""))
            if version.startswith("npm:"):
                real, _, version = version.removeprefix("npm:").rpartition("@")
                yield real, {**entry, "version": version}
            elif version_key(version) is None:
                # An address in place of a version.
                yield name, {**entry, "version": "", "resolved": version}
            else:
                yield name, entry
        yield from _nested(entry.get("dependencies", {}), depth + 1)


def _package(name: str, entry: Mapping[str, Any], where: str) -> LockedPackage | None:
    version, resolved = str(entry.get("version", "")), entry.get("resolved") or ""
    if not isinstance(resolved, str):
        resolved = ""
    scheme = resolved.partition(":")[0]
    if resolved.startswith(("file:", "link:")):
        return None
    if resolved and scheme not in ("http", "https"):
        raise UsageError(
            tr("{name} is taken from version control, not from a registry", name=name[:200]),
            where=where,
            hint=tr("pack it (npm pack), publish it to a registry, and let the project name that version"),
        )
    if not is_name(name) or version_key(version) is None:
        raise ValueError(tr("{name!r} {version!r} is no package", name=name[:200], version=version[:60]))
    return LockedPackage(name, version, resolved, _expected(str(entry.get("integrity") or "")))


def _expected(integrity: str) -> tuple[str, ...]:
    """The strongest digest of an ``integrity``. Raises :class:`ValueError` for one that cannot be checked."""
    for algorithm, size in _ALGORITHMS.items():
        for item in integrity.split():
            name, _, encoded = item.partition("?")[0].partition("-")
            if name == algorithm:
                try:
                    value = base64.b64decode(encoded, validate=True)
                except binascii.Error:
                    value = b""
                if len(value) != size:
                    raise ValueError(tr("its integrity {integrity!r} is no digest", integrity=integrity[:100]))
                return (f"{algorithm}:{value.hex()}",)
    if integrity.strip():
        raise ValueError(tr("its integrity {integrity!r} is no digest", integrity=integrity[:100]))
    return ()
