# SPDX-License-Identifier: Apache-2.0
"""Artifacts at the target: which of those that airgap brought no kept release needs, and their deletion."""

from __future__ import annotations

from urllib.parse import urlsplit

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.formats import MODULES
from airgap.artifacts.publish.addresses import ArtifactTarget
from airgap.artifacts.publish.opening import Opener
from airgap.artifacts.repository import FileRemover, SupportsRemoval
from airgap.bundle.receipt import ReceiptArtifact
from airgap.flows.prune.brought import Brought
from airgap.flows.prune.file_places import host_of, root_of
from airgap.flows.prune.kept import Kept
from airgap.flows.prune.plan import FileRemoval, Left
from airgap.i18n import tr
from airgap.records import Record, field
from airgap.transfer import Context


class FileRepository(Record, frozen=False, eq=False):
    """A repository of one format: ``files`` are deleted, ``staying`` the digests of kept files by path."""

    place: str
    remover: FileRemover
    files: list[FileRemoval] = field(default_factory=list)
    staying: dict[str, str] = field(default_factory=dict)


class FilePlan(Record, frozen=False):
    """What is deleted in each repository, and what is left."""

    repositories: list[FileRepository] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)

    @property
    def files(self) -> list[FileRemoval]:
        """All files, the largest first."""
        files = [file for repository in self.repositories for file in repository.files]
        return sorted(files, key=lambda file: (-file.size, file.target))


def select_files(brought: Brought, kept: Kept, opener: Opener, registry: str, context: Context) -> FilePlan:
    """Return what is deleted: artifacts that airgap brought to this target, and no kept release has.

    Those that came without images count only where the host of ``registry`` is, in repositories that others came to,
    or that ``opener`` names. Raises the error of a server that cannot be asked.
    """
    plan = FilePlan()
    certain = {root_of(artifact) for artifact in brought.artifacts.values()}
    hosts = {host_of(registry), host_of(urlsplit(opener.nexus).netloc)} - {""}
    artifacts = dict(brought.artifacts)
    for url, artifact in brought.other_artifacts.items():
        is_given = artifact.format in opener.targets or host_of(urlsplit(url).netloc) in hosts or not registry
        if is_given or root_of(artifact) in certain:
            artifacts.setdefault(url, artifact)
    by_place: dict[tuple[str, str], list[ReceiptArtifact]] = {}
    for artifact in artifacts.values():
        if artifact.format in MODULES:
            place = "" if artifact.format in opener.targets else root_of(artifact)
            by_place.setdefault((artifact.format, place), []).append(artifact)
    for (format_name, place), own in sorted(by_place.items()):
        _select(plan, format_name, place, own, kept, opener, context)
    return plan


def delete_files(plan: FilePlan, context: Context, gone: list[FileRemoval], left: list[Left]) -> None:
    """Delete what was planned and read back; add what is gone to ``gone``, and what failed to ``left``."""
    for repository in plan.repositories:
        context.cancel.check()
        if not repository.files:
            continue
        paths = {file.path for file in repository.files}
        failed = repository.remover.remove(sorted(paths), context)
        now = repository.remover.find({*paths, *repository.staying}, context)
        for file in repository.files:
            if file.path in failed:
                left.append(Left.after(file.label, failed[file.path]))
            elif file.path in now:
                left.append(Left(file.label, tr("it was deleted, and is still there"), failed=True))
            else:
                gone.append(file)
                context.note(tr("deleted {name}", name=file.label))
        for path, digest in repository.staying.items():
            if now.get(path) != digest:
                what = tr("it was to stay with {digest}, and is not there any more", digest=digest)
                left.append(Left(f"{repository.place}/{path}", what, failed=True))


def _select(
    plan: FilePlan, format_name: str, place: str, artifacts: list[ReceiptArtifact], kept: Kept, opener: Opener,
    context: Context,
) -> None:  # fmt: skip
    unneeded = [one for one in artifacts if one.identity not in kept.artifacts and one.target not in kept.addresses]
    if not unneeded:
        return
    remover = _remover(format_name, place, opener)
    if isinstance(remover, str):
        plan.left += [Left(one.label, remover, failed=True) for one in unneeded]
        return
    candidates: dict[str, ReceiptArtifact] = {}
    staying: set[str] = set()
    for one in artifacts:
        path = remover.path_of(_artifact(one), one.target)
        if path is None:
            if one in unneeded:
                what = tr("{url} is in another repository than the one that was named", url=one.target)
                plan.left.append(Left(one.label, what, failed=True))
        elif one in unneeded:
            candidates[path] = one
        else:
            staying.add(path)
    # Two artifacts may have one path, such as a plain file of two releases.
    candidates = {path: one for path, one in candidates.items() if path not in staying}
    found = remover.find({*candidates, *staying}, context)
    repository = FileRepository(place or str(opener.targets[format_name]), remover)
    repository.staying = {path: digest for path, digest in found.items() if path in staying}
    for path, one in candidates.items():
        digest = found.get(path)
        if digest == one.digest:
            repository.files.append(FileRemoval(one.label, format_name, one.target, path, one.digest, one.size))
        elif digest is not None:
            what = tr("somebody else has put {digest} there", digest=digest or "-")
            plan.left.append(Left(one.label, what))
    plan.repositories.append(repository)


def _remover(format_name: str, place: str, opener: Opener) -> FileRemover | str:
    """Return what deletes in the repository, or why nothing does."""
    if format_name not in opener.targets:
        if not place:
            return tr("its folder is not here: --artifacts-to {format}=file:///FOLDER names it", format=format_name)
        repository = opener.open_at(ArtifactTarget.parse(format_name, place))
    else:
        repository = opener.open(format_name)
    if not isinstance(repository, SupportsRemoval):
        return tr("airgap deletes artifacts in Nexus and in folders; at {place} delete it by hand", place=repository)
    return repository.remover()


def _artifact(one: ReceiptArtifact) -> Artifact:
    return Artifact(one.format, one.name, one.version, one.file, one.digest, one.size)
