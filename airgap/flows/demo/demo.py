# SPDX-License-Identifier: Apache-2.0
"""Runs export and import between two embedded registries on loopback.

One registry plays quay.io, the other plays Nexus at ``10.100.0.102:32415``. Connection settings send both names to
loopback addresses, so the YAML has realistic names and nothing leaves the machine.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from pathlib import Path

from airgap.bundle import OutputFormat, open_bundle
from airgap.config.airgap_yaml import ProjectSettings
from airgap.config.connections import ConnectionOptions, open_registries, target_mapping
from airgap.durable import output
from airgap.errors import AirgapError
from airgap.events import Sink
from airgap.flows.demo.images import push_images
from airgap.flows.export import Exported, ExportRequest, export
from airgap.flows.images import find_images
from airgap.flows.import_ import ImportRequest, ImportResult, import_
from airgap.i18n import tr
from airgap.records import Record
from airgap.registry import RegistrySettings
from airgap.server import Server
from airgap.store import MemoryStore
from airgap.targets import PlainTarget
from airgap.transfer import CancelToken, Context, Jobs

TARGET = "http://10.100.0.102:32415/my-docker-image"
YAML = "cert-manager.yaml"


class DemoResult(Record):
    """The files in ``folder`` and the results of the two commands."""

    folder: Path
    source: Path
    bundle: Path
    exported: Exported
    imported: ImportResult


def demo(folder: Path, *, emit: Sink, show_command: Callable[[str], None]) -> DemoResult:
    """Export cert-manager's images into ``folder`` and import them.

    ``show_command`` is called with each command line that a user would type, before it is run.
    """
    yaml_path, bundle_path = folder / YAML, folder / "bundle.tar"
    yaml_content = pkgutil.get_data("airgap.flows.demo", f"data/{YAML}")
    if yaml_content is None:
        raise AirgapError(tr("the demo's YAML is missing from this installation"))
    with output.folder_for(folder):
        output.check_free(folder, [(YAML, yaml_content)], force=False)
        output.write_files(folder, [(YAML, yaml_content)])
    quay_store, nexus_store = MemoryStore(), MemoryStore()
    found_images = find_images([str(yaml_path)])
    push_images(quay_store, {reference.repository: reference.tag for reference in found_images.references()})
    with Server(quay_store) as quay, Server(nexus_store, writable=True) as nexus:
        show_command(f"airgap export {yaml_path} -o {bundle_path}")
        project = ProjectSettings(registries={"quay.io": RegistrySettings(mirror=quay.url)})
        with open_registries(project, ConnectionOptions(), emit) as registries:
            exported = export(
                ExportRequest(OutputFormat(bundle_path), force=True),
                found_images,
                registries,
                Context(Jobs(), emit, CancelToken(registries.abort)),
            )
        show_command(f"airgap import {bundle_path} --to {TARGET} --output {folder / 'airgap-out'}")
        mapping = target_mapping(ProjectSettings(), TARGET, None)
        request = ImportRequest(folder / "airgap-out", folder / "bundle.tar.receipt.json", force=True)
        options = ConnectionOptions(via=nexus.url)
        with (
            open_bundle(bundle_path) as bundle,
            open_registries(ProjectSettings(), options, emit, target=mapping.address) as registries,
        ):
            imported = import_(
                request, bundle, PlainTarget(registries, mapping),
                Context(Jobs(), emit, CancelToken(registries.abort)),
            )  # fmt: skip
    return DemoResult(folder, yaml_path, bundle_path, exported, imported)
