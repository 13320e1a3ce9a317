# SPDX-License-Identifier: Apache-2.0
"""``airgap import --only-artifacts``, and what any import says of artifacts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airgap.artifacts.publish.opening import Opener
from airgap.artifacts.publish.publication import Publication
from airgap.cli import options
from airgap.cli.artifact_options import ArtifactTargets
from airgap.cli.formatting.summary import finished_event
from airgap.cli.progress.display import open_display
from airgap.config.airgap_yaml import ProjectSettings
from airgap.config.connections import open_registries
from airgap.config.state import state_folder
from airgap.dossier.history import FILE
from airgap.errors import Incomplete, Interrupted, OutputError, UsageError
from airgap.events import Noted, Sink
from airgap.flows.admission import Admission
from airgap.flows.import_artifacts import ArtifactImportRequest, ArtifactImportResult, import_artifacts
from airgap.flows.steps.recorded_import import History
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.records import replace
from airgap.transfer import CancelToken, Context, Jobs, Report

if TYPE_CHECKING:
    from airgap.artifacts.publish.addresses import ArtifactTarget
    from airgap.bundle import BundleReader
    from airgap.bundle.media.sealed import Unseal
    from airgap.config.connections import ConnectionOptions
    from airgap.registry import Credential, Registries


def import_only_artifacts(
    bundles: tuple[str, ...], request: ArtifactImportRequest, project: ProjectSettings, chosen: ArtifactTargets,
    nexus: str, connection: options.TargetConnection, jobs: Jobs, progress: str, unseal: Unseal,
    admit: Callable[[BundleReader, Context], Admission],
) -> None:  # fmt: skip
    """Import the artifacts of a bundle that ``admit`` admits, and emit the last lines."""
    start = time.monotonic()
    targets = chosen.by_format(project)
    connection_options = connect_to(targets, nexus, connection)
    with (
        options.open_bundle(bundles, connection.password_stdin, unseal) as bundle,
        open_display(progress) as emit,
        open_registries(project, connection_options, emit) as registries,
    ):
        context = Context(jobs, emit, CancelToken(registries.abort))
        opener = artifact_opener(
            registries, targets, chosen, nexus, connection_options.credential, "", dry_run=request.dry_run
        )
        try:
            history = history_of(admit(bundle, context), emit)
            result = import_artifacts(request, bundle, opener, context, history)
        except (KeyboardInterrupt, Interrupted):
            raise Interrupted(
                tr("stopped; what the repositories have taken is kept"),
                hint=tr("the same command goes on where this one stopped"),
            ) from None
        _print_result(request, result, time.monotonic() - start, emit)


def history_of(admission: Admission, emit: Sink) -> History:
    """Return where an import is recorded; of an approved one the record is required."""
    required = admission.approved is not None
    try:
        path = state_folder(os.environ) / FILE
    except OutputError:
        if required:
            raise
        return History()
    return History(path, admission.signers, admission.approved, required, emit)


def connect_to(
    targets: dict[str, ArtifactTarget], nexus: str, connection: options.TargetConnection
) -> ConnectionOptions:
    """Return the connection options for the hosts of all targets.

    Raises :class:`UsageError` for a user and several hosts: a password is for one.
    """
    hosts = _hosts(targets, nexus)
    if connection.username and len({_name(host) for host in hosts}) > 1:
        raise UsageError(
            tr("the artifacts go to several hosts, and --username is for one"),
            hint=tr("give each its line in ~/.netrc: machine HOST login USER password PASSWORD"),
        )
    connection_options = connection.options(hosts[0] if hosts else "")
    return replace(connection_options, insecure=tuple(hosts) if connection.insecure else (), plain_http=())


def artifact_opener(
    registries: Registries, targets: dict[str, ArtifactTarget], chosen: ArtifactTargets, nexus: str,
    credential: Credential | None, registry: str, *, dry_run: bool,
) -> Opener:  # fmt: skip
    """Return the opener of repositories. ``credential`` is that of the target ``registry``, or of the only host if the
    registry is empty; it goes to no other host than the registry's and that of ``nexus``."""
    hosts = [host for host in (registry, urlsplit(nexus).netloc.rpartition("@")[2]) if host]
    allowed = hosts if registry else _hosts(targets, nexus)
    names = frozenset(map(_name, allowed))
    return Opener(registries, targets, nexus, chosen.create, dry_run, credential, names)


def print_publication(publication: Publication, emit: Sink, *, dry_run: bool) -> None:
    """Emit what an import did with artifacts, or would do: one line for each repository."""
    for part in publication.formats:
        if dry_run:
            for artifact in part.missing:
                emit(Noted(tr("would upload {label}", label=artifact.label)))
        count = counted(len(part.missing), "artifact")
        words = {"format": part.format, "count": count, "present": len(part.present), "place": part.repository}
        if dry_run:
            emit(Noted(tr("{format} at {place}: {count} to upload, {present} already there", **words)))
        else:
            emit(Noted(tr("{format} at {place}: {count} uploaded, {present} already there", **words)))


def print_client_commands(publication: Publication, emit: Sink) -> None:
    """Emit the next step for each client whose repository has got something."""
    for client, command in publication.client_commands():
        emit(Noted(tr("next, the settings of {client}: {command}", client=client, command=command)))


def _print_result(request: ArtifactImportRequest, result: ArtifactImportResult, seconds: float, emit: Sink) -> None:
    print_publication(result.publication, emit, dry_run=request.dry_run)
    if request.dry_run:
        return
    emit(Noted(tr("wrote {receipt}", receipt=result.receipt)))
    uploaded = result.publication.missing - len(result.failures)
    text = tr(
        "{count} uploaded, {present} already there",
        count=counted(uploaded, "artifact"),
        present=result.publication.present,
    )
    emit(finished_event(text, "pushed", 0, result.report or Report(), seconds))
    print_client_commands(result.publication, emit)
    if result.failures:
        names = ", ".join(sorted(label for label, _ in result.failures))
        raise Incomplete(tr("not uploaded: {names}", names=names), hint=tr("the same command tries these again"))


def _hosts(targets: dict[str, ArtifactTarget], nexus: str) -> list[str]:
    """``host[:port]`` of every address, each once."""
    urls = [nexus, *(target.url for target in targets.values())]
    return list(dict.fromkeys(host for url in urls if (host := urlsplit(url).netloc.rpartition("@")[2])))


def _name(host: str) -> str:
    return urlsplit(f"//{host}").hostname or ""
