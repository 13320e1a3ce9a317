# SPDX-License-Identifier: Apache-2.0
"""The result of a scan, and ``scan.json``, the file that holds it.

It has no time of its own: the same bundle gives the same bytes with the same engine and database.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from airgap import bounded_json, limits
from airgap.dossier.scanning.engine import EngineIdentity
from airgap.dossier.scanning.unscannable import Reason
from airgap.durable import missing_file, read_hint
from airgap.errors import AirgapError, BundleError, UnsupportedBundle, UsageError
from airgap.i18n import tr
from airgap.records import Record, field, replace

FORMAT = 1
#: Findings, and files that were not scanned, that are listed; all are counted.
MOST_LISTED = 5000
_ID = re.compile("[0-9a-f]{64}")


class ScannedFile(Record, order=True):
    """A file in which something was found, or that was not scanned.

    ``place`` is the digest of a blob of the bundle, or the name of another member. ``file`` is the path in it, with a
    ``!`` between an archive and the path in it, empty for the whole of it. ``reason`` is empty for a finding, and
    ``what`` then the signature; else ``what`` says more. ``digest`` is empty and ``size`` -1 where they are not known.
    """

    place: str
    file: str
    what: str
    reason: str = ""
    digest: str = ""
    size: int = -1

    def with_what(self, what: str, reason: Reason | Literal[""] = "") -> ScannedFile:
        """Return it with what was found, or why it was not scanned."""
        return replace(self, what=what, reason=reason)

    def to_json(self, users: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
        """Return the entry of the document; ``users`` are the images and artifacts by their blobs."""
        return {
            "place": self.place,
            "file": self.file,
            "digest": self.digest or None,
            "size": self.size if self.size >= 0 else None,
            **({"reason": self.reason, "detail": self.what} if self.reason else {"signature": self.what}),
            "of": list(users.get(self.place, ())),
        }


class ScanResult(Record):
    """``bundle`` is the ID of the bundle. ``files`` of ``size`` bytes were scanned, ``reused`` of them earlier.

    ``found`` and ``not_scanned`` are sorted, and cut at :data:`MOST_LISTED`; ``findings`` and ``omissions`` are their
    true numbers. ``users`` are the images and artifacts by their blobs.
    """

    bundle: str
    engine: EngineIdentity
    files: int
    size: int
    reused: int
    found: tuple[ScannedFile, ...] = ()
    not_scanned: tuple[ScannedFile, ...] = ()
    findings: int = 0
    omissions: int = 0
    users: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)

    @property
    def clean(self) -> bool:
        """Whether everything was scanned and nothing was found."""
        return not self.findings and not self.omissions

    def to_json(self) -> dict[str, Any]:
        """Return the document."""
        return {
            "format": FORMAT,
            "bundle": self.bundle,
            "engine": {"name": self.engine.name, "database": self.engine.database or None,
                       "date": self.engine.date or None},
            "complete": self.clean,
            "files": self.files,
            "bytes": self.size,
            "reused": self.reused,
            "findings": self.findings,
            "omissions": self.omissions,
            "found": [entry.to_json(self.users) for entry in self.found],
            "not_scanned": [entry.to_json(self.users) for entry in self.not_scanned],
        }  # fmt: skip

    def to_bytes(self) -> bytes:
        """Return the content of ``scan.json``."""
        return json.dumps(self.to_json(), indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> ScanResult:
        """Parse ``scan.json``.

        Raises :class:`UnsupportedBundle` for a newer format, :class:`BundleError` for anything else that is wrong.
        """
        try:
            document = bounded_json.parse(content, "scan-result", where=where)
            if document["format"] != FORMAT:
                raise UnsupportedBundle(
                    tr("this version cannot read it: it has the format {format}", format=document["format"]),
                    where=where,
                )
            engine = document["engine"]
            numbers = {key: int(document[key]) for key in ("files", "bytes", "reused", "findings", "omissions")}
            result = cls(
                str(document["bundle"]),
                EngineIdentity(*(str(engine[key] or "") for key in ("name", "database", "date"))),
                numbers["files"],
                numbers["bytes"],
                numbers["reused"],
                tuple(_parse(entry, str(entry["signature"]), "") for entry in document["found"]),
                tuple(_parse(entry, str(entry["detail"]), str(entry["reason"])) for entry in document["not_scanned"]),
                numbers["findings"],
                numbers["omissions"],
                {
                    str(entry["place"]): tuple(map(str, entry["of"]))
                    for entry in (*document["found"], *document["not_scanned"])
                },
            )
            lists = ((result.findings, result.found), (result.omissions, result.not_scanned))
            if not _ID.fullmatch(result.bundle) or any(
                count != len(listed) and len(listed) != MOST_LISTED for count, listed in lists
            ):
                raise ValueError(tr("it contradicts itself"))
            return result
        except UnsupportedBundle:
            raise
        except (AirgapError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise BundleError(tr("this is no result of a scan ({error})", error=error), where=where) from None


def read_scan(path: Path) -> ScanResult:
    """Read ``scan.json``. Raises :class:`UsageError` for a missing file, and as :meth:`ScanResult.from_bytes`."""
    try:
        with open(path, "rb", opener=_open_file) as file:
            content = file.read(limits.value("scan-result-bytes") + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise missing_file(path, hint=tr("airgap scan BUNDLE makes it")) from None
    except OSError as error:
        raise UsageError(
            tr("cannot be read: {strerror}", strerror=error.strerror), where=str(path), hint=read_hint(error, path)
        ) from error
    return ScanResult.from_bytes(content, where=str(path))


def _open_file(path: str, flags: int) -> int:
    # Opening a named pipe would wait for a writer.
    return os.open(path, flags | os.O_NONBLOCK)


def _parse(entry: Mapping[str, Any], what: str, reason: str) -> ScannedFile:
    size, digest = entry["size"], entry["digest"]
    place, file = str(entry["place"]), str(entry["file"])
    return ScannedFile(place, file, what, reason, str(digest or ""), -1 if size is None else int(size))
