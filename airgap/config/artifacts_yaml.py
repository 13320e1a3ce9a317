# SPDX-License-Identifier: Apache-2.0
"""Reads ``artifacts:`` and ``artifact_targets:`` of airgap.yaml. Every error has its ``file:line``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airgap.artifacts.format import Format
from airgap.artifacts.formats import MODULES, format_named
from airgap.artifacts.publish.addresses import ArtifactTarget
from airgap.artifacts.settings import ArtifactEntry, EntryForm
from airgap.errors import UsageError
from airgap.i18n import tr

if TYPE_CHECKING:
    from airgap.config.airgap_yaml import ProjectReader


def read_artifacts(reader: ProjectReader, node: Any) -> list[ArtifactEntry]:
    """Return the entries of ``artifacts:``, in the order of the formats."""
    return [
        _read_entry(reader, item, format_named(name))
        for name, value in reader.mapping(node, tuple(MODULES)).items()
        for item in reader.items(value)
    ]


def read_artifact_targets(reader: ProjectReader, node: Any) -> list[ArtifactTarget]:
    """Return the targets of ``artifact_targets:``."""
    targets = []
    for name, value in reader.mapping(node, tuple(MODULES)).items():
        try:
            targets.append(ArtifactTarget.parse(name, reader.text(value), folder=reader.folder))
        except UsageError as error:
            raise UsageError(error.what, where=reader.where(value), hint=error.hint) from error
    return targets


def _read_entry(reader: ProjectReader, node: Any, artifact_format: Format) -> ArtifactEntry:
    shape = artifact_format.collector.shape
    nodes = reader.mapping(node, shape.keys)
    form = _form_of(reader, node, nodes, shape.forms)
    allowed = {*form.keys, *form.optional, *shape.optional}
    for key, value in nodes.items():
        if key not in allowed:
            raise UsageError(
                tr("{key!r} does not go with {form!r}", key=key, form=form.keys[0]),
                where=reader.where(value),
                hint=tr("it may have {known}", known=", ".join(sorted(allowed))),
            )
    for key in form.keys:
        if key not in nodes:
            raise UsageError(
                tr("this entry lacks {key!r}", key=key),
                where=reader.where(node),
                hint=tr("it needs {required}", required=" and ".join(form.keys)),
            )
    values: dict[str, str | tuple[str, ...]] = {}
    for key, value in nodes.items():
        if key in shape.lists:
            values[key] = tuple(reader.text(item) for item in reader.items(value))
        else:
            text = reader.text(value)
            values[key] = str(Path(reader.folder) / text) if key in shape.paths else text
    paths = frozenset(key for key in shape.paths if key in values)
    return ArtifactEntry(artifact_format.name, form, values, reader.where(node), paths)


def _form_of(reader: ProjectReader, node: Any, nodes: dict[str, Any], forms: tuple[EntryForm, ...]) -> EntryForm:
    named = [form for form in forms if form.keys[0] in nodes]
    if len(named) == 1:
        return named[0]
    names = ", ".join(form.keys[0] for form in (named or forms))
    what = (
        tr("only one of {names} belongs here", names=names) if named else tr("one of {names} belongs here", names=names)
    )
    raise UsageError(what, where=reader.where(node))
