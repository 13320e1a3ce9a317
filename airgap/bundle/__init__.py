# SPDX-License-Identifier: Apache-2.0
"""A bundle: an OCI image layout in a tar that is written once and read without unpacking it.

- ``tar`` is the tar format, ``media`` how a tar is stored: as a file, volumes, zstd frames or a pipe;
- ``inventory``, ``lockfile`` and ``receipt`` are the JSON documents, ``documents`` recognises and reads any of them;
- ``layout_builder`` turns a plan into an inventory and the offset of every byte;
- ``writer`` and ``reader`` are the two stores, ``build`` is a run that writes a bundle, with its ``journal``, its
  ``background_sync`` and the ``leftovers`` of earlier runs;
- ``base``, ``omitted_layers`` and ``required_layers`` are about differential bundles, ``comparison`` compares two
  documents, ``zipapp`` makes the ``airgap.pyz`` that a bundle can contain.

No name, link or size in a bundle is used before it was checked. This room knows neither Kubernetes nor targets.
"""

from airgap.bundle.base import Base, read_base
from airgap.bundle.documents import Document, read_document, read_json_document, read_lockfile
from airgap.bundle.inventory import BundledImage, Inventory
from airgap.bundle.journal import ExportJournal, journal_path
from airgap.bundle.layout_builder import Extras, Resource, build_layout
from airgap.bundle.lockfile import Lockfile
from airgap.bundle.output_format import OutputFormat
from airgap.bundle.reader import BundleReader, open_bundle
from airgap.bundle.receipt import Receipt, ReceiptImage
from airgap.bundle.required_layers import BundleIdentity, RequiredLayer
from airgap.bundle.writer import BundleWriter

__all__ = [
    "Base",
    "BundleIdentity",
    "BundleReader",
    "BundleWriter",
    "BundledImage",
    "Document",
    "ExportJournal",
    "Extras",
    "Inventory",
    "Lockfile",
    "OutputFormat",
    "Receipt",
    "ReceiptImage",
    "RequiredLayer",
    "Resource",
    "build_layout",
    "journal_path",
    "open_bundle",
    "read_base",
    "read_document",
    "read_json_document",
    "read_lockfile",
]
