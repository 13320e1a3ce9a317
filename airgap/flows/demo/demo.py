# SPDX-License-Identifier: Apache-2.0
"""``airgap demo``: the whole journey on this machine, between two embedded registries.

One registry plays quay.io, the other plays Nexus behind ``10.100.0.102:32415``; settings of
``airgap.yaml`` lead both names to loopback, so that nothing else is touched and the YAML says what it
would say in earnest.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from pathlib import Path

from airgap.bundle import OutputFormat, open_bundle
from airgap.config.airgap_yaml import Project
from airgap.config.connections import Network, connect, target_of
from airgap.durable import output
from airgap.errors import AirgapError
from airgap.events import Sink
from airgap.flows.demo.images import fill
from airgap.flows.export import Exported, ExportRequest, export
from airgap.flows.images import find
from airgap.flows.import_ import Imported, ImportRequest, import_
from airgap.records import Record
from airgap.registry import RegistrySettings
from airgap.server import Server
from airgap.store import MemoryStore
from airgap.targets import PlainTarget
from airgap.transfer import CancelToken, Context, Jobs

TARGET = "http://10.100.0.102:32415/my-docker-image"
YAML = "cert-manager.yaml"


class Demo(Record):
    """What was made, and in which folder it is kept."""

    folder: Path
    source: Path
    bundle: Path
    exported: Exported
    imported: Imported


def demo(folder: Path, *, emit: Sink, say: Callable[[str], None]) -> Demo:
    """Run export and import; ``say`` is told each command that a user would type."""
    source, bundle = folder / YAML, folder / "bundle.tar"
    content = pkgutil.get_data("airgap.flows.demo", f"data/{YAML}")
    if content is None:
        raise AirgapError("the demo's YAML is missing from this installation")
    with output.folder_for(folder):
        output.check_free(folder, [(YAML, content)], force=False)
        output.write_files(folder, [(YAML, content)])
    internet, nexus = MemoryStore(), MemoryStore()
    found = find([str(source)])
    fill(internet, {reference.repository: reference.tag for reference in found.references()})
    with Server(internet) as connected, Server(nexus, writable=True) as closed:
        say(f"airgap export {source} -o {bundle}")
        project = Project(registries={"quay.io": RegistrySettings(mirror=connected.url)})
        with connect(project, Network(), emit) as registries:
            exported = export(
                ExportRequest(OutputFormat(bundle), force=True),
                found,
                registries,
                Context(Jobs(), emit, CancelToken(registries.abort)),
            )
        say(f"airgap import {bundle} --to {TARGET} --output {folder / 'airgap-out'}")
        mapping = target_of(Project(), TARGET, None)
        network = Network(via=closed.url)
        request = ImportRequest(folder / "airgap-out", folder / "bundle.tar.receipt.json", force=True)
        with (
            open_bundle(bundle) as opened,
            connect(Project(), network, emit, target=mapping.address) as registries,
        ):
            imported = import_(
                request, opened, PlainTarget(registries, mapping),
                Context(Jobs(), emit, CancelToken(registries.abort)),
            )  # fmt: skip
    return Demo(folder, source, bundle, exported, imported)
