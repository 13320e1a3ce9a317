# SPDX-License-Identifier: Apache-2.0
"""``airgap release``."""

from __future__ import annotations

from pathlib import Path

import click

from airgap.bundle import OutputFormat
from airgap.bundle.media.volume_names import parse_volume_size
from airgap.cli import options, output_options
from airgap.cli.commands.release_result import print_result
from airgap.cli.progress.display import open_display
from airgap.cli.project_images import find_project_images
from airgap.cli.trust_options import read_secret_key
from airgap.config.airgap_yaml import FILE, ProjectSettings, load_project
from airgap.config.connections import open_registries
from airgap.config.notes import read_notes
from airgap.config.release_yaml import ReleaseSettings
from airgap.errors import Interrupted, UsageError
from airgap.flows.dossier import DossierRequest
from airgap.flows.images import FoundImages
from airgap.flows.release import ReleaseRequest, release
from airgap.flows.sign import key_signer
from airgap.flows.steps.export_request import ExportRequest
from airgap.flows.steps.sign_export import Signing
from airgap.flows.steps.verify_images import ImageDemand
from airgap.i18n import tr
from airgap.kube.render.programs import Rendering
from airgap.kube.walk.reader import WalkOptions
from airgap.oci import Platform
from airgap.records import replace
from airgap.registry.settings import parse_rate
from airgap.release.document import file_name_problem
from airgap.release.folder import ReleaseFolder
from airgap.release.install import FarSide
from airgap.release.remembered import RememberedReleases
from airgap.transfer import CancelToken, Context, Jobs


@click.command("release")
@click.argument("version", required=False, metavar="[VERSION]")
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    default=".",
    show_default=True,
    help=tr("Make the folder NAME-VERSION in this folder."),
)
@click.option(
    "--since",
    multiple=True,
    metavar="RELEASE",
    help=tr(
        "Make a differential bundle for sites that have this release: a version in releases/, the folder of a release, "
        "or its full bundle. Repeatable. [default: the last three in releases/]"
    ),
)
@output_options.volume_size
@output_options.parity
@click.option(
    "--sign", "keys", multiple=True, metavar="KEY", help=tr("Sign bundles and release.json with this key. Repeatable.")
)
@output_options.platforms
@click.option(
    "--lock",
    metavar="FILE",
    help=tr("Use the digests of this lock file; write it if it does not exist. [default: releases/NAME-VERSION.lock]"),
)
@output_options.refresh
@output_options.restart
@click.option("--no-resources", is_flag=True, help=tr("Leave the resource files out of the bundles."))
@click.option(
    "--media-rate",
    metavar="RATE",
    default="30MB",
    show_default=True,
    help=tr("How fast media are copied, for the minutes in the table: 30MB, 5MB."),
)
@options.as_json
@options.force
@options.dry_run
@options.source_options
@options.config
@options.limit_rate
@options.jobs
@options.progress
def command(
    version: str | None,
    output: str,
    since: tuple[str, ...],
    volume_size: str | None,
    parity: int | None,
    keys: tuple[str, ...],
    platforms: tuple[str, ...],
    lock: str | None,
    refresh: bool,
    restart: bool,
    no_resources: bool,
    media_rate: str,
    as_json: bool,
    force: bool,
    dry_run: bool,
    ca_file: str | None,
    plain_http: tuple[str, ...],
    insecure: tuple[str, ...],
    config: str | None,
    limit_rate: str | None,
    jobs: int | None,
    progress: str,
) -> None:
    """Make the folder NAME-VERSION with all that a version needs to cross, from airgap.yaml.

    In it are the full bundle, a smaller one for each of the last three releases that a site may have, checksums,
    signatures, dossiers, release notes, the commands for the far side (install.md), and release.json, which says what
    each file is. releases/ beside airgap.yaml remembers it for the next release. VERSION replaces version: of
    airgap.yaml. Run the same command again to continue an interrupted release.

    \b
    airgap release
    airgap release 1.10 --volume-size 4.7GB --parity 1 --sign maker.key
    airgap release 1.10 --since 1.4 --since 1.9 --dry-run
    """
    project = load_project(config)
    project.version = version or project.version
    rate = parse_rate(media_rate)
    name, number = _title(project)
    settings = project.release or ReleaseSettings()
    folder = ReleaseFolder(Path(output) / f"{name}-{number}")
    form = OutputFormat(
        folder.partial / f"{name}-{number}.tar",
        parse_volume_size(volume_size) if volume_size else settings.volume_size,
        parity=parity or settings.parity,
    )
    form.check()
    key_files = keys or tuple(settings.sign)
    secret_keys = [read_secret_key(path) for path in key_files]
    connection_options = replace(options.source_connection(ca_file, plain_http, insecure), limit_rate=limit_rate)
    with (
        open_display(progress) as emit,
        open_registries(project, connection_options, emit) as registries,
    ):
        found_images = (
            find_project_images(
                project.resources,
                project,
                connection_options,
                Rendering(),
                options.Walking(False, WalkOptions()),
                project_file=config,
                cluster=None,
                download=registries.download,
            )
            if project.resources or project.images
            else FoundImages(())
        )
        export = ExportRequest(
            form=form,
            platforms=list(dict.fromkeys(map(Platform.parse, platforms))) or project.platforms,
            lock=Path(lock) if lock else None,
            refresh=refresh,
            restart=restart,
            carry_resources=not no_resources,
            dry_run=dry_run,
            force=force,
            name=name,
            version=number,
            notes=read_notes(project),
            named=project.registries,
            signing=Signing([key_signer(key) for key in secret_keys]),
            demand=ImageDemand(project.verify_images, False),
            artifacts=project.artifacts,
        )
        request = ReleaseRequest(
            name,
            number,
            folder,
            RememberedReleases(Path(config or FILE).parent / "releases", name),
            export,
            since,
            f"NOTES{Path(project.notes).suffix or '.md'}" if project.notes else "NOTES.md",
            DossierRequest(None, project.purpose or "", project.rules),
            [key_signer(key, f"airgap release {name} {number}") for key in secret_keys],
            FarSide(
                project.target or "",
                project.policy or "",
                bool(project.overrides),
                [
                    (Path(path).with_suffix(".pub").name, key.public_key.id)
                    for path, key in zip(key_files, secret_keys, strict=True)
                ],
                bool(found_images.references()),
                bool(project.artifacts),
            ),
        )
        run = Context(Jobs.of(jobs), emit, CancelToken(registries.abort))
        try:
            released = release(request, found_images, registries, run)
        except (KeyboardInterrupt, Interrupted) as error:
            if isinstance(error, Interrupted) and error.again:
                raise
            kept = tr("stopped; what is finished is kept in {folder}", folder=folder.partial)
            left = folder.partial.exists()
            raise Interrupted(kept if left else tr("stopped; nothing is left behind"), again=True) from None
        print_result(released, rate, as_json=as_json, dry_run=dry_run, emit=emit)
        if incomplete := found_images.incomplete(strict=False):
            raise incomplete


def _title(project: ProjectSettings) -> tuple[str, str]:
    """Return the name and version of the release. Raises :class:`UsageError` where they cannot be in file names."""
    if not project.name or not project.version:
        raise UsageError(
            tr("a release has a name and a version"),
            hint=tr("write name: into airgap.yaml, and version: or give VERSION"),
        )
    if not project.resources and not project.images and not project.artifacts:
        raise UsageError(
            tr("what should be released?"), hint=tr("write resources:, images: or artifacts: into airgap.yaml")
        )
    for text in (project.name, project.version):
        if reason := file_name_problem(text):
            raise UsageError(tr("the name {name!r} {reason}", name=text, reason=reason))
    return project.name, project.version
