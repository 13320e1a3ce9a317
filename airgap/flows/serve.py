# SPDX-License-Identifier: Apache-2.0
"""``airgap serve``: a registry over a bundle, read-only, or over a layout folder, which can also accept pushes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from airgap.bundle import BundleReader, open_bundle
from airgap.bundle.folder.files import is_bundle_folder
from airgap.bundle.omitted_layers import describe_requirements
from airgap.durable import require_file
from airgap.errors import BundleError, ContentMissing, NotFound, UsageError
from airgap.events import Sink, Warned, ignore
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.listing import BundleSite, LayoutSite
from airgap.server import MirrorNaming, Server, parse_limits
from airgap.store import ImageLayout
from airgap.store.garbage import Collected, collect_garbage
from airgap.store.leftovers import sweep_leftovers

__all__ = ["collect_layout_garbage", "create_server", "parse_limits"]

_BUNDLE_SUFFIXES = frozenset({".tar", ".zst", ".age"})


def create_server(
    path: Path,
    host: str,
    port: int,
    *,
    writable: bool = False,
    credentials: tuple[str, str] | None = None,
    tls: tuple[Path, Path] | None = None,
    on_request: Callable[[str, str, int], None] | None = None,
    limits: dict[str, int] | None = None,
    sparse: bool = False,
    emit: Sink = ignore,
) -> Server:
    """Return a server that is not yet started, over a layout folder, or over a bundle, which may be a folder too.

    ``credentials`` are a user name and a password, ``tls`` a certificate and its key. ``writable`` creates a missing
    layout, unless it is called like a bundle. ``limits`` changes limits of the server by name. ``sparse`` accepts
    indexes without all of their images. Temporary files that killed servers left in a writable layout are removed. Of
    a differential bundle only the complete images are served; a warning names the others. Raises
    :class:`ContentMissing` if no image is complete, :class:`BundleError` for other
    files and folders, :class:`UsageError` for a bundle with ``writable`` and for a missing file.
    """
    for file in tls or ():
        require_file(file)
    is_bundle = is_bundle_folder(path)
    if (path.is_dir() and not is_bundle) or (writable and not path.exists() and not _has_bundle_name(path)):
        layout = _open_layout(path, create=writable)
        if writable:
            sweep_leftovers(layout.path)
        # Uploads are stored on the layout's own disk: the folder for temporary files may be too small.
        return Server(
            layout,
            host,
            port,
            writable=writable,
            credentials=credentials,
            tls=tls,
            on_request=on_request,
            uploads=path if writable else None,
            limits=limits,
            sparse=sparse,
            site=LayoutSite(layout, path.resolve().name),
        )
    new_layout = tr("--writable makes a new layout folder: airgap serve {path} --writable", path=quoted(str(path)))
    require_file(path, hint=None if _has_bundle_name(path) else new_layout)
    if writable:
        raise UsageError(
            tr("a bundle takes no pushes"),
            where=str(path),
            hint=tr("--writable serves a layout folder, made if missing"),
        )
    bundle = open_bundle(path)
    if bundle.inventory.recoded:
        bundle.close()
        from airgap.bundle.expansion import recoded_error

        raise recoded_error(path, bundle.inventory)
    _warn_of_incomplete_images(bundle, emit)
    naming = MirrorNaming(bundle.names())
    site = BundleSite(bundle, _title(bundle, path))
    return Server(
        bundle, host, port, credentials=credentials, tls=tls, naming=naming, on_request=on_request, limits=limits,
        site=site,
    )  # fmt: skip


def _title(bundle: BundleReader, path: Path) -> str:
    named = " ".join(part for part in (bundle.inventory.name, bundle.inventory.version) if part)
    return named or path.name


def collect_layout_garbage(path: Path, *, dry_run: bool = False) -> Collected:
    """Remove the blobs of a layout folder that no manifest refers to; return how many, and their size in bytes.

    With ``dry_run`` nothing is removed. Servers may use the layout meanwhile. Raises :class:`BundleError` if ``path``
    is no layout, :class:`ContentError` for a damaged manifest, :class:`OutputError`.
    """
    if path.is_file() or is_bundle_folder(path):
        raise UsageError(tr("only a layout folder has garbage; this is a bundle"), where=str(path))
    return collect_garbage(_open_layout(path, create=False), dry_run=dry_run)


def _has_bundle_name(path: Path) -> bool:
    """Whether ``path`` is called like a bundle or a volume of one: whoever misspells that wants no new layout."""
    return not _BUNDLE_SUFFIXES.isdisjoint(path.suffixes)


def _open_layout(path: Path, *, create: bool) -> ImageLayout:
    try:
        return ImageLayout.create(path) if create else ImageLayout(path)
    except NotFound as error:
        raise BundleError(error.what, where=error.where or str(path), hint=error.hint) from error


def _warn_of_incomplete_images(bundle: BundleReader, emit: Sink) -> None:
    """Warn of the images that are not served. Raises :class:`ContentMissing` if that is all of them."""
    inventory = bundle.inventory
    incomplete = [str(image.reference) for image in inventory.images if image.descriptor.digest in inventory.incomplete]
    if not incomplete:
        return
    has_artifacts = any(artifact.descriptor.digest not in inventory.incomplete for artifact in inventory.artifacts)
    requirements = "; ".join(describe_requirements(inventory))
    if len(incomplete) == len(inventory.images) and not has_artifacts:
        bundle.close()
        raise ContentMissing(
            tr("no image in it is whole: {requirements}", requirements=requirements),
            where=str(bundle.path),
            hint=tr("airgap import brings it together with what its target holds; airgap serve wants a whole bundle"),
        )
    emit(
        Warned(
            tr("{requirements}; not served: {incomplete}", requirements=requirements, incomplete=", ".join(incomplete))
        )
    )
