# SPDX-License-Identifier: Apache-2.0
"""Make an overlay whose ``images:`` move the images of a kustomization, and verify it by rendering."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from airgap import kube
from airgap.durable.output import folder_for
from airgap.errors import OutputError, UsageError
from airgap.events import Sink, ignore
from airgap.i18n import tr
from airgap.kube.render import programs
from airgap.kube.render.inputs import folder_name, rendered_label
from airgap.kube.render.trace import sites_by_key, split_name
from airgap.kube.render.values_file import GeneratedFile, target_references, unmoved_errors
from airgap.kube.rewrite.file_set import Locate
from airgap.oci import Reference

KUSTOMIZATION_FILE = "kustomization.yaml"


def overlay_for(
    path: str,
    output: Path,
    locate: Locate,
    *,
    keep_unknown: bool = False,
    origin: str = "bundle",
    emit: Sink = ignore,
) -> GeneratedFile:
    """Return the overlay for ``output/kustomization.yaml``. The output folder is not changed.

    Raises UsageError if one of the folders contains the other, because kustomize refuses such a cycle.
    """
    base, output_folder = Path(path).resolve(), output.resolve()
    if output_folder == base or output_folder.is_relative_to(base) or base.is_relative_to(output_folder):
        raise UsageError(
            tr("an overlay cannot lie inside of what it is over, nor around it"),
            where=str(output),
            hint=tr("--output names a folder beside it"),
        )
    rendered_base = programs.kustomize(path)
    scan = kube.scan(rendered_base, rendered_label(path))
    targets = target_references(scan, locate, keep_unknown=keep_unknown, origin=origin, emit=emit)
    content = _overlay_content(os.path.relpath(base, output_folder), _images(scan, targets))
    rendered_overlay = _render_overlay(output_folder, content)
    new_sites = sites_by_key(rendered_overlay, rendered_label(str(output)))
    old_sites = sites_by_key(rendered_base, rendered_label(path))
    unmoved = [
        site
        for key, site in new_sites.items()
        if key not in old_sites or site.reference != targets.get(old_sites[key].reference, old_sites[key].reference)
    ]
    reason = tr("kustomize's images: does not reach it, or cannot tell it from another of that name")
    hint = tr(
        "change it by a patch, or rewrite what is rendered: kubectl kustomize {path} | airgap rewrite - --to TARGET",
        path=path,
    )
    return GeneratedFile(folder_name(path), content, len(targets), unmoved_errors(b"", unmoved, reason, hint))


def _images(scan: kube.Scan, targets: Mapping[Reference, Reference]) -> dict[str, dict[str, str]]:
    """An entry for each name as it is written, because kustomize compares texts without expanding them."""
    entries: dict[str, dict[str, str]] = {}
    for site in scan.sites:
        target = targets.get(site.reference, site.reference)
        name = split_name(site.value)[0]
        if target == site.reference or name in entries:
            continue
        entries[name] = {"name": name, "newName": target.name}
        if target.digest != site.reference.digest:
            entries[name]["digest"] = target.digest
    return dict(sorted(entries.items()))


def _overlay_content(base: str, images: Mapping[str, Mapping[str, str]]) -> bytes:
    lines = [
        "apiVersion: kustomize.config.k8s.io/v1beta1",
        "kind: Kustomization",
        "resources:",
        f"- {json.dumps(base)}",
    ]
    if images:
        lines.append("images:")
    for entry in images.values():
        lines += [f"{'-' if key == 'name' else ' '} {key}: {json.dumps(text)}" for key, text in entry.items()]
    return "".join(f"{line}\n" for line in lines).encode()


def _render_overlay(output_folder: Path, content: bytes) -> bytes:
    """Render the overlay in a temporary folder next to the output, where its relative path is valid too."""
    with folder_for(output_folder.parent):
        try:
            trial = tempfile.mkdtemp(prefix=".airgap-overlay-", dir=output_folder.parent)
        except OSError as error:
            raise OutputError(
                tr("cannot make a folder here: {strerror}", strerror=error.strerror), where=str(output_folder.parent)
            ) from error
        try:
            Path(trial, KUSTOMIZATION_FILE).write_bytes(content)
            return programs.kustomize(trial)
        finally:
            shutil.rmtree(trial, ignore_errors=True)
