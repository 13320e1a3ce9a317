# SPDX-License-Identifier: Apache-2.0
"""Reads the file given with ``--base``: a bundle, the ``bundle.json`` of one, or a receipt.

It tells which configs and layers the target should already have. For a bundle these are its own and those that it
required, because its import proved them. Manifests are never among them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from airgap.bundle.documents import EXTRACT_HINT, read_document
from airgap.bundle.inventory import Inventory
from airgap.bundle.lockfile import Lockfile
from airgap.bundle.receipt import Receipt
from airgap.bundle.required_layers import BundleIdentity
from airgap.errors import BundleError, UsageError
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.oci.manifest import is_manifest_type
from airgap.records import Record, field


class BaseBlob(NamedTuple):
    """A config or layer that the target should have. No Record: there are tens of thousands of them.

    ``size`` is ``None`` if the base does not tell it. ``repositories`` and ``origin`` are as in
    :class:`airgap.bundle.RequiredLayer`.
    """

    size: int | None
    repositories: tuple[str, ...]
    origin: str | None


class BaseImage(Record):
    """An image that the target should have. ``derived_from`` is as in :class:`airgap.bundle.BundledImage`."""

    reference: Reference
    digest: str
    derived_from: str = ""


class Base(Record):
    """What ``path`` says about the target.

    ``id`` is that of :class:`airgap.bundle.Document` and is written to the lockfile. ``blobs`` maps digests to blobs.
    ``artifacts`` maps the digests of files of other formats that the far side should have, in no registry.
    ``bundles`` maps the IDs in their ``origin`` to what is known about these bundles. ``images`` are those whose source
    is known; ``is_bundle`` tells whether ``path`` is a bundle, with their content.
    """

    path: str
    id: str
    blobs: Mapping[str, BaseBlob] = field(repr=False)
    bundles: Mapping[str, BundleIdentity] = field(default_factory=dict, repr=False)
    artifacts: Mapping[str, BaseBlob] = field(default_factory=dict, repr=False)
    images: tuple[BaseImage, ...] = ()
    is_bundle: bool = False


def read_base(path: str | os.PathLike[str]) -> Base:
    """Read the base ``path``.

    Raises :class:`UsageError` for a lockfile, which does not describe a target, :class:`BundleError` for a
    ``bundle.json`` that another program has reformatted, and what :func:`read_document` raises.
    """
    document = read_document(path)
    content = document.content
    if isinstance(content, Lockfile):
        raise UsageError(
            tr("a lock does not say what the far side holds"),
            where=document.path,
            hint=tr("give the last bundle, its bundle.json, or a receipt"),
        )
    if isinstance(content, Receipt):
        bundles = {bundle.id: bundle for bundle in content.bases}
        files = {file.digest: BaseBlob(file.size, (), content.bundle) for file in content.artifacts}
        images = tuple(
            BaseImage(Reference.parse(image.source), image.digest) for image in content.images if image.source
        )
        return Base(document.path, document.id, _blobs_of_receipt(content), bundles, files, images)
    if not document.exact:
        raise BundleError(
            tr("this is a bundle.json that another program has rewritten, so that it names no bundle"),
            where=document.path,
            hint=EXTRACT_HINT,
        )
    bundles = {bundle.id: bundle for bundle in content.bases}
    bundles[document.id] = BundleIdentity(document.id, content.name, content.version)
    origins = {required.digest: required.origin for required in content.requires}
    files = {
        file.digest: BaseBlob(file.size, (), origins.get(file.digest, document.id))
        for file in (artifact.content for artifact in content.artifacts)
    }
    images = tuple(BaseImage(image.reference, image.descriptor.digest, image.derived_from) for image in content.images)
    blobs = blobs_of_bundle(content, document.id)
    return Base(document.path, document.id, blobs, bundles, files, images, document.kind == "bundle")


def _blobs_of_receipt(receipt: Receipt) -> dict[str, BaseBlob]:
    return {
        digest: BaseBlob(
            None,
            tuple(f"{receipt.registry}/{repository}" for repository in sorted(repositories)),
            receipt.origins.get(digest, receipt.bundle),
        )
        for digest, repositories in receipt.blobs.items()
    }


def blobs_of_bundle(inventory: Inventory, bundle_id: str) -> dict[str, BaseBlob]:
    """Return the configs and layers that a target has after the import of a bundle, by digest.

    Those that only artifacts use are in no registry, and left out.
    """
    only_artifacts = _blobs_of_artifacts_alone(inventory)
    repositories = _repositories_by_blob(inventory)
    all_repositories = tuple(sorted({image.reference.name for image in inventory.images}))
    blobs: dict[str, BaseBlob] = {}
    for index, blob in enumerate(inventory.blobs):
        if not is_manifest_type(blob.media_type) and blob.digest not in only_artifacts:
            blobs[blob.digest] = BaseBlob(blob.size, repositories[index] or all_repositories, bundle_id)
    for index, required in enumerate(inventory.requires, len(inventory.blobs)):
        if required.digest not in only_artifacts:
            names = tuple(sorted({*required.repositories, *repositories[index]}))
            blobs[required.digest] = BaseBlob(required.size, names, required.origin)
    return blobs


def _blobs_of_artifacts_alone(inventory: Inventory) -> set[str]:
    if not inventory.artifacts:
        return set()
    roots = {artifact.descriptor.digest for artifact in inventory.artifacts}
    of_images = {index for root, indexes in inventory.uses.items() if root not in roots for index in indexes}
    digests = [*inventory.blobs.digests(), *(required.digest for required in inventory.requires)]
    of_artifacts = {index for root in roots for index in inventory.uses.get(root, ())}
    return {digests[index] for index in of_artifacts - of_images}


def _repositories_by_blob(inventory: Inventory) -> list[tuple[str, ...]]:
    """Return the source repositories of the images that need a blob, directly or for a referrer, sorted.

    The list is in the order of ``blobs`` followed by ``requires``. Blobs of one image alone share one tuple.
    """
    by_root: dict[str, set[str]] = {}
    for image in inventory.images:
        for digest in (image.descriptor.digest, *inventory.manifests_of(image.descriptor.digest)):
            by_root.setdefault(digest, set()).add(image.reference.name)
    # A referrer of a referrer comes after its subject.
    for referrer, subject in inventory.referrers.items():
        by_root.setdefault(referrer, set()).update(by_root.get(subject, ()))
    by_blob: list[tuple[str, ...] | set[str]] = [()] * (len(inventory.blobs) + len(inventory.requires))
    for root, indexes in inventory.uses.items():
        names = tuple(sorted(by_root.get(root, ())))
        for index in indexes:
            held = by_blob[index]
            if not held:
                by_blob[index] = names
            elif isinstance(held, set):
                held.update(names)
            elif held != names:
                by_blob[index] = {*held, *names}
    return [held if isinstance(held, tuple) else tuple(sorted(held)) for held in by_blob]
