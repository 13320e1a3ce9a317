# SPDX-License-Identifier: Apache-2.0
"""The older tars that recoded layers need: each is fetched once, checked, and kept on the disk for the run."""

from __future__ import annotations

import threading
from collections.abc import Callable

from airgap.bundle.expansion import expand_command
from airgap.bundle.reader import BundleReader
from airgap.bundle.recoded import Prefix, RecodedLayer
from airgap.bundle.recoding.gunzip import gunzip
from airgap.bundle.recoding.raw_files import RawFile, RawFiles
from airgap.bundle.recoding.restore import RestoringReader, restore_failure
from airgap.bundle.required_layers import RequiredLayer
from airgap.errors import BundleError, ContentError
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.store.protocols import Reader

OpenLayer = Callable[[RequiredLayer], Reader]
"""Opens an older layer. Raises :class:`airgap.errors.ContentMissing` where it is not at hand."""


class LayerRestorer:
    """Opens recoded layers; a :class:`BundleReader` restores its layers with it. Thread-safe.

    The prefixes, which ``open_layer`` opens as gzip layers, go into ``tars``. An older layer may itself be recoded.
    """

    def __init__(self, tars: RawFiles, open_layer: OpenLayer) -> None:
        self._tars = tars
        self._open_layer = open_layer
        self._files: dict[str, RawFile] = {}
        self._pending: set[str] = set()
        # One for all: layers that need each other in a circle would keep the threads that restore them waiting.
        self._lock = threading.RLock()

    def open(self, bundle: BundleReader, layer: RecodedLayer, offset: int = 0) -> Reader:
        """Open a recoded layer of ``bundle``. Raises what getting its prefix raises."""
        prefix = self.raw_file(layer.prefix, str(bundle)) if layer.prefix else None
        failure = restore_failure(layer, str(bundle), expand_command(bundle.path, bundle.inventory))
        return RestoringReader(layer, bundle.open(layer.payload), prefix, failure, skip=offset)

    def raw_file(self, prefix: Prefix, where: str) -> RawFile:
        """Return the tar of an older layer.

        Raises :class:`ContentError` if the layer has other content than the bundle ``where`` says, and
        :class:`BundleError` if layers need each other.
        """
        if prefix.digest in self._files:
            return self._files[prefix.digest]
        with self._lock:
            if prefix.digest in self._pending:
                raise BundleError(tr("the layer {digest} would need itself", digest=prefix.layer.digest), where=where)
            if prefix.digest not in self._files:
                self._pending.add(prefix.digest)
                try:
                    self._files[prefix.digest] = self._fetch(prefix)
                except ContentError as error:
                    error.where = error.where or where
                    raise
                finally:
                    self._pending.discard(prefix.digest)
            return self._files[prefix.digest]

    def _fetch(self, prefix: Prefix) -> RawFile:
        reader = self._open_layer(prefix.layer)
        try:
            file = self._tars.add(gunzip(reader, prefix.size), digests.algorithm(prefix.digest))
        except ContentError as error:
            error.what = tr("the older layer {digest}: {what}", digest=prefix.layer.digest, what=error.what)
            raise
        finally:
            reader.close()
        if file.digest != prefix.digest:
            raise ContentError(
                tr("the older layer {digest} has other content than when the bundle was made",
                   digest=prefix.layer.digest),
                hint=tr("it is damaged where it lies: import the bundle that brought it again"),
            )  # fmt: skip
        return file
