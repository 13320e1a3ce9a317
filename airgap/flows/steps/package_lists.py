# SPDX-License-Identifier: Apache-2.0
"""The packages in the images of a bundle, for notes: from the file beside its ``bundle.json``, or from its layers."""

from __future__ import annotations

from pathlib import Path

from airgap.bundle import BundleReader, Document, open_bundle
from airgap.dossier.contents import LayerReader
from airgap.dossier.images import ImageReader
from airgap.release.packages import PackageLists, packages_of, read_packages
from airgap.release.remembered import PACKAGES_SUFFIX
from airgap.transfer import Context


def package_lists(document: Document, context: Context) -> PackageLists:
    """Return the packages of a document's images; empty where it does not lead to them.

    Reads all layers of a bundle. Raises :class:`airgap.errors.BundleError` for a damaged one.
    """
    path = Path(document.path)
    if document.kind == "bundle.json":
        return read_packages(path.with_name(path.name.removesuffix(".json") + PACKAGES_SUFFIX)) or {}
    if document.kind != "bundle":
        return {}
    with open_bundle(path) as bundle:
        return _packages_in(bundle, context)


def _packages_in(bundle: BundleReader, context: Context) -> PackageLists:
    layers, images = LayerReader(bundle, context), ImageReader(bundle.inventory, bundle)
    layers.read(images.all_platforms())
    return packages_of(images.facts({}, layers.contents))
