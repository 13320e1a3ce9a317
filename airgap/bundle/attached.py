# SPDX-License-Identifier: Apache-2.0
"""Documents that ride along in a bundle (``export --attach``): reports of scanners, SBOMs, anything the maker adds.

They are members before the blobs, so that signatures cover them and every tar program takes them out. Their member
names are numbers; the names of the files are in the inventory.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from airgap.errors import BundleError
from airgap.i18n import tr
from airgap.records import Record

#: The folder of the documents in the tar.
ATTACHED_FOLDER = "airgap/attached/"
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,10}", re.ASCII)


class AttachedDocument(Record):
    """A document in the bundle: the ``name`` of its file, its ``member``, and the hex ``sha256`` of its content."""

    name: str
    member: str
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the inventory's ``attached``."""
        return {"name": self.name, "member": self.member, "sha256": self.sha256}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> AttachedDocument:
        """Parse an entry. Raises KeyError, TypeError, ValueError or :class:`BundleError`."""
        name = str(entry["name"])
        if reason := attached_name_problem(name):
            raise BundleError(tr("the name of an attached document, {name!r}, {reason}", name=name, reason=reason))
        return cls(name, str(entry["member"]), str(entry["sha256"]))


def attached_name_problem(name: str) -> str | None:
    """Return why a document cannot be carried under this name, or ``None``: somebody will write a file of it."""
    if not name or name in (".", "..") or "/" in name or "\\" in name or not name.isprintable():
        return tr("is no file name on every system")
    if len(name.encode(errors="replace")) > 255:
        return tr("is too long for a file name")
    return None


def lay_out_attached(documents: Sequence[tuple[str, bytes]]) -> tuple[list[AttachedDocument], list[tuple[str, bytes]]]:
    """Return the inventory's entries of ``documents`` (name and content), and their members with their content."""
    entries, members = [], []
    for number, (name, content) in enumerate(documents, 1):
        suffix = name[name.rindex(".") :] if "." in name else ""
        member = f"{ATTACHED_FOLDER}{number:04}{suffix if _SUFFIX.fullmatch(suffix) else ''}"
        entries.append(AttachedDocument(name, member, hashlib.sha256(content).hexdigest()))
        members.append((member, content))
    return entries, members


def check_attached(documents: Sequence[AttachedDocument], members: Mapping[str, str]) -> None:
    """Raise :class:`BundleError` unless the documents are the ``members`` of their folder, each once."""
    listed = {member for member in members if member.startswith(ATTACHED_FOLDER)}
    if len({document.name for document in documents}) != len(documents):
        raise BundleError(tr("its inventory lists an attached document twice"))
    for document in documents:
        if members.get(document.member) != f"sha256:{document.sha256}" or document.member not in listed:
            raise BundleError(tr("its inventory has no member for the attached document {name}", name=document.name))
    if len(listed) != len(documents):
        raise BundleError(tr("its inventory does not name all of its attached documents"))
