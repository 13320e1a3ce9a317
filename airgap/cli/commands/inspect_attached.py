# SPDX-License-Identifier: Apache-2.0
"""``airgap inspect --attached``: prints a document that rides along in a bundle."""

from __future__ import annotations

import sys

from airgap.bundle import BundleReader
from airgap.cli.printing import say, write_bytes
from airgap.errors import UsageError
from airgap.formatting import quoted
from airgap.i18n import tr


def print_attached(reader: BundleReader, name: str) -> None:
    """Print the document as it is; on a terminal, escaped. Raises :class:`UsageError` if there is none of this name."""
    documents = {document.name: document for document in reader.inventory.attached}
    if name not in documents:
        raise UsageError(
            tr("no document {name!r} is attached", name=name),
            where=str(reader.path),
            hint=tr("attached are {names}", names=", ".join(map(repr, documents)))
            if documents
            else tr("airgap inspect {bundle} lists what is in it", bundle=quoted(reader.path)),
        )
    content = reader.member(documents[name].member)
    if sys.stdout is not None and sys.stdout.isatty():
        say(content.decode("utf-8", "replace"), lines=True, end="")
    else:
        write_bytes(content)
