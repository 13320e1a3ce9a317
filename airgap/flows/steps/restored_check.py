# SPDX-License-Identifier: Apache-2.0
"""``airgap verify`` of a recoded bundle: its layers are restored as an import would, and their digests compared."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from airgap.bundle import BundleReader
from airgap.bundle.damage import images_by_blob
from airgap.errors import AirgapError, BundleError, ContentError, UnsupportedBundle, raise_all
from airgap.events import BlobDone, BlobStarted, Planned
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.store.readers import read_verified
from airgap.transfer import Context, Meter, parallel_map


def check_restored(bundle: BundleReader, bases: Sequence[BundleReader], context: Context) -> Iterator[str]:
    """Restore the recoded layers whose older layers ``bases`` have; yield lines about what was and was not checked.

    Of a bundle without recoded layers there are none. Raises :class:`BundleError` for each layer that becomes another.
    """
    if not bundle.inventory.recoded:
        return
    from airgap.bundle.recoded import RecodedLayer, prefixes_of
    from airgap.bundle.recoding.bases import OlderBundles, missing_error
    from airgap.bundle.recoding.codecs import check_codecs
    from airgap.bundle.recoding.prefixes import LayerRestorer
    from airgap.bundle.recoding.raw_files import RawFiles
    from airgap.bundle.recoding.zstd import load_zstd

    if bundle.is_standard_input:
        yield tr("the recoded layers in standard input were not restored, only their payloads were checked")
        return
    older = OlderBundles(bases)
    layers = list(bundle.inventory.recoded.values())
    lacking = {layer.digest: older.lacking(layer.prefix.layer) for layer in layers if layer.prefix}
    checkable = [layer for layer in layers if not lacking.get(layer.digest)]
    chain = [layer for prefix in prefixes_of(checkable) for layer in older.recoded(prefix.layer)]
    try:
        load_zstd()
        check_codecs([*checkable, *chain], str(bundle), "")
    except UnsupportedBundle as error:
        yield tr("only the payloads of its {layers} were checked: {error}",
                 layers=counted(len(layers), "recoded layer"), error=error.what)  # fmt: skip
        return
    names = images_by_blob(bundle, {layer.digest for layer in checkable})
    blobs = {blob.digest: blob for blob in bundle.inventory.blobs}
    with RawFiles(Path(tempfile.gettempdir())) as tars:
        restorer = LayerRestorer(tars, older.open)
        bundle.restore = partial(restorer.open, bundle)
        older.use(restorer)
        context.emit(Planned(len(bundle.inventory.images), 0, len(checkable), sum(layer.size for layer in checkable)))

        def restore(layer: RecodedLayer) -> None:
            blob = blobs[layer.digest]
            context.emit(BlobStarted(layer.digest, layer.size))
            reader = Meter(blob, partial(bundle.open, blob), context.emit, context.cancel).open(0)
            try:
                read_verified(blob, reader, lambda piece, offset: None)
            except (BundleError, ContentError) as error:
                context.emit(BlobDone(layer.digest, 0, "failed"))
                images = ", ".join(names.get(layer.digest, [tr("no image")]))
                error.what = tr("{what} (needed by {images})", what=error.what, images=images)
                raise
            finally:
                reader.close()
            context.emit(BlobDone(layer.digest, layer.size, "verified"))

        workers = 1 if bundle.ordered else context.jobs.transfers
        results = parallel_map(checkable, restore, workers=workers, cancel=context.cancel, keep_going=True)
    bundle.restore = None
    raise_all([error for error in results if isinstance(error, AirgapError)])
    if checkable:
        yield tr("{layers} restored, every digest as it should be", layers=counted(len(checkable), "recoded layer"))
    if missing := list({layer.digest: layer for layer in lacking.values() if layer}.values()):
        yield tr("not restored: {count}; {what}", count=counted(len(layers) - len(checkable), "recoded layer"),
                 what=missing_error(bundle, missing, "").what)  # fmt: skip
