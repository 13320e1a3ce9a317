# SPDX-License-Identifier: Apache-2.0
"""The recoded layers of an import: their encoders and older layers are checked before anything is pushed.

Of a bundle without recoded layers nothing is done, and nothing of that is imported.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from airgap.bundle import BundleReader
from airgap.formatting import human, quoted
from airgap.i18n import tr
from airgap.targets import Mapping, Target
from airgap.transfer import Context, Plan


class LayersToRestore:
    """The recoded layers of ``bundle``; ``bases`` are older bundles at hand, ``stack`` closes what this opens."""

    def __init__(self, bundle: BundleReader, bases: Sequence[BundleReader], stack: ExitStack) -> None:
        self._bundle = bundle
        self._bases = bases
        self._stack = stack

    def prepare(self, needed: Plan, mapping: Mapping, target: Target, context: Context) -> None:
        """Make the bundle give the layers of ``needed`` as they were.

        Raises :class:`airgap.errors.ContentMissing` for older layers that are neither at the target nor in an older
        bundle, :class:`airgap.errors.UnsupportedBundle` for an encoder that is unknown or fails its vectors.
        """
        recoded = self._bundle.inventory.recoded
        layers = [recoded[digest] for digest in needed.blobs if digest in recoded]
        if not layers:
            return
        from airgap.bundle.expansion import expand_command
        from airgap.bundle.recoded import prefixes_of
        from airgap.bundle.recoding.bases import OlderBundles, missing_error, missing_layers
        from airgap.bundle.recoding.codecs import check_codecs
        from airgap.bundle.recoding.prefixes import LayerRestorer
        from airgap.bundle.recoding.raw_files import RawFiles
        from airgap.bundle.recoding.zstd import load_zstd
        from airgap.targets.older_layers import LayersAtTarget

        load_zstd()
        older = OlderBundles(self._bases)
        prefixes = prefixes_of(layers)
        chain = [layer for prefix in prefixes for layer in older.recoded(prefix.layer)]
        plain = expand_command(self._bundle.path, self._bundle.inventory)
        hint = tr(
            "nothing was pushed; on the other side, make the plain bundle and carry that: {command}", command=plain
        )
        check_codecs([*layers, *chain], str(self._bundle), hint)
        at_target = LayersAtTarget.find(layers, needed, mapping, target, context)
        missing = missing_layers(
            self._bundle, layers, lambda layer: None if at_target.holds(layer) else older.lacking(layer)
        )
        if missing:
            command = f"airgap import {quoted(self._bundle.path)} --base OLD --to {mapping.address.argument}"
            raise missing_error(
                self._bundle, missing,
                tr("nothing was pushed; import the bundle that has them first, or name it: {command}", command=command),
            )  # fmt: skip
        tars = self._stack.enter_context(RawFiles(Path(tempfile.gettempdir())))
        restorer = LayerRestorer(
            tars, lambda layer: at_target.open(layer) if at_target.holds(layer) else older.open(layer)
        )
        self._bundle.restore = partial(restorer.open, self._bundle)
        older.use(restorer)
        if size := sum(prefix.size for prefix in prefixes):
            context.note(
                tr("restoring layers needs up to {size} of disk in {folder}", size=human(size), folder=tars.folder)
            )


@contextmanager
def layers_to_restore(bundle: BundleReader, bases: Sequence[BundleReader]) -> Iterator[LayersToRestore]:
    """Give the recoded layers of a bundle; what they are restored from is on the disk until the block ends."""
    with ExitStack() as stack:
        yield LayersToRestore(bundle, bases, stack)
