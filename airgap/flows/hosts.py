# SPDX-License-Identifier: Apache-2.0
"""``airgap hosts``: the files by which nodes pull from a target, planned against what is there, then written whole."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from airgap.errors import AirgapError, BundleError, OutputError, TargetError, UsageError
from airgap.flows.output import inside
from airgap.flows.project import Project
from airgap.nodes import Endpoint, Moved, NodeFile, Setup, moved_by
from airgap.oci import Reference
from airgap.registry.settings import RegistrySettings
from airgap.target import Mapping, TargetAddress

_BACKUP = ".before-airgap"


@dataclass(frozen=True)
class Change:
    """``before`` is ``None`` where nothing is there; ``secret`` content is never shown."""

    path: Path
    before: bytes | None
    after: bytes
    secret: bool = False

    @property
    def needed(self) -> bool:
        return self.before != self.after


def endpoint_of(
    project: Project, address: TargetAddress, *, plain_http: bool, insecure: bool, ca_file: str
) -> Endpoint:
    """The target as nodes reach it, by the command line and ``airgap.yaml``. Raises :class:`UsageError`."""
    entry = replace(project.registries.get(address.registry, RegistrySettings()), mirror="", endpoint="")
    if plain_http or address.plain_http is not None:
        entry = replace(entry, plain_http=plain_http or address.plain_http)
    plain = entry.base_url(address.registry).startswith("http:")
    insecure = insecure or (entry.insecure and not ca_file)
    file = ca_file or ("" if insecure or plain else entry.ca_file)
    if file and (plain or insecure):
        what = "plain HTTP shows no certificate" if plain else "--insecure trusts any certificate"
        raise UsageError(f"{what}, so there is nothing for --ca-file to do", hint="leave one of them out")
    return Endpoint(address.registry, plain, insecure, _certificates(file) if file else b"")


def moved_of(path: str, mapping: Mapping, *, policy: str | None) -> list[Moved]:
    """Which images a bundle holds, or a receipt says the target holds, and what they are called there.

    Raises :class:`TargetError` for another target's receipt or a collision, :class:`BundleError` for neither.
    """
    try:
        with open(path, "rb") as file:
            is_receipt = file.read(1) == b"{"
    except OSError as error:
        raise BundleError(f"cannot read it: {error.strerror}", where=path) from error
    if is_receipt:
        if policy:
            raise UsageError("--mapping goes with a bundle: a receipt says itself what images are called")
        return moved_by(_receipt(path, mapping.address.registry), mapping.address.registry)
    from airgap.bundle import BundleReader
    from airgap.flows.contents import assignments_of

    with BundleReader(path) as bundle:
        placed = [(one.source, one.target) for one in assignments_of(bundle, mapping)]
    return moved_by(placed, mapping.address.registry)


def plan(setup: Setup, folder: Path, *, node: bool) -> list[Change]:
    """What would become of each file below ``folder``: a node's own root (``node``), or a folder to be carried there.

    Everything is merged before anything is written: a file that cannot be understood stops it all.
    """
    changes = []
    for file in setup.files:
        change = _change(folder, file)
        if change.before is not None or node or not file.node_only:
            changes.append(change)
    snippets = () if node else setup.snippets.items()
    changes += [plain(folder, name, content) for name, content in snippets]
    return changes


def plain(folder: Path, name: str, content: bytes, *, secret: bool = False) -> Change:
    """A file of our own below ``folder``."""
    path = inside(folder, name)
    return Change(path, _read(path), content, secret)


def write(changes: Sequence[Change]) -> list[tuple[Path, Path | None]]:
    """Write what is needed, each file whole, after a copy of what was there; the files and their copies, in order."""
    from airgap.store.layout import replace_file

    done: list[tuple[Path, Path | None]] = []
    for change in changes:
        if not change.needed:
            continue
        mode, owner, backup = 0o600 if change.secret else 0o644, None, None
        try:
            change.path.parent.mkdir(parents=True, exist_ok=True)
            if change.before is not None:
                status = change.path.stat()
                mode = mode if change.secret else stat.S_IMODE(status.st_mode)
                owner = status.st_uid, status.st_gid
                backup = _free(change.path)
                replace_file(backup, change.before, mode=mode, owner=owner)
            replace_file(change.path, change.after, mode=mode, owner=owner)
        except OSError as error:
            raise OutputError(f"cannot write: {error.strerror}", where=str(error.filename or change.path)) from error
        done.append((change.path, backup))
    return done


def _change(folder: Path, file: NodeFile) -> Change:
    path = inside(folder, file.path.lstrip("/"))
    before = _read(path)
    try:
        after = file.content if before is None else file.merge(before)
    except AirgapError as error:
        error.where = str(path)
        raise
    return Change(path, before, after)


def _read(path: Path) -> bytes | None:
    try:
        if path.exists() and not path.is_file():
            raise OutputError("something that is no file is already there", where=str(path))
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(f"cannot read it: {error.strerror}", where=str(path)) from error


def _free(path: Path) -> Path:
    backup = path.with_name(path.name + _BACKUP)
    number = 1
    while os.path.lexists(backup):
        number += 1
        backup = path.with_name(f"{path.name}{_BACKUP}.{number}")
    return backup


def _certificates(path: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read it: {error.strerror}", where=path) from error
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise UsageError(
            "there is no certificate in PEM form in it", where=path, hint="openssl x509 -in FILE -inform DER"
        )
    if b"PRIVATE KEY-----" in content:
        raise UsageError(
            "there is a private key in it, which no node may get", where=path, hint="give a certificate alone"
        )
    return content


def _receipt(path: str, registry: str) -> list[tuple[Reference, Reference]]:
    try:
        document = json.loads(Path(path).read_bytes())
        images = [(Reference.parse(one["source"]), Reference.parse(one["target"])) for one in document["images"]]
        known = document["format"] == 1
    except (AirgapError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(f"this receipt is unreadable ({error})", where=path) from error
    if not known:
        raise BundleError(f"this receipt has the format {document['format']}, and airgap knows 1", where=path)
    others = {target.registry for _, target in images} - {registry}
    if others:
        raise TargetError(
            f"this receipt is one of {', '.join(sorted(others))}, not of {registry}",
            where=path,
            hint="give the target that it was imported into, or the receipt of this one",
        )
    return images
