# SPDX-License-Identifier: Apache-2.0
"""``airgap serve``: a bundle as it lies, read-only, or a layout folder that also takes pushes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from airgap.bundle import BundleReader, open_bundle
from airgap.bundle.omitted_layers import describe_requirements
from airgap.errors import BundleError, ContentMissing, NotFound, UsageError
from airgap.events import Sink, Warned, ignore
from airgap.server import MirrorNaming, Server
from airgap.store import Layout


def create_server(
    path: Path,
    host: str,
    port: int,
    *,
    writable: bool = False,
    credentials: tuple[str, str] | None = None,
    tls: tuple[Path, Path] | None = None,
    on_request: Callable[[str, str, int], None] | None = None,
    emit: Sink = ignore,
) -> Server:
    """A server that is not yet started. A folder is a layout, anything else a bundle.

    Of a differential bundle only the images that are whole are served, and the others told; raises
    :class:`ContentMissing` where none is.
    """
    if path.is_dir() or (writable and not path.exists()):
        try:
            layout = Layout(path, create=writable)
        except NotFound as error:
            raise BundleError(error.what, where=error.where or str(path), hint=error.hint) from error
        # What is still being uploaded lies on the layout's own disk: the system's temporary folder may be small.
        return Server(
            layout, host, port, writable=writable, credentials=credentials, tls=tls, on_request=on_request, uploads=path
        )
    if writable:
        raise UsageError(
            "a bundle takes no pushes", where=str(path), hint="--writable serves a layout folder, made if missing"
        )
    bundle = open_bundle(path)
    _tell_incomplete(bundle, emit)
    naming = MirrorNaming(bundle.names())
    return Server(bundle, host, port, credentials=credentials, tls=tls, naming=naming, on_request=on_request)


def _tell_incomplete(bundle: BundleReader, emit: Sink) -> None:
    inventory = bundle.inventory
    lacking = [str(i.reference) for i in inventory.images if i.descriptor.digest in inventory.incomplete]
    if not lacking:
        return
    if len(lacking) == len(inventory.images):
        where, why = str(bundle.path), "; ".join(describe_requirements(inventory))
        bundle.close()
        raise ContentMissing(
            f"no image in it is whole: {why}",
            where=where,
            hint="airgap import brings it together with what its target holds; airgap serve wants a whole bundle",
        )
    emit(Warned(f"{'; '.join(describe_requirements(inventory))}; not served: {', '.join(lacking)}"))
