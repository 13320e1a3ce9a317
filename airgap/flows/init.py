# SPDX-License-Identifier: Apache-2.0
"""``airgap init``: makes an ``airgap.yaml`` with comments from the resource files that a folder has."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from airgap import kube
from airgap.config.airgap_yaml import FILE
from airgap.durable import output, require_file
from airgap.errors import AirgapError, OutputError, UsageError
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.kube.files import holds_objects
from airgap.kube.model import POSSIBLE
from airgap.kube.render.programs import CHART, renderable_kind
from airgap.kube.rewrite.log import REWRITE_LOG
from airgap.oci import Reference
from airgap.records import Record

_SUFFIXES = (".yaml", ".yml", ".json")
_ARCHITECTURE = re.compile(rb"""kubernetes\.io/arch["']?\s*:\s*["']?([a-z0-9]+)""")
_PLAIN_TEXT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]*")


class FoundResource(Record):
    """A file or folder for ``resources:``. ``about`` says in a few words what it is."""

    name: str
    about: str
    images: frozenset[Reference] = frozenset()
    architectures: frozenset[str] = frozenset()


class NewProject(Record):
    """The file that was written. ``skipped`` are files that look like resources and cannot be read, with the reason."""

    path: Path
    resources: Sequence[FoundResource]
    skipped: Sequence[str]

    @property
    def images(self) -> set[Reference]:
        """The images that the resources name; those of charts are not known before they are rendered."""
        return {image for resource in self.resources for image in resource.images}


def init(folder: Path) -> NewProject:
    """Write ``airgap.yaml`` into ``folder``. Raises :class:`UsageError` if ``folder`` is none.

    Raises :class:`OutputError` if there is such a file already or it cannot be written.
    """
    require_file(folder)
    if not folder.is_dir():
        hint = tr("airgap init takes the folder of resource files")
        raise UsageError(tr("this is no folder"), where=str(folder), hint=hint)
    path = folder / FILE
    if os.path.lexists(path):
        hint = tr("edit it; airgap init replaces nothing")
        raise OutputError(tr("this file is already there"), where=str(path), hint=hint)
    resources, skipped = _find_resources(folder)
    project = NewProject(path, resources, skipped)
    output.write_files(folder, [(FILE, _content(project).encode())])
    return project


def _find_resources(folder: Path) -> tuple[list[FoundResource], list[str]]:
    resources: list[FoundResource] = []
    skipped: list[str] = []
    for entry in sorted(folder.iterdir()):
        is_folder = entry.is_dir()
        if entry.name.startswith(".") or entry.name == FILE or (entry / REWRITE_LOG).exists():
            continue  # a folder with a rewrite log is what airgap wrote
        if is_folder and (kind := renderable_kind(str(entry))):
            about = tr("a chart, which helm renders") if kind == CHART else tr("a kustomization, which kubectl renders")
            resources.append(FoundResource(f"{entry.name}/", about))
        elif is_folder or entry.suffix.lower() in _SUFFIXES:
            try:
                resource = _read_resource(entry, f"{entry.name}/" if is_folder else entry.name)
            except AirgapError as error:
                if not is_folder or any(file.suffix.lower() in _SUFFIXES for file in entry.rglob("*")):
                    skipped.append(str(error))
                continue
            if resource is not None:
                resources.append(resource)
    return resources, skipped


def _read_resource(path: Path, name: str) -> FoundResource | None:
    """Read a file or folder. ``None`` if it has neither Kubernetes objects nor images."""
    images: set[Reference] = set()
    architectures: set[str] = set()
    has_objects = False
    for file in kube.load([str(path)]):
        sites = kube.scan(file.content, file.path).sites
        images |= {site.reference for site in sites if site.confidence != POSSIBLE}
        architectures |= {match.decode() for match in _ARCHITECTURE.findall(file.content)}
        has_objects = has_objects or holds_objects(file.content, file.path)
    if not images and not has_objects:
        return None
    return FoundResource(name, counted(len(images), "image"), frozenset(images), frozenset(architectures))


def _content(project: NewProject) -> str:
    name = re.sub(r"[\s/\0]+", "-", project.path.parent.resolve().name).lstrip(".") or "bundle"
    architectures = sorted({arch for resource in project.resources for arch in resource.architectures}) or ["amd64"]
    platforms = ", ".join(f"linux/{architecture}" for architecture in architectures)
    registries = sorted({image.registry for image in project.images}) or ["quay.io"]
    width = max((len(_yaml(resource.name)) for resource in project.resources), default=0)
    resources = "".join(f"  - {_yaml(item.name):<{width}}  # {item.about}\n" for item in project.resources)
    resources = f"resources:\n{resources}" if resources else "# resources: [deploy/]\n"
    return tr(
        """# Settings of airgap for this folder. Every key is optional; options of the command line win over them.

# With version:, the default file name of the bundle: {name}-1.0.tar.
name: {quoted_name}
# version: "1.0"

# What `airgap export` reads: files, folders, charts, kustomizations.
{resources}
# Images that no file names.
# images: [docker.io/library/busybox:1.36]

# Without it, the images' platforms all cross. Name those of the nodes to carry less.
# platforms: [{platforms}]

# Where `airgap import` pushes: HOST:PORT/PREFIX, with http:// before it for plain HTTP.
# target: http://10.100.0.102:32415/my-docker-image

# How images are named there: basename (the default), path or full.
# mapping: {{policy: path}}

# Where images are pulled from, if not from the registries themselves.
# registries: {{{registry}: {{mirror: "http://127.0.0.1:5000"}}}}
""",
        name=name,
        quoted_name=_yaml(name),
        resources=resources,
        platforms=platforms,
        registry=_yaml(registries[0]),
    )


def _yaml(text: str) -> str:
    """``text`` as a YAML scalar, quoted where necessary; a JSON string is one."""
    return text if _PLAIN_TEXT.fullmatch(text) else json.dumps(text, ensure_ascii=False)
