# SPDX-License-Identifier: Apache-2.0
"""A Debian repository in files ("DebianRepository/Format"): ``pool/`` and ``dists/SUITE`` with the component main.

The Release files are not signed: clients trust the address, or you sign them with a key of your own.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from email.utils import formatdate

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.formats.apt.control import format_paragraph, parse_paragraphs
from airgap.artifacts.formats.apt.names import CONTROL, INDEXES, is_word, pool_path
from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.records import replace

#: What the index says itself, whatever the control file has.
_OWN_FIELDS = frozenset({"filename", "size", "md5sum", "sha1", "sha256", "sha512", "status"})


class AptLayout:
    """apt reads it from any web server, and from ``file:``."""

    def path(self, artifact: Artifact) -> str:
        """The file lies in the pool, whichever suites have it."""
        return pool_path(artifact)

    def documents(self, artifacts: Sequence[Artifact], base_url: str) -> Mapping[str, bytes]:
        """``Packages`` and ``Packages.gz`` of each suite and architecture, and then the ``Release`` of the suite."""
        suites: dict[str, dict[str, list[Artifact]]] = {}
        for artifact in artifacts:
            for index in artifact.properties.get(INDEXES, "").split():
                suite, _, architecture = index.rpartition("/")
                if not (is_word("suite", suite) and is_word("architecture", architecture)):
                    raise _no_properties(artifact)
                suites.setdefault(suite, {}).setdefault(architecture, []).append(artifact)
        documents: dict[str, bytes] = {}
        for suite, architectures in sorted(suites.items()):
            indexes: dict[str, bytes] = {}
            for architecture, own in sorted(architectures.items()):
                content = "\n".join(
                    map(_entry, sorted(own, key=lambda one: (one.name, one.version, one.file)))
                ).encode()
                indexes[f"main/binary-{architecture}/Packages"] = content
                indexes[f"main/binary-{architecture}/Packages.gz"] = gzip.compress(content, mtime=0)
            documents |= {f"dists/{suite}/{path}": content for path, content in indexes.items()}
            documents[f"dists/{suite}/Release"] = _release(suite, sorted(architectures), indexes)
        return documents


def joined(known: Artifact, new: Artifact) -> Artifact:
    """Return a package that is in the indexes of both: one file may belong to several suites."""
    indexes = {*known.properties.get(INDEXES, "").split(), *new.properties.get(INDEXES, "").split()}
    return replace(new, properties={**new.properties, INDEXES: " ".join(sorted(indexes))})


def _entry(artifact: Artifact) -> str:
    fields = next(parse_paragraphs(artifact.properties.get(CONTROL, "")), {})
    if fields.get("Package") != artifact.name or fields.get("Version") != artifact.version:
        raise _no_properties(artifact)
    own = {
        "Filename": pool_path(artifact), "Size": str(artifact.size), "SHA256": artifact.digest.partition(":")[2],
    }  # fmt: skip
    return format_paragraph({name: value for name, value in fields.items() if name.lower() not in _OWN_FIELDS} | own)


def _release(suite: str, architectures: Sequence[str], indexes: Mapping[str, bytes]) -> bytes:
    """apt keeps a Release that is newer than the one it is offered, so this one has the time of its making."""
    sums = "".join(
        f"\n {hashlib.sha256(content).hexdigest()} {len(content)} {path}" for path, content in indexes.items()
    )
    fields = {
        "Origin": "airgap", "Label": "airgap", "Suite": suite, "Codename": suite, "Date": formatdate(usegmt=True),
        "Architectures": " ".join(architectures), "Components": "main", "SHA256": sums,
    }  # fmt: skip
    return format_paragraph(fields).encode()


def _no_properties(artifact: Artifact) -> ContentError:
    return ContentError(tr("it has not the properties of a Debian package"), where=artifact.label)
