# SPDX-License-Identifier: Apache-2.0
"""Which older layers a new layer may be like: those of the older image of the same name and platform.

The same step of the history comes first, then the same position. Their content decides (``encode``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from airgap import bounded_json
from airgap.bundle.base import Base
from airgap.bundle.recoding.selection import GZIP_LAYERS
from airgap.bundle.required_layers import RequiredLayer
from airgap.errors import AirgapError
from airgap.oci import Descriptor, Reference
from airgap.oci.manifest import Manifest
from airgap.records import Record
from airgap.transfer import Plan

#: Older layers that are tried for one new layer.
_MOST_CANDIDATES = 2

ReadConfig = Callable[[str, Descriptor], bytes]
"""Reads a config from the source of the image with this label."""


class Candidate(Record):
    """An older layer: where the far side has it, and the ``label`` of the older image that it is from."""

    layer: RequiredLayer
    label: str


class _Step(Record):
    """A layer of an image, and the command that made it; empty where the history does not tell."""

    layer: Descriptor
    command: str


class _Platform(Record):
    """The layers of an image of one platform, bottom up. ``key`` is the platform."""

    label: str
    key: str
    steps: tuple[_Step, ...]


def pair_layers(
    new: Plan, read_new: ReadConfig, old: Plan, read_old: ReadConfig, base: Base
) -> dict[str, list[Candidate]]:
    """Map the digests of the gzip layers that ``new`` moves to older layers that ``base`` says are on the far side.

    ``old`` are the images of ``base``; several of one name are all looked at, the one with the same tag first.
    """
    old_platforms: dict[tuple[str, str], list[_Platform]] = {}
    for platform in _platforms(old, read_old):
        name = Reference.parse(platform.label).name
        old_platforms.setdefault((name, platform.key), []).append(platform)
    pairs: dict[str, dict[str, Candidate]] = {}
    for platform in _platforms(new, read_new):
        reference = Reference.parse(platform.label)
        older = old_platforms.get((reference.name, platform.key), ())
        for other in sorted(older, key=lambda other: Reference.parse(other.label).tag != reference.tag):
            for number, step in enumerate(platform.steps):
                if step.layer.digest not in new.blobs:
                    continue
                for similar in _similar_steps(platform, number, other):
                    if similar.layer.digest in base.blobs and similar.layer.media_type in GZIP_LAYERS:
                        held = base.blobs[similar.layer.digest]
                        required = RequiredLayer(
                            similar.layer.digest, similar.layer.size, held.repositories, held.origin
                        )  # fmt: skip
                        found = pairs.setdefault(step.layer.digest, {})
                        found.setdefault(required.digest, Candidate(required, other.label))
    return {digest: list(found.values())[:_MOST_CANDIDATES] for digest, found in pairs.items()}


def _similar_steps(platform: _Platform, number: int, other: _Platform) -> list[_Step]:
    step = platform.steps[number]
    similar = [candidate for candidate in other.steps if step.command and candidate.command == step.command]
    # Several layers may come of equal commands, such as COPY of a folder: the one at the same place of them.
    same = [earlier for earlier in platform.steps[:number] if earlier.command == step.command]
    similar = similar[len(same) : len(same) + 1]
    return [*similar, *other.steps[number : number + 1]]


def _platforms(plan: Plan, read: ReadConfig) -> list[_Platform]:
    """The container images of a plan, by platform. An image whose config cannot be read is left out."""
    found = []
    for image in plan.images:
        if image.referrer_of:
            continue
        for manifest in plan.closure(image):
            if manifest.is_container_image and manifest.config is not None:
                try:
                    config = bounded_json.parse(read(image.root.label, manifest.config), "config")
                except (AirgapError, ValueError):
                    continue
                if isinstance(config, Mapping):
                    found.append(_platform(image.root.label, manifest, config))
    return found


def _platform(label: str, manifest: Manifest, config: Mapping[str, object]) -> _Platform:
    key = "/".join(str(config.get(name) or "") for name in ("os", "architecture", "variant"))
    history = config.get("history")
    entries = [entry for entry in history if isinstance(entry, Mapping)] if isinstance(history, Sequence) else []
    commands = [str(entry.get("created_by") or "") for entry in entries if not entry.get("empty_layer")]
    if len(commands) != len(manifest.layers):
        commands = [""] * len(manifest.layers)
    steps = (_Step(layer, command) for layer, command in zip(manifest.layers, commands, strict=True))
    return _Platform(label, key, tuple(steps))
