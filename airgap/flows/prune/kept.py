# SPDX-License-Identifier: Apache-2.0
"""What must stay: releases, bundles, their documents, receipts and locks, and images that resource files name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from airgap import limits
from airgap.bundle import Document, Inventory, Lockfile, Receipt, open_bundle
from airgap.bundle.documents import read_document, read_json_document
from airgap.bundle.media.sealed import Unseal
from airgap.bundle.media.zstd import MAGIC
from airgap.errors import AirgapError, BundleError, UsageError
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.records import Record, field, replace
from airgap.targets import Mapping as TargetMapping
from airgap.trust.age_header import MAGIC as AGE_MAGIC

#: How a bundle begins: as a tar, as a frame of zstd, sealed.
_BUNDLE_STARTS = (b"oci-layout\0", MAGIC, AGE_MAGIC)
#: Endings of documents of airgap that must not be passed over if they are damaged.
_OWN_NAMES = (".receipt.json", "bundle.json", ".lock")
#: A folder of blobs: the bundle's document lies beside it.
_BLOBS = "blobs"
#: How far below a given folder files are read.
_MAX_DEPTH = 3


class Kept(Record, frozen=False):
    """``sources`` are normalised references of kept images, ``tags`` repository and tag at the target, and ``digests``
    what is kept in a repository without a tag. ``all_digests`` are those of all documents, and ``locked`` the sources
    of locks, whose digests are others once platforms were selected. ``artifacts`` are identities and ``addresses``
    their places.

    ``requires`` are layers that kept differential bundles build on, each with the name of a bundle.
    """

    sources: set[str] = field(default_factory=set)
    tags: set[tuple[str, str]] = field(default_factory=set)
    digests: dict[str, set[str]] = field(default_factory=dict)
    all_digests: set[str] = field(default_factory=set)
    locked: set[str] = field(default_factory=set)
    artifacts: set[tuple[str, str, str, str]] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    requires: dict[str, str] = field(default_factory=dict)

    def keeps(self, repository: str, tag: str, sources: Iterable[str]) -> bool:
        """Whether a tag is kept, by its name or by a reference that it came from."""
        return (repository, tag) in self.tags or any(source in self.sources for source in sources)

    def keeps_digest(self, digest: str, sources: Iterable[str]) -> bool:
        """Whether an image without a tag is kept, which came from these references."""
        return digest in self.all_digests or any(source in self.locked for source in sources)

    def add_reference(self, reference: Reference, mapping: TargetMapping | None, digest: str = "") -> None:
        """Keep an image by its reference, and by its name at the target."""
        self.sources.add(str(reference))
        self.all_digests |= {digest, reference.digest} - {""}
        if mapping is None:
            return
        target = mapping.locate(reference)
        if target.registry != mapping.address.registry:
            return
        if target.tag:
            self.tags.add((target.repository, target.tag))
        for known in {digest, target.digest} - {""}:
            self.digests.setdefault(target.repository, set()).add(known)
            self.tags.add((target.repository, replace(target, digest=known).digest_tag))


def read_kept(paths: Sequence[str], unseal: Unseal | None = None) -> list[Document]:
    """Read the documents at ``paths``, which are files or folders. ``unseal`` gets the key of a sealed bundle.

    Raises :class:`UsageError` for a folder without any, and :class:`BundleError` for what cannot be read: what is not
    known to be kept would be deleted.
    """
    documents: list[Document] = []
    for text in paths:
        path = Path(text)
        found = list(_read_folder(path, unseal)) if path.is_dir() else [_read_file(path, unseal)]
        if not found:
            raise UsageError(
                tr("this folder has no bundle, bundle.json, receipt or lock"),
                where=text,
                hint=tr("name the folder of a release, or one of these files"),
            )
        documents += found
    return documents


def kept_at(documents: Iterable[Document], images: Iterable[Reference], mapping: TargetMapping | None) -> Kept:
    """Return what the documents keep at the target of ``mapping``, and ``images`` that resource files name."""
    kept = Kept()
    for document in documents:
        content = document.content
        if isinstance(content, Receipt):
            _add_receipt(kept, content, mapping)
            continue
        kept.artifacts.update(artifact.identity for artifact in content.artifacts)
        for reference, digest in _references(content):
            kept.add_reference(reference, mapping, digest)
            if isinstance(content, Lockfile):
                kept.locked.add(str(reference))
        if isinstance(content, Inventory):
            kept.requires |= {layer.digest: document.path for layer in content.requires}
    for reference in images:
        kept.add_reference(reference, mapping)
    return kept


def _references(content: Inventory | Lockfile) -> Iterator[tuple[Reference, str]]:
    if isinstance(content, Lockfile):
        yield from ((Reference.parse(name), image.digest) for name, image in content.images.items())
    else:
        yield from ((image.reference, image.descriptor.digest) for image in content.images)


def _add_receipt(kept: Kept, receipt: Receipt, mapping: TargetMapping | None) -> None:
    for image in receipt.images:
        target = Reference.parse(image.target)
        if mapping is None or target.registry != mapping.address.registry:
            # The receipt of another site: its images are kept here by the references that they came from.
            if image.source:
                kept.add_reference(Reference.parse(image.source), mapping, image.digest)
            continue
        if image.source:
            kept.sources.add(image.source)
        kept.tags.add((target.repository, target.tag))
        kept.digests.setdefault(target.repository, set()).add(image.digest)
        kept.all_digests.add(image.digest)
    kept.artifacts.update(artifact.identity for artifact in receipt.artifacts)
    kept.addresses.update(artifact.target for artifact in receipt.artifacts)


def _read_file(path: Path, unseal: Unseal | None) -> Document:
    try:
        if _start_of(path).startswith(AGE_MAGIC):
            return _read_bundle(path, unseal)
        return read_document(path)
    except BundleError as error:
        error.hint = error.hint or tr("its bundle.json or its receipt will do as well")
        raise


def _read_bundle(path: Path, unseal: Unseal | None) -> Document:
    with open_bundle(path, unseal=unseal) as bundle:
        return Document(os.fspath(path), "bundle", bundle.id, bundle.inventory)


def _read_folder(folder: Path, unseal: Unseal | None) -> Iterator[Document]:
    for path in _files_below(folder):
        start = _start_of(path)
        if start.startswith(_BUNDLE_STARTS):
            yield _read_file(path, unseal)
        elif start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            try:
                document = read_json_document(path)
            except AirgapError:
                if path.name.endswith(_OWN_NAMES):
                    raise
                continue  # a scan.json, an SBOM: nothing that says what is kept
            if document is not None:
                yield document


def _files_below(folder: Path) -> Iterator[Path]:
    """The files of a folder and those up to three levels below it, without blobs. Raises :class:`UsageError`."""
    count, most = 0, limits.value("kept-files")
    for name, folders, files in os.walk(folder):
        depth = len(Path(name).relative_to(folder).parts)
        folders[:] = sorted(inner for inner in folders if inner != _BLOBS) if depth < _MAX_DEPTH else []
        for file in sorted(files):
            count += 1
            if count > most:
                raise UsageError(
                    tr("this folder has more than {most} files", most=most),
                    where=str(folder),
                    hint=tr("name the folders of the releases, or their bundle.json or receipts"),
                )
            path = Path(name, file)
            if path.is_file():
                yield path


def _start_of(path: Path) -> bytes:
    """The first bytes of a file; empty for what is none. Raises :class:`UsageError` for one that cannot be read."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise UsageError(tr("cannot be read: {strerror}", strerror=error.strerror), where=str(path)) from error
