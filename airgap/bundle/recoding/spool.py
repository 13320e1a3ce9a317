# SPDX-License-Identifier: Apache-2.0
"""The folder beside a bundle where its layers are recoded: the bundle can be laid out only when all sizes are known.

It has the gzip layers, the payloads and, for each finished layer, a file that says how it was recoded. A stopped run
goes on with the layers that are not finished. The folder is removed when the bundle has its name.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from airgap import bounded_json
from airgap.bundle.document_format import dump_json
from airgap.bundle.document_parts import Memory
from airgap.bundle.recoded import RecodedLayer
from airgap.bundle.recoding.encode import Whole
from airgap.durable import replace_file, writing
from airgap.durable.resumable_folder import resumable_folder
from airgap.errors import AirgapError, ContentError, ContentMissing, NotFound
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.store.protocols import Opener, Reader
from airgap.store.readers import FileRange, read_verified, translate_read_errors

#: What the name of the folder has behind the bundle's.
FOLDER_SUFFIX = ".recoding"


def spool_folder(run_path: Path, *, restart: bool) -> AbstractContextManager[Path]:
    """Give the folder for a bundle, as :func:`airgap.durable.resumable_folder.resumable_folder` does."""
    return resumable_folder(run_path.with_name(run_path.name + FOLDER_SUFFIX), restart=restart)


class Spool:
    """The folder as a store: gzip layers are pushed into it, payloads and whole layers read from it. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._files: dict[str, Path] = {}
        self._finished: dict[str, RecodedLayer | Whole] = {}

    def __str__(self) -> str:
        return str(self.folder)

    def layer_path(self, digest: str) -> Path:
        """Return the file of a gzip layer."""
        return self.folder / f"{digests.encoded(digest)}.gz"

    def payload_path(self, digest: str) -> Path:
        """Return the file of the payload of the layer ``digest``."""
        return self.folder / f"{digests.encoded(digest)}.zst"

    def load(self, layer: Descriptor, older: Sequence[str]) -> RecodedLayer | Whole | None:
        """Return what an earlier run found out about a layer, if its files are intact.

        ``older`` are the digests of the older layers that it may be like, which must be the same.
        """
        try:
            document = bounded_json.parse(self._record_path(layer.digest).read_bytes(), "document")
            if document["older"] != list(older):
                return None
            whole = document.get("whole")
            result = (
                Whole(whole["why"], whole["codec"]) if whole else RecodedLayer.from_json(document["layer"], Memory())
            )
        except (OSError, ValueError, KeyError, TypeError, AirgapError):
            return None
        path, blob = self._lying(layer, result)
        if not _is_intact(path, blob):
            return None
        self._take(layer, result)
        return result

    def keep(self, layer: Descriptor, older: Sequence[str], result: RecodedLayer | Whole) -> None:
        """Record how a layer crosses, and remove the file that is not needed any more."""
        document: dict[str, Any]
        if isinstance(result, Whole):
            document = {"whole": {"why": result.why, "codec": result.codec}}
        else:
            document = {"layer": {"digest": layer.digest, "size": layer.size, **result.to_json()}}
        record = self._record_path(layer.digest)
        with writing(record):
            replace_file(record, dump_json({"older": list(older), **document}))
        self._take(layer, result)
        if isinstance(result, RecodedLayer):
            self.layer_path(layer.digest).unlink(missing_ok=True)

    def resolve(self, name: str) -> Descriptor:
        """Raise :class:`NotFound`: nothing here has a name."""
        raise NotFound(tr("{name} is not in this folder", name=name), where=str(self.folder))

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether a layer is here, or was recoded."""
        with self._lock:
            if descriptor.digest in self._files or descriptor.digest in self._finished:
                return True
        path = self.layer_path(descriptor.digest)
        if not path.is_file() or not _is_intact(path, descriptor):
            return False
        with self._lock:
            self._files[descriptor.digest] = path
        return True

    def open(self, descriptor: Descriptor, offset: int = 0) -> Reader:
        """Open a payload, or a layer that crosses whole."""
        with self._lock:
            path = self._files.get(descriptor.digest)
        if path is None:
            raise ContentMissing(tr("{digest} is not here", digest=descriptor.digest), where=str(self.folder))
        with translate_read_errors(str(path)):
            fd = os.open(path, os.O_RDONLY)
        return FileRange(fd, offset, descriptor.size - offset, owned=True, where=str(path))

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        """Write a gzip layer and verify it. Raises :class:`ContentError`, :class:`airgap.errors.OutputError`."""
        path = self.layer_path(descriptor.digest)
        partial = path.with_suffix(".part")
        reader = opener(0)
        try:
            with writing(partial), open(partial, "wb") as file:
                read_verified(descriptor, reader, lambda piece, offset: _write(file.fileno(), piece))
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        finally:
            reader.close()
        with self._lock:
            self._files[descriptor.digest] = path

    def tag(self, descriptor: Descriptor, name: str) -> None:
        """Do nothing: nothing here has a name."""

    def _record_path(self, digest: str) -> Path:
        return self.folder / f"{digests.encoded(digest)}.json"

    def _lying(self, layer: Descriptor, result: RecodedLayer | Whole) -> tuple[Path, Descriptor]:
        if isinstance(result, Whole):
            return self.layer_path(layer.digest), layer
        return self.payload_path(layer.digest), result.payload

    def _take(self, layer: Descriptor, result: RecodedLayer | Whole) -> None:
        path, blob = self._lying(layer, result)
        with self._lock:
            self._files[blob.digest] = path
            self._finished[layer.digest] = result


def _write(fd: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(fd, piece) :]


def _is_intact(path: Path, descriptor: Descriptor) -> bool:
    """Whether a file of an earlier run has the right content: a power cut may have come between."""
    try:
        reader = FileRange(os.open(path, os.O_RDONLY), 0, os.path.getsize(path), owned=True, where=str(path))
    except OSError:
        return False
    try:
        read_verified(descriptor, reader, lambda piece, offset: None)
    except (ContentError, AirgapError):
        return False
    finally:
        reader.close()
    return True
