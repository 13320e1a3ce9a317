# SPDX-License-Identifier: Apache-2.0
"""Kustomizations: for ``airgap rewrite`` an overlay whose ``images:`` move them, proven by rendering it."""

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
from airgap.kube.render import programs as render
from airgap.kube.render.inputs import folder_name, shown
from airgap.kube.render.trace import places, split
from airgap.kube.render.values_file import GeneratedFile, left_over, wanted
from airgap.kube.rewrite.file_set import Locate
from airgap.oci import Reference

FILE = "kustomization.yaml"


def overlay_for(
    path: str,
    output: Path,
    locate: Locate,
    *,
    keep_unknown: bool = False,
    origin: str = "bundle",
    emit: Sink = ignore,
) -> GeneratedFile:
    """What belongs in ``output/kustomization.yaml``; nothing stays there but what was there.

    Raises UsageError for an output that the kustomization holds or is, since kustomize refuses the circle.
    """
    base, place = Path(path).resolve(), output.resolve()
    if place == base or place.is_relative_to(base) or base.is_relative_to(place):
        raise UsageError(
            "an overlay cannot lie inside of what it is over, nor around it",
            where=str(output),
            hint="--output names a folder beside it",
        )
    before = render.kustomize(path)
    scan = kube.scan(before, shown(path))
    goals = wanted(scan, locate, keep_unknown=keep_unknown, origin=origin, emit=emit)
    content = _overlay(os.path.relpath(base, place), _images(scan, goals))
    after = _proof(place, content)
    now = places(after, shown(str(output)))
    was = places(before, shown(path))
    left = [
        site
        for where, site in now.items()
        if where not in was or site.reference != goals.get(was[where].reference, was[where].reference)
    ]
    why = "kustomize's images: does not reach it, or cannot tell it from another of that name"
    hint = f"change it by a patch, or rewrite what is rendered: kubectl kustomize {path} | airgap rewrite - --to TARGET"
    return GeneratedFile(folder_name(path), content, len(goals), left_over(b"", left, why, hint))


def _images(scan: kube.Scan, goals: Mapping[Reference, Reference]) -> dict[str, dict[str, str]]:
    """An entry for each name as it is written, since kustomize compares texts and knows no defaults."""
    entries: dict[str, dict[str, str]] = {}
    for site in scan.sites:
        goal = goals.get(site.reference, site.reference)
        name = split(site.value)[0]
        if goal == site.reference or name in entries:
            continue
        entries[name] = {"name": name, "newName": goal.name}
        if goal.digest != site.reference.digest:
            entries[name]["digest"] = goal.digest
    return dict(sorted(entries.items()))


def _overlay(base: str, images: Mapping[str, Mapping[str, str]]) -> bytes:
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


def _proof(place: Path, content: bytes) -> bytes:
    """The overlay rendered from a folder beside where it will lie, so that its relative path means the same."""
    with folder_for(place.parent):
        try:
            trial = tempfile.mkdtemp(prefix=".airgap-overlay-", dir=place.parent)
        except OSError as error:
            raise OutputError(f"cannot make a folder here: {error.strerror}", where=str(place.parent)) from error
        try:
            Path(trial, FILE).write_bytes(content)
            return render.kustomize(trial)
        finally:
            shutil.rmtree(trial, ignore_errors=True)
