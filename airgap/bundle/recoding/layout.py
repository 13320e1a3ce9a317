# SPDX-License-Identifier: Apache-2.0
"""Turns the head of a plain bundle into that of a recoded one, and a recoded bundle's back into the plain one's.

Both are exact: what the plain bundle has in other form, its ``index.json`` and ``manifest.json``, lies in the recoded
one under ``airgap/plain/``. So the plain bundle's ID is known from the recoded one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from airgap.bundle.document_format import dump_json, oldest_reader
from airgap.bundle.inventory import INVENTORY_MEMBER, Inventory
from airgap.bundle.reader import BundleReader
from airgap.bundle.recoded import (
    ARTIFACT_TYPE,
    PLAIN_FOLDER,
    PLAIN_MEMBERS,
    RecodedLayer,
    artifact_blobs,
    prefixes_of,
)
from airgap.bundle.required_layers import BundleIdentity
from airgap.bundle.tar import TarLayout, blob_name, lay_out
from airgap.errors import BundleError
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.records import replace


def recoded_layout(
    inventory: Inventory, layout: TarLayout, recoded: Mapping[str, RecodedLayer],
    bundles: Mapping[str, BundleIdentity],
) -> tuple[Inventory, TarLayout]:  # fmt: skip
    """Return inventory and layout of the bundle in which the layers ``recoded`` lie as their payloads.

    ``bundles`` is what is known about the bundles that brought older layers, by their IDs.
    Other programs see an artifact with all payloads, and the images that lack nothing.
    """
    contents = {member.name: content for member, content in layout.head if not member.directory}
    del contents[INVENTORY_MEMBER]
    # The order of the inventory's blobs: equal layers give equal bytes, whichever was recoded first.
    recoded = {blob.digest: recoded[blob.digest] for blob in inventory.blobs if blob.digest in recoded}
    origins = {prefix.layer.origin or "" for prefix in prefixes_of(list(recoded.values()))}
    bases = {base.id: base for base in inventory.bases} | {
        origin: bundles[origin] for origin in origins if origin in bundles
    }
    inventory = replace(inventory, recoded=recoded, bases=tuple(bases[origin] for origin in sorted(bases)))
    plain = {f"{PLAIN_FOLDER}{name}": contents[name] for name in PLAIN_MEMBERS}
    contents["index.json"] = _without_incomplete(contents["index.json"], inventory)
    lacking = {blob_name(digest) for digest in recoded}
    images = json.loads(contents["manifest.json"])
    contents["manifest.json"] = dump_json([image for image in images if lacking.isdisjoint(image["Layers"])])
    return _lay_out(inventory, {**contents, **plain})


def plain_layout(bundle: BundleReader) -> tuple[Inventory, TarLayout]:
    """Return inventory and layout of the plain bundle that ``bundle`` was recoded from, without signatures.

    Raises :class:`BundleError` for a bundle that lacks a part of its head, or that is plain.
    """
    inventory = bundle.inventory
    if not inventory.recoded:
        raise BundleError(tr("it is a plain bundle already"), where=str(bundle))
    contents = {name: bundle.member(name) for name in inventory.members if not name.startswith(PLAIN_FOLDER)}
    for name in PLAIN_MEMBERS:
        contents[name] = bundle.member(f"{PLAIN_FOLDER}{name}")
    origins = {required.origin for required in inventory.requires}
    bases = tuple(base for base in inventory.bases if base.id in origins)
    return _lay_out(replace(inventory, recoded={}, bases=bases), contents)


def _lay_out(inventory: Inventory, contents: Mapping[str, bytes]) -> tuple[Inventory, TarLayout]:
    """Return inventory and layout with the members ``contents``; the inventory comes behind ``manifest.json``."""
    inventory = replace(
        inventory,
        members={name: digests.of(content) for name, content in contents.items()},
        tool=oldest_reader(inventory.features),
    )
    members = list(contents.items())
    place = list(contents).index("manifest.json") + 1
    members.insert(place, (INVENTORY_MEMBER, inventory.to_bytes()))
    return inventory, lay_out(members, inventory.stored)


def _without_incomplete(index: bytes, inventory: Inventory) -> bytes:
    """Return ``index.json`` without the entries of images whose layers are recoded, and with the artifact."""
    document = json.loads(index)
    incomplete = inventory.incomplete
    entries = [entry for entry in document["manifests"] if entry["digest"] not in incomplete]
    artifact = artifact_blobs(inventory.recoded)[0]
    entries.append({**artifact.to_json(), "artifactType": ARTIFACT_TYPE})
    return dump_json({**document, "manifests": entries})
