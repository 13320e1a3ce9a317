# SPDX-License-Identifier: Apache-2.0
"""``airgap expand``: makes the plain bundle of a recoded one, offline, from the older bundles that it builds on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from airgap.bundle import BundleReader, BundleWriter, OutputFormat
from airgap.bundle.recoded import prefixes_of
from airgap.bundle.recoding.bases import OlderBundles, missing_error, missing_layers
from airgap.bundle.recoding.codecs import check_codecs
from airgap.bundle.recoding.layout import plain_layout
from airgap.bundle.recoding.prefixes import LayerRestorer
from airgap.bundle.recoding.raw_files import RawFiles
from airgap.bundle.recoding.zstd import load_zstd
from airgap.durable import output
from airgap.errors import UsageError
from airgap.formatting import human, quoted
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.records import Record
from airgap.transfer import Context, CopyOptions, Plan, copy
from airgap.transfer.plan import BlobJob

_BUNDLE, _PLAIN = "bundle", "plain"


class Expanded(Record):
    """The plain bundle: its ``size`` in bytes and its ``id``; ``layers`` were restored; ``signed`` tells whether the
    recoded one had signatures, which the plain one has not."""

    size: int
    id: str
    layers: int
    signed: bool


def expand(
    bundle: BundleReader, bases: Sequence[BundleReader], form: OutputFormat, context: Context,
    *, force: bool = False, dry_run: bool = False,
) -> Expanded:  # fmt: skip
    """Write the plain bundle of ``bundle`` as ``form``. Every blob is checked before the file gets its name.

    Raises :class:`airgap.errors.ContentMissing` for older layers that ``bases`` lack, and
    :class:`airgap.errors.UnsupportedBundle` for an encoder that is unknown or fails its vectors, before anything is
    written.
    """
    form.check()
    output.check_place(form.path, force=force)
    if bundle.is_standard_input:
        raise UsageError(tr("a bundle in standard input cannot be expanded"), hint=tr("put it into a file first"))
    inventory, layout = plain_layout(bundle)
    older = OlderBundles(bases)
    recoded = list(bundle.inventory.recoded.values())
    if missing := missing_layers(bundle, recoded, older.lacking):
        command = f"airgap expand {quoted(bundle.path)} --base OLD -o {quoted(form.path)}"
        raise missing_error(bundle, missing, tr("name the bundle that has them: {command}", command=command))
    chain = [layer for prefix in prefixes_of(recoded) for layer in older.recoded(prefix.layer)]
    load_zstd()
    check_codecs([*recoded, *chain], str(bundle), tr("expand it where airgap has that encoder, or carry it plain"))
    expanded = Expanded(
        layout.total, digests.encoded(digests.of(inventory.to_bytes())), len(recoded), bool(bundle.signatures())
    )  # fmt: skip
    prefixes = sum(prefix.size for prefix in prefixes_of(recoded))
    context.note(
        tr("the plain bundle has {size}; {prefixes} more are needed while it is made",
           size=human(layout.total), prefixes=human(prefixes))
    )  # fmt: skip
    if dry_run:
        return expanded
    with RawFiles(form.path.parent) as tars:
        restorer = LayerRestorer(tars, older.open)
        bundle.restore = partial(restorer.open, bundle)
        older.use(restorer)
        plan = Plan()
        for blob in inventory.blobs:
            plan.blobs[blob.digest] = job = BlobJob(blob)
            job.sources.add([_BUNDLE])
            job.targets.add([_PLAIN])
        draft = form.begin_draft(layout)
        writer = BundleWriter.begin(draft, layout, {})
        try:
            order = layout.blobs if writer.ordered or bundle.ordered else None
            copy(plan, {_BUNDLE: bundle}, {_PLAIN: writer}, context, CopyOptions(verb="fetched", order=order))
            writer.finish()
        except BaseException:
            writer.discard()
            raise
    return expanded
