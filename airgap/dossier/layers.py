# SPDX-License-Identifier: Apache-2.0
"""Opens the layers of images, and other files of a bundle, as streams of entries.

    for entry in read_layer(layer, partial(bundle.open, layer)):
        if entry.path == "var/lib/dpkg/status":
            status = entry.read(limit)

The blob is read once, from its beginning to its end, wherever the bundle lies, and its digest is verified at the end.
Memory does not depend on its size. What it may unpack to is limited (:mod:`airgap.dossier.budget`).
"""

from __future__ import annotations

from collections.abc import Iterator

from airgap.dossier.budget import Budget
from airgap.dossier.decompression import MAGIC_BYTES, compression_of, decompress
from airgap.dossier.entry import Entry
from airgap.dossier.streams import BUFFER, BlobStream, Stream
from airgap.dossier.tar_stream import BLOCK, is_tar, read_tar
from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.store.protocols import Opener

_LAYER_TYPES = (
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
)
#: How the media types of layers end that ocicrypt has encrypted.
_ENCRYPTED = "+encrypted"


def is_layer(descriptor: Descriptor) -> bool:
    """Whether the media type is that of a layer of files, in any compression."""
    return descriptor.media_type.startswith(_LAYER_TYPES)


def is_encrypted(descriptor: Descriptor) -> bool:
    """Whether the media type says that ocicrypt has encrypted the layer."""
    return descriptor.media_type.endswith(_ENCRYPTED)


def read_layer(layer: Descriptor, opener: Opener) -> Iterator[Entry]:
    """Yield the entries of a layer: a tar, plain or compressed, which its first bytes decide, as runtimes do.

    The content of an entry can be read until the next one is asked for. Raises :class:`ContentError` for what is
    encrypted, damaged, no tar, or exceeds the limits, and :class:`DigestMismatch` at the end if the blob is not what
    its digest says. An empty blob has no entries.
    """
    if is_encrypted(layer):
        raise ContentError(tr("is encrypted"), where=layer.digest)
    blob = BlobStream(layer, opener(0))
    with Stream(blob) as stream:
        yield from read_archive(stream, Budget(layer.size, layer.digest))
        while stream.read(BUFFER):
            pass
        blob.verify()


def read_archive(stream: Stream, budget: Budget) -> Iterator[Entry]:
    """Yield the entries of a tar, plain or compressed once. Raises :class:`ContentError`."""
    if compression := compression_of(stream.start(MAGIC_BYTES)):
        stream = decompress(stream, compression, budget)
    start = stream.start(BLOCK)
    if start and not is_tar(start):
        raise ContentError(tr("is no tar archive"), where=budget.where)
    yield from read_tar(stream, budget)
