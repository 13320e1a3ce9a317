# SPDX-License-Identifier: Apache-2.0
"""The file that crosses: an OCI image layout in a tar, written once and read where it lies.

``format`` knows tar and nothing else; ``inventory`` is ``airgap/bundle.json`` and the lock; ``head``
composes what stands before the blobs; ``media`` knows where a tar's bytes lie: a file, volumes, zstd
frames, a pipe; ``writer`` and ``reader`` are the two stores, and ``journal`` is what a writer that was
killed has left; ``requires``, ``receipt`` and ``base`` are about what a differential bundle leaves out;
``documents`` tells which of these files a given file is. The
room never unpacks a bundle and follows no name, link or size in one without checking it.
"""

from airgap.bundle.base import Base, read_base
from airgap.bundle.documents import Document, read_document, read_json_document
from airgap.bundle.inventory import BundledImage, Inventory, Lock
from airgap.bundle.journal import ExportJournal, journal_of
from airgap.bundle.layout_builder import Extras, Resource, compose
from airgap.bundle.output_format import OutputFormat
from airgap.bundle.reader import BundleReader
from airgap.bundle.receipt import HeldImage, Receipt
from airgap.bundle.required_layers import Origin, Required
from airgap.bundle.writer import BundleWriter

__all__ = [
    "Base",
    "BundleReader",
    "BundleWriter",
    "BundledImage",
    "Document",
    "ExportJournal",
    "Extras",
    "HeldImage",
    "Inventory",
    "Lock",
    "Origin",
    "OutputFormat",
    "Receipt",
    "Required",
    "Resource",
    "compose",
    "journal_of",
    "read_base",
    "read_document",
    "read_json_document",
]
