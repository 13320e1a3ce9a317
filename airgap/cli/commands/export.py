# SPDX-License-Identifier: Apache-2.0
"""``airgap export``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from airgap.bundle import journal_path
from airgap.bundle.program import program_to_carry
from airgap.cli import artifact_options, options, output_options
from airgap.cli.commands.export_from import every_image, open_at_hand
from airgap.cli.commands.export_result import print_result
from airgap.cli.dossier_options import DossierOptions, dossier_options
from airgap.cli.progress.display import open_display
from airgap.cli.project_images import find_project_images
from airgap.cli.release_folder import document_in
from airgap.cli.seal_options import make_sealer
from airgap.cli.trust_options import key_signers
from airgap.config.airgap_yaml import load_project
from airgap.config.connections import open_registries
from airgap.config.notes import read_notes
from airgap.errors import Interrupted, UsageError
from airgap.flows.export import ExportRequest, export
from airgap.flows.images import FoundImages
from airgap.flows.steps.attached_documents import read_attached
from airgap.flows.steps.export_recoding import check_recoding
from airgap.flows.steps.sign_export import Signing
from airgap.flows.steps.verify_images import ImageDemand
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.kube.render.programs import Rendering
from airgap.oci import Platform, Reference
from airgap.records import replace
from airgap.transfer import CancelToken, Context, Jobs


class _ExportCommand(click.Command):
    """``--with-self`` takes a value only behind ``=``: the next argument may be a PATH."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """Give ``--with-self`` alone its value."""
        whole = ["--with-self=pyz" if argument == "--with-self" else argument for argument in arguments]
        return super().parse_args(context, whole)


@click.command("export", cls=_ExportCommand)
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option(
    "-o",
    "--output",
    metavar="BUNDLE",
    help=tr(
        "The bundle to write: .tar, or .tar.zst to compress; - is standard output. "
        "[default: NAME-VERSION.tar of airgap.yaml]"
    ),
)
@click.option(
    "--image", "images", multiple=True, metavar="REF", help=tr("Add this image, which no file names. Repeatable.")
)
@click.option(
    "--from",
    "locations",
    multiple=True,
    metavar="SOURCE",
    help=tr(
        "Take images from here instead of a registry: oci-archive:F, docker-archive:F, oci:DIR or containerd:. "
        "Without other images, all of them. Repeatable."
    ),
)
@output_options.platforms
@click.option(
    "--sparse",
    is_flag=True,
    help=tr(
        "With --platform: keep each index as it is, with its digest and signatures, though not all of its images are "
        "carried. Nexus refuses such an index. [default: a new index]"
    ),
)
@click.option("--lock", metavar="FILE", help=tr("Use the digests of this lock file; write it if it does not exist."))
@output_options.refresh
@click.option(
    "--lock-only",
    is_flag=True,
    help=tr("Resolve everything and write the lock, but no bundle. Machines can then make a --volume each."),
)
@output_options.bundle_form
@output_options.restart
@click.option(
    "--base",
    metavar="FILE",
    help=tr("Leave out layers that the target already has: the last bundle, its bundle.json, or a receipt."),
)
@click.option("--no-resources", is_flag=True, help=tr("Leave the resource files out of the bundle."))
@click.option(
    "--with-self",
    metavar="[=portable|=FILE]",
    help=tr(
        "Put this program into the bundle: airgap.pyz, which needs Python there; with =portable the folder that needs "
        "nothing; with =FILE the archive of one for another machine."
    ),
)
@artifact_options.attach
@click.option(
    "--referrers/--no-referrers",
    default=True,
    help=tr("Carry what refers to an image, such as signatures and SBOMs. [default: yes]"),
)
@click.option(
    "--verify-images",
    is_flag=True,
    help=tr("Refuse images for which verify_images: of airgap.yaml has no rule. What has one must be signed anyway."),
)
@click.option("--sign", "keys", multiple=True, metavar="KEY", help=tr("Sign the bundle with this key. Repeatable."))
@click.option(
    "--signature",
    metavar="FILE",
    help=tr("With --sign: write the signature into this file. [default: in the bundle; BUNDLE.minisig for .tar.zst]"),
)
@click.option(
    "--encrypt-to",
    "recipients",
    multiple=True,
    metavar="RECIPIENT",
    help=tr("Seal the bundle, called .tar.age, for this key of age or SSH, or for those in a file. Repeatable."),
)
@click.option("--passphrase", is_flag=True, help=tr("Seal the bundle with a passphrase, asked for on the terminal."))
@click.option(
    "--keep-going", is_flag=True, help=tr("Leave out images that cannot be pulled, and end with exit code 3.")
)
@dossier_options
@artifact_options.choice
@options.force
@options.dry_run
@options.chart_options
@options.walk_options
@options.cluster_options
@options.source_options
@options.config
@options.limit_rate
@options.jobs
@options.progress
def command(
    paths: tuple[str, ...],
    output: str | None,
    images: tuple[str, ...],
    locations: tuple[str, ...],
    platforms: tuple[str, ...],
    sparse: bool,
    lock: str | None,
    refresh: bool,
    lock_only: bool,
    form: output_options.OutputOptions,
    restart: bool,
    base: str | None,
    no_resources: bool,
    with_self: str | None,
    attached: tuple[str, ...],
    referrers: bool,
    verify_images: bool,
    keys: tuple[str, ...],
    signature: str | None,
    recipients: tuple[str, ...],
    passphrase: bool,
    keep_going: bool,
    force: bool,
    dry_run: bool,
    ca_file: str | None,
    plain_http: tuple[str, ...],
    insecure: tuple[str, ...],
    config: str | None,
    limit_rate: str | None,
    jobs: int | None,
    progress: str,
    rendering: Rendering,
    walking: options.Walking,
    cluster: bool,
    context: str,
    artifact_choice: artifact_options.ArtifactChoice,
    dossier: DossierOptions,
) -> None:
    """Pull every image that the resource files name and write one bundle.

    PATH is a file, a folder, - for standard input or the https:// address of a YAML file. The default is the resources
    of airgap.yaml. A chart (folder, .tgz or oci://...) is rendered by helm, a folder with a kustomization by kubectl
    or kustomize; the bundle contains the rendered YAML. The bundle is an OCI image layout in a tar, which skopeo,
    podman, ctr and docker read too.

    Run the same command again to continue an interrupted export.

    \b
    airgap export cert-manager.yaml -o bundle.tar
    airgap export deploy/ --image busybox:1.36 --platform linux/amd64 -o bundle.tar
    airgap export --from docker-archive:saved.tar -o bundle.tar
    airgap export cert-manager.yaml --base last-month.tar -o bundle.tar
    airgap export deploy/ --layout folder --max-file-size 2GB -o bundle
    airgap export oci://registry.example/charts/shop:1.4.2 -f production.yaml -o shop.tar
    """
    start = time.monotonic()
    project = load_project(config)
    artifacts = artifact_options.require_entries(project, artifact_choice)
    if artifact_choice.only and (images or locations or cluster):
        raise UsageError(tr("--only-artifacts takes no images"), hint=tr("leave --image, --from and --cluster out"))
    scope, rendering = options.cluster_scope(cluster, context, paths, rendering)
    given_images = [] if artifact_choice.only else [*project.images, *map(Reference.parse, images)]
    if not output and not project.name:
        raise UsageError(tr("where should the bundle go?"), hint=tr("give -o bundle.tar, or name: in airgap.yaml"))
    if sparse and not (platforms or project.platforms or locations):
        raise UsageError(tr("--sparse goes with --platform"), hint=tr("without it, indexes stay as they are anyway"))
    if form.volume and not lock:
        raise UsageError(
            tr("one volume is made again from a lock"),
            hint=tr("add the --lock of the first time; without one, export all of it again"),
        )
    if lock_only and (form.volume or not lock):
        raise UsageError(
            tr("--lock-only writes the lock that --volume needs"),
            hint=tr("give --lock airgap.lock, and --volume only afterwards"),
        )
    if output == "-" and sys.stdout.isatty():
        raise UsageError(
            tr("a bundle is not for a terminal"), hint=tr("name a file with -o, or pipe it on: -o - | ssh …")
        )
    output_format = form.output_format(output, project, make_sealer(recipients, passphrase=passphrase))
    check_recoding(output_format, recode=form.recode, dossier=bool(dossier.folder))
    base = document_in(base) if base else None
    beside = dossier.beside(project, base)
    beside.check(output_format)
    if refresh and not lock and not journal_path(output_format.run_path).exists():
        raise UsageError(tr("--refresh rewrites a lock, and none is named"), hint=tr("add --lock airgap.lock"))
    documents = read_attached(attached)
    signing = Signing(key_signers(keys), Path(signature) if signature else None)
    connection_options = replace(options.source_connection(ca_file, plain_http, insecure), limit_rate=limit_rate)
    with (
        open_at_hand(locations) as at_hand,
        open_display(progress) as emit,
        open_registries(project, connection_options, emit) as registries,
    ):
        resources = () if scope or artifact_choice.only else paths or project.resources
        if at_hand and not resources and not given_images and not scope:
            given_images = every_image(at_hand)
        without_images = not resources and not given_images and not scope
        if without_images and not artifacts:
            raise UsageError(
                tr("what should be exported?"), hint=tr("give a PATH or --image REF, or write an airgap.yaml")
            )
        found_images = (
            FoundImages(())
            if without_images
            else find_project_images(
                resources,
                project,
                connection_options,
                rendering,
                walking,
                project_file=config,
                cluster=scope,
                images=given_images,
                download=registries.download,
            )
        )
        if walking.strict and (skipped := found_images.incomplete(strict=True)):
            found_images.emit_messages(emit)
            raise skipped
        request = ExportRequest(
            form=output_format,
            platforms=list(dict.fromkeys(map(Platform.parse, platforms))) or project.platforms,
            sparse=sparse,
            lock=Path(lock) if lock else None,
            refresh=refresh,
            restart=restart,
            carry_resources=not no_resources,
            referrers=referrers,
            keep_going=keep_going,
            dry_run=dry_run or lock_only,
            lock_only=lock_only and not dry_run,
            force=force,
            program=program_to_carry(with_self) if with_self is not None else None,
            name=project.name,
            version=project.version,
            notes=read_notes(project),
            attached=documents,
            named=project.registries,
            base=Path(base) if base else None,
            at_hand=at_hand,
            signing=signing,
            demand=ImageDemand(project.verify_images, verify_images),
            artifacts=artifacts,
            only_artifacts=artifact_choice.only,
            recode=form.recode,
        )
        run = Context(Jobs.of(jobs), emit, CancelToken(registries.abort))
        try:
            exported = export(request, found_images, registries, run)
        except (KeyboardInterrupt, Interrupted) as error:
            if isinstance(error, Interrupted) and error.again:
                raise
            raise Interrupted(tr("stopped; nothing is left behind"), again=True) from None
        beside.write(output_format, exported.paths, exported.planned, run, dry_run=request.dry_run, force=force)
        target = quoted(project.target) if project.target else "HOST:PORT/PREFIX"
        print_result(request, exported, target, time.monotonic() - start, emit)
        if incomplete := found_images.incomplete(strict=False):
            raise incomplete
