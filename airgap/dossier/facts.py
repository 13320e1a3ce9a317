# SPDX-License-Identifier: Apache-2.0
"""What a dossier says, as values: the bundle and its files, each image by platform, each artifact, what uses them.

All of it follows from the bundle, and from what is given beside it (scan, earlier bundle, purpose). No time of its
own, no folder of this machine: the same bundle gives the same facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from airgap.bundle.artifact_comparison import ArtifactComparison
from airgap.bundle.comparison import ImageComparison
from airgap.records import Record, field

#: Labels and annotations of image-spec annotations.md that the dossier shows by name.
SOURCE, LICENCES = "org.opencontainers.image.source", "org.opencontainers.image.licenses"


class FileFacts(Record):
    """A file of the bundle. ``sha256`` is in hexadecimal, empty for one that is not made yet."""

    name: str
    sha256: str
    size: int


class BundleFacts(Record):
    """The bundle: ``root`` is the digest of ``airgap/bundle.json``, from which everything else follows.

    ``sha256`` is that of all volumes joined, empty for a folder. ``signers`` are those whose signatures it carries, not
    verified. ``size`` is in bytes; ``made`` is false for a dry run.
    """

    file: str
    root: str
    sha256: str
    size: int
    files: Sequence[FileFacts]
    name: str = ""
    version: str = ""
    signers: Sequence[str] = ()
    requires: int = 0
    made: bool = True


class LayerFacts(Record):
    """A layer: ``shared`` tells whether another image of the bundle has it too; ``carried`` is false for a layer that
    a differential bundle leaves out."""

    digest: str
    size: int
    shared: bool
    carried: bool = True


class Package(NamedTuple):
    """An installed package. ``kind`` is ``deb``, ``apk`` or ``rpm``."""

    kind: str
    name: str
    version: str
    architecture: str = ""
    licence: str = ""


class PrivilegedFile(NamedTuple):
    """A file that runs with the rights of its owner or group. ``mode`` is octal: ``4755``."""

    path: str
    mode: str


class Contents(Record):
    """What is in the layers of an image. ``unread`` says why it is not known; it is empty where it is.

    ``system`` is the ID of the distribution. ``packages_complete`` is false where rpm's database could not be read.
    """

    packages: Sequence[Package] = ()
    privileged: Sequence[PrivilegedFile] = ()
    system: str = ""
    unread: str = ""
    packages_complete: bool = True


#: Why the contents of layers are not known: the words of the JSON document.
NOT_READ, LAYERS_ELSEWHERE = "not read yet", "layers are not in this bundle"


class PlatformFacts(Record):
    """An image of one platform. ``created`` is as its config has it; ``user`` is empty where the config names none.

    ``is_container`` is false for what is stored like an image and starts no container, such as a chart.
    """

    platform: str
    digest: str
    size: int
    layers: Sequence[LayerFacts]
    created: str = ""
    user: str = ""
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    contents: Contents = Contents(unread=NOT_READ)
    is_container: bool = True

    @property
    def is_root(self) -> bool:
        """Whether its processes start as root, or with all rights on Windows."""
        if not self.is_container:
            return False
        name = self.user.partition(":")[0].lower()
        return name in (("", "containeradministrator") if self.platform.startswith("windows") else ("", "0", "root"))


class AttachmentFacts(Record):
    """What is attached to an image, not verified. ``kind`` is ``signature``, ``attestation``, ``sbom`` or ``other``.

    ``signer`` is whom a certificate names, ``digest`` that of the manifest which attaches it.
    """

    kind: str
    type: str
    signer: str
    digest: str
    subject: str


class Use(Record):
    """A place that names an image: a resource file of the bundle, and the line."""

    file: str
    line: int


class ImageFacts(Record):
    """An image. Sizes are in bytes, ``None`` where the inventory does not say what an image consists of."""

    reference: str
    registry: str
    digest: str
    media_type: str
    total: int | None
    own: int | None
    platforms: Sequence[PlatformFacts]
    attachments: Sequence[AttachmentFacts] = ()
    uses: Sequence[Use] = ()
    derived_from: str = ""
    complete: bool = True

    @property
    def shared(self) -> int | None:
        """The bytes that other images of the bundle use too."""
        return None if self.total is None or self.own is None else self.total - self.own

    def attached(self, kind: str) -> list[AttachmentFacts]:
        """Return what is attached of one kind."""
        return [attachment for attachment in self.attachments if attachment.kind == kind]

    def label_values(self, name: str) -> list[str]:
        """Return the values of a label on all platforms, each once."""
        return list(dict.fromkeys(value for platform in self.platforms if (value := platform.labels.get(name))))


class ArtifactFacts(Record):
    """A file of another format than images. ``source`` is the address that it came from, without secrets."""

    format: str
    name: str
    version: str
    file: str
    digest: str
    size: int
    source: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


class ResourceFacts(Record):
    """A resource file of the bundle, and how many images it names."""

    name: str
    sha256: str
    images: int


class DocumentFacts(Record):
    """A document that rides along. ``kind`` is its format if that was recognised, ``about`` what it says it is about,
    ``severities`` how many vulnerabilities it lists of each severity, ``parts`` its components."""

    name: str
    sha256: str
    size: int
    kind: str = ""
    about: str = ""
    severities: Sequence[tuple[str, int]] = ()
    parts: int = 0


class Changes(Record):
    """What differs from an earlier bundle or receipt, called ``name``; ``root`` identifies it. Without what is kept."""

    name: str
    root: str
    images: Sequence[ImageComparison]
    artifacts: Sequence[ArtifactComparison]


class ScanEntry(NamedTuple):
    """A file in which a scan found something, or that it did not scan.

    ``place`` is the digest of a blob or the name of a member, ``file`` the path in it. ``what`` is the signature of a
    finding; else ``reason`` tells why, and ``what`` more. ``users`` are the images and artifacts that have it.
    """

    place: str
    file: str
    what: str
    reason: str
    users: tuple[str, ...]


class ScanFacts(Record):
    """The scan of the bundle. ``sha256`` is that of ``scan.json``; ``database`` and ``date`` are the engine's.

    ``findings`` and ``omissions`` are the numbers of all files of each list, which may be cut.
    """

    sha256: str
    engine: str
    database: str
    date: str
    files: int
    bytes: int
    reused: int
    findings: int
    omissions: int
    found: Sequence[ScanEntry] = ()
    not_scanned: Sequence[ScanEntry] = ()

    @property
    def clean(self) -> bool:
        """Whether everything was scanned and nothing was found."""
        return not self.findings and not self.omissions


class Dossier(Record):
    """Everything that a dossier says."""

    bundle: BundleFacts
    images: Sequence[ImageFacts] = ()
    artifacts: Sequence[ArtifactFacts] = ()
    resources: Sequence[ResourceFacts] = ()
    skipped: Sequence[tuple[str, str]] = ()
    changes: Changes | None = None
    notes: str = ""
    purpose: str = ""
    scan: ScanFacts | None = None
    documents: Sequence[DocumentFacts] = ()
