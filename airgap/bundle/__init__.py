# SPDX-License-Identifier: Apache-2.0
"""A bundle: an OCI image layout in a tar that is written once and read without unpacking it.

- ``tar`` is the tar format, ``media`` how a tar is stored: as a file, volumes, zstd frames or a pipe;
- ``folder`` is the same as a folder with a file for each member;
- ``inventory``, ``lockfile`` and ``receipt`` are the JSON documents, ``documents`` recognises and reads any of them;
- ``layout_builder`` turns a plan into an inventory and the offset of every byte;
- ``writer`` and ``reader`` are the two stores, ``build`` is a run that writes a bundle, with its ``journal``, its
  ``background_sync`` and the ``leftovers`` of earlier runs;
- ``base``, ``omitted_layers`` and ``required_layers`` are about differential bundles, ``comparison`` compares two
  documents; ``program`` is this program as a member of a bundle, made by ``zipapp`` or ``portable``;
- ``parity`` makes lost and damaged volumes again;
- ``recoding`` makes bundles smaller whose layers become the same gzip again, ``recoded`` has their words.

No name, link or size in a bundle is used before it was checked. This room knows neither Kubernetes nor targets.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airgap.bundle.base import Base, read_base
    from airgap.bundle.documents import Document, read_document, read_json_document, read_lockfile
    from airgap.bundle.inventory import Inventory
    from airgap.bundle.inventory_entries import BundledImage
    from airgap.bundle.journal import ExportJournal, journal_path
    from airgap.bundle.layout_builder import Extras, Resource, build_layout
    from airgap.bundle.lockfile import Lockfile
    from airgap.bundle.opening import open_bundle
    from airgap.bundle.output_format import OutputFormat
    from airgap.bundle.program import Program
    from airgap.bundle.reader import BundleReader
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
    "Program",
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

_MODULES = {
    "Base": "base",
    "BundleIdentity": "required_layers",
    "BundleReader": "reader",
    "BundleWriter": "writer",
    "BundledImage": "inventory_entries",
    "Document": "documents",
    "ExportJournal": "journal",
    "Extras": "layout_builder",
    "Inventory": "inventory",
    "Lockfile": "lockfile",
    "OutputFormat": "output_format",
    "Program": "program",
    "Receipt": "receipt",
    "ReceiptImage": "receipt",
    "RequiredLayer": "required_layers",
    "Resource": "layout_builder",
    "build_layout": "layout_builder",
    "journal_path": "journal",
    "open_bundle": "opening",
    "read_base": "base",
    "read_document": "documents",
    "read_json_document": "documents",
    "read_lockfile": "documents",
}


def __getattr__(name: str) -> object:
    # Import on first use: reading a bundle needs a third of these modules.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
