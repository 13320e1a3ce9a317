# SPDX-License-Identifier: Apache-2.0
"""What a site holds of a release's blobs: by its receipts and inventories, or by asking the target and the history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from airgap.bundle import Inventory, Receipt, read_base, read_document
from airgap.bundle.base import BaseBlob, blobs_of_bundle
from airgap.dossier import history
from airgap.errors import SignatureFailure
from airgap.events import Warned
from airgap.i18n import tr
from airgap.oci import Descriptor, Reference
from airgap.records import Record
from airgap.release.choice import required_layers
from airgap.store.protocols import Store
from airgap.targets import Target
from airgap.targets.base_layers import has_blob
from airgap.transfer import Context, parallel_map


class SiteContents(Record):
    """What a site holds: ``digests`` of blobs, and the ``bundles`` that were imported there, by their IDs.

    ``version`` is the version of the project that was imported last, empty if it is not known.
    """

    digests: frozenset[str] = frozenset()
    bundles: frozenset[str] = frozenset()
    version: str = ""


def contents_of_documents(paths: Iterable[str], project: str) -> SiteContents:
    """Return what receipts, inventories, bundles and ``bundle.json`` say of a site.

    Raises what :func:`airgap.bundle.read_base` raises.
    """
    digests: set[str] = set()
    bundles: set[str] = set()
    version = ""
    for path in paths:
        base = read_base(path)
        digests |= {*base.blobs, *base.artifacts}
        content = read_document(path).content
        latest = content.bundle if isinstance(content, Receipt) else base.id
        if latest:
            bundles.add(latest)
            identity = base.bundles.get(latest)
            version = identity.version or version if identity and identity.name == project else version
    return SiteContents(frozenset(digests), frozenset(bundles), version)


def contents_of_target(
    inventories: Mapping[str, Inventory], project: str, target: Target, record: Path | None, context: Context
) -> SiteContents:
    """Ask the target which blobs of ``inventories``, by the IDs of their bundles, it has in the repositories of the
    images that need them. Files of other formats, and imported bundles, are those of the history ``record``.

    Raises the errors of the registry.
    """
    recorded = contents_of_history(record, project, str(target.mapping.address), context)
    wanted: dict[str, BaseBlob] = {}
    for bundle_id, inventory in inventories.items():
        others = {layer.digest: BaseBlob(layer.size, layer.repositories, None) for layer in required_layers(inventory)}
        for digest, blob in {**others, **blobs_of_bundle(inventory, bundle_id)}.items():
            known = wanted.get(digest)
            repositories = dict.fromkeys((*(known.repositories if known else ()), *blob.repositories))
            wanted[digest] = BaseBlob(blob.size, tuple(repositories), blob.origin)
    places = {digest: _repositories(blob, target) for digest, blob in wanted.items()}
    stores: dict[str, Store] = {name: target.open(name) for names in places.values() for name in names}

    def find(digest: str) -> bool:
        descriptor = Descriptor("", digest, wanted[digest].size or 0)
        return any(has_blob(stores[name], descriptor) for name in places[digest])

    found = parallel_map(wanted, find, workers=context.jobs.control, cancel=context.cancel)
    present = {digest for digest, answer in zip(wanted, found, strict=True) if answer is True}
    return SiteContents(recorded.digests | present, recorded.bundles, recorded.version)


def contents_of_history(record: Path | None, project: str, address: str, context: Context) -> SiteContents:
    """Return the files of other formats that were imported on this machine, and the bundles that went to ``address``.

    A history that was changed says nothing; there is a warning.
    """
    digests: set[str] = set()
    bundles: set[str] = set()
    version = ""
    try:
        for entry in history.read(record) if record is not None else ():
            document = entry.document
            digests |= {str(artifact["digest"]) for artifact in document["artifacts"]}
            if document["target"] == address and document["outcome"] == "complete" and not document["shard"]:
                bundle = document["bundle"]
                bundles.add(str(bundle["root"]).removeprefix("sha256:"))
                version = str(bundle["version"] or "") if bundle["name"] == project else version
    except (SignatureFailure, OSError, KeyError, TypeError) as error:
        context.emit(Warned(tr("{path}: the history is not used ({error})", path=record, error=error)))
        return SiteContents()
    return SiteContents(frozenset(digests), frozenset(bundles), version)


def _repositories(blob: BaseBlob, target: Target) -> Sequence[str]:
    """The repositories of the target that may have a blob."""
    return list(dict.fromkeys(target.locate(Reference.parse(name)).repository for name in blob.repositories))
