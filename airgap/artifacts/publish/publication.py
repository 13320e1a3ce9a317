# SPDX-License-Identifier: Apache-2.0
"""All artifacts of a bundle on their way to their repositories: checked first, copied with the images, proven last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.formats import MODULES, format_named
from airgap.artifacts.manifest import parse_manifest
from airgap.artifacts.planning import add_to_plan
from airgap.artifacts.publish.opening import Opener
from airgap.artifacts.publish.store import ArtifactStore
from airgap.artifacts.repository import ArtifactRepository, SupportsUploadCheck
from airgap.bundle import BundleReader
from airgap.bundle.receipt import ReceiptArtifact
from airgap.errors import AirgapError, ContentMissing, DigestMismatch, TargetError, UnsupportedBundle, raise_all
from airgap.formatting import counted, quoted
from airgap.i18n import tr
from airgap.oci.manifest import Manifest
from airgap.records import Record, field
from airgap.targets.findings import raise_or_warn
from airgap.transfer import Context, Plan


class FormatPublication(Record, frozen=False):
    """The artifacts of one format and their repository; ``present`` are there already, with the same checksum."""

    format: str
    repository: ArtifactRepository
    artifacts: list[Artifact]
    present: set[Artifact] = field(default_factory=set)

    @property
    def store_name(self) -> str:
        """The name of the repository in a plan. No repository of a registry has such a name."""
        return f"artifacts:{self.format}"

    @property
    def missing(self) -> list[Artifact]:
        """The artifacts that are uploaded."""
        return [artifact for artifact in self.artifacts if artifact not in self.present]


class Publication(Record, frozen=False):
    """What an import does with artifacts. Made by :func:`prepare`, before anything is sent."""

    formats: list[FormatPublication] = field(default_factory=list)
    #: Whether the bundle can be read only once.
    _once: bool = False
    _manifests: dict[Artifact, Manifest] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """How many artifacts are uploaded."""
        return sum(len(publication.missing) for publication in self.formats)

    @property
    def present(self) -> int:
        """How many artifacts are there already."""
        return sum(len(publication.present) for publication in self.formats)

    def add_to(self, plan: Plan, source: str) -> dict[str, ArtifactStore]:
        """Add the missing artifacts to the plan of a copy from ``source``; return their stores by name."""
        stores = {}
        for publication in self.formats:
            if not publication.missing:
                continue
            name = publication.store_name
            stores[name] = ArtifactStore(
                publication.repository, publication.artifacts, publication.present, once=self._once
            )
            for artifact in publication.missing:
                add_to_plan(plan, artifact.label, self._manifests[artifact], source, name)
        return stores

    def finish(self, failed: Iterable[str], context: Context) -> None:
        """Write indexes, and ask for every uploaded file by the path that clients use.

        ``failed`` are the labels of artifacts that were not uploaded. Raises :class:`DigestMismatch` and
        :class:`ContentMissing`.
        """
        left_out = set(failed)
        for publication in self.formats:
            uploaded = [artifact for artifact in publication.missing if artifact.label not in left_out]
            there = [artifact for artifact in publication.artifacts if artifact.label not in left_out]
            if there:
                publication.repository.finish(there)
            _prove(publication.repository, uploaded, context)
            if there:
                raise_or_warn(publication.repository.check_index(there, context), context.emit)

    def receipt(self, failed: Iterable[str]) -> tuple[ReceiptArtifact, ...]:
        """Return the receipt's entries."""
        left_out = set(failed)
        return tuple(
            ReceiptArtifact(a.format, a.name, a.version, a.file, a.digest, a.size, publication.repository.url(a))
            for publication in self.formats
            for a in publication.artifacts
            if a.label not in left_out
        )

    def client_commands(self) -> list[tuple[str, str]]:
        """Return the name of each client that needs to be told of a repository, with the command that tells it."""
        commands: list[tuple[str, str]] = []
        for publication in self.formats:
            artifact_format, address = format_named(publication.format), publication.repository.address
            client, places = artifact_format.client, artifact_format.client_addresses
            if client is not None and address:
                told = places(address, publication.artifacts) if places is not None else [address]
                commands += [(client.client, f"airgap hosts {quoted(place)} --for {client.client}") for place in told]
        return commands

    def labels(self) -> list[str]:
        """What messages call the missing artifacts."""
        return [artifact.label for publication in self.formats for artifact in publication.missing]


def prepare(bundle: BundleReader, opener: Opener, context: Context) -> Publication:
    """Read the bundle's artifacts, check every repository, and find out what is there. Sends nothing.

    Raises :class:`TargetError` for each file that is there with other content, with both checksums,
    :class:`ContentMissing` for files that neither the bundle nor the repository has, and what the checks find.
    """
    artifacts: dict[str, list[Artifact]] = {}
    result = Publication(_once=bundle.is_standard_input)
    for entry in bundle.inventory.artifacts:
        manifest = bundle.manifest(entry.descriptor.digest)
        artifact = parse_manifest(manifest, where=str(bundle))
        if artifact.format not in MODULES:
            raise UnsupportedBundle(
                tr("it has artifacts of the format {format}, which this version does not know", format=artifact.format),
                where=str(bundle),
                hint=tr("use a newer airgap, or --no-artifacts"),
            )
        artifacts.setdefault(artifact.format, []).append(artifact)
        result._manifests[artifact] = manifest
    errors: list[AirgapError] = []
    for name in (name for name in MODULES if name in artifacts):
        repository = opener.open(name)
        raise_or_warn(repository.check(artifacts[name]), context.emit)
        publication = FormatPublication(name, repository, artifacts[name])
        errors += _compare(publication, bundle, context)
        result.formats.append(publication)
    raise_all(errors)
    return result


def _compare(publication: FormatPublication, bundle: BundleReader, context: Context) -> list[AirgapError]:
    """Note what is there already, and return an error for each file that cannot be put there."""
    found = publication.repository.find(publication.artifacts, context)
    errors: list[AirgapError] = []
    held = {blob.digest for blob in bundle.inventory.blobs} - set(bundle.missing_blobs)
    for artifact in publication.artifacts:
        digest = found.get(artifact)
        if digest == artifact.digest:
            publication.present.add(artifact)
        elif digest is not None:
            errors.append(
                TargetError(
                    tr(
                        "another file is already there: it has {digest}, the bundle's has {bundle_digest}",
                        digest=digest,
                        bundle_digest=artifact.digest,
                    ),
                    where=_place(artifact, publication.repository),
                    hint=tr(
                        "nothing was sent; a changed file needs a new version, or the old one is deleted there first"
                    ),
                )
            )
        elif artifact.digest not in held:
            errors.append(
                ContentMissing(
                    tr("neither the bundle nor the repository has it: the bundle was made with --base"),
                    where=_place(artifact, publication.repository),
                    hint=tr("nothing was sent; import the bundle that it builds on first, or export without --base"),
                )
            )
    if publication.present:
        context.note(
            tr(
                "{repository}: {count} already there",
                repository=publication.repository, count=counted(len(publication.present), "artifact"),
            )
        )  # fmt: skip
    return errors


def _prove(repository: ArtifactRepository, uploaded: Sequence[Artifact], context: Context) -> None:
    if not uploaded:
        return
    find = repository.find_uploaded if isinstance(repository, SupportsUploadCheck) else repository.find
    found = find(uploaded, context)
    errors: list[AirgapError] = []
    for artifact in uploaded:
        digest = found.get(artifact)
        where = _place(artifact, repository)
        if digest is None:
            errors.append(ContentMissing(tr("it was uploaded, and its address does not have it"), where=where))
        elif digest != artifact.digest:
            what = tr("it was uploaded, and its address has {digest}, not {sent}", digest=digest, sent=artifact.digest)
            errors.append(DigestMismatch(what, where=where))
    raise_all(errors)


def _place(artifact: Artifact, repository: ArtifactRepository) -> str:
    return tr("{label} at {where}", label=artifact.label, where=repository.url(artifact))
