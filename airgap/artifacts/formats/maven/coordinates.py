# SPDX-License-Identifier: Apache-2.0
"""Coordinates of Maven's artifacts, and the paths that they have in every repository ("Repository Layout")."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.records import Record

_PART = re.compile(r"[A-Za-z0-9_.+-]+")
#: The extension of a file by the type of a dependency or the packaging of a pom, where they differ
#: (maven-core's artifact handlers).
_EXTENSIONS = {kind: kind for kind in ("jar", "pom", "war", "ear", "rar", "aar", "zip", "tar.gz", "so", "dll", "exe")}
_CLASSIFIERS = {"test-jar": "tests", "ejb-client": "client", "java-source": "sources", "javadoc": "javadoc"}


class Coordinates(Record):
    """One file: ``group:artifact:version`` with its extension and a classifier that may be empty."""

    group: str
    artifact: str
    version: str
    extension: str = "jar"
    classifier: str = ""

    @classmethod
    def parse(cls, text: str) -> Coordinates:
        """Parse ``GROUP:ARTIFACT[:EXTENSION[:CLASSIFIER]]:VERSION``. Raises :class:`ContentError`."""
        parts = text.strip().split(":")
        if not 3 <= len(parts) <= 5:
            raise ContentError(tr("{text!r} is no coordinates of Maven", text=text[:200]))
        kind, classifier = [*parts[2:-1], "", ""][:2]
        return cls(
            parts[0], parts[1], parts[-1], extension_of(kind or "jar"), classifier or classifier_of(kind)
        ).checked()

    def checked(self) -> Coordinates:
        """Return them. Raises :class:`ContentError` if they are not complete, or cannot be part of a path."""
        for part in (self.group, self.artifact, self.version, self.extension, self.classifier or "x"):
            if not _PART.fullmatch(part) or ".." in part or part.startswith(".") or part.endswith("."):
                raise ContentError(tr("{text!r} is no coordinates of Maven", text=str(self)[:200]))
        return self

    @property
    def name(self) -> str:
        """``group:artifact``."""
        return f"{self.group}:{self.artifact}"

    @property
    def file(self) -> str:
        """The file's name."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{classifier}.{self.extension}"

    @property
    def path(self) -> str:
        """The file's path below a repository."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file}"

    @property
    def pom(self) -> Coordinates:
        """The coordinates of its pom."""
        return Coordinates(self.group, self.artifact, self.version, "pom")

    @property
    def properties(self) -> Mapping[str, str]:
        """The properties of an artifact from which :func:`of_artifact` has them again."""
        return {
            "group": self.group, "artifact": self.artifact, "extension": self.extension,
            **({"classifier": self.classifier} if self.classifier else {}),
        }  # fmt: skip

    def __str__(self) -> str:
        kind = "" if self.extension == "jar" and not self.classifier else f":{self.extension}"
        return f"{self.name}{kind}{f':{self.classifier}' if self.classifier else ''}:{self.version}"


def of_artifact(properties: Mapping[str, str], version: str) -> Coordinates:
    """Return the coordinates of an artifact by its properties. Raises :class:`ContentError`."""
    return Coordinates(
        properties.get("group", ""), properties.get("artifact", ""), version, properties.get("extension", ""),
        properties.get("classifier", ""),
    ).checked()  # fmt: skip


def extension_of(kind: str) -> str:
    """Return the extension of a dependency's type or a pom's packaging: most kinds of packaging make a jar."""
    return _EXTENSIONS.get(kind, "jar")


def classifier_of(kind: str) -> str:
    """Return the classifier that a dependency's type stands for, or an empty string."""
    return _CLASSIFIERS.get(kind, "")
