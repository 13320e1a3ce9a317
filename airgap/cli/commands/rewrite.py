# SPDX-License-Identifier: Apache-2.0
"""``airgap rewrite``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from airgap import kube
from airgap.cli import options
from airgap.cli.commands.rewrite_destination import Destination, write_or_show
from airgap.cli.commands.rewrite_rendered import is_chart, is_rendered, rewrite_rendered
from airgap.cli.printing import note
from airgap.cli.progress.display import open_display
from airgap.cli.release_folder import bundle_in
from airgap.config.airgap_yaml import load_project
from airgap.config.connections import ConnectionOptions, helm_options, target_mapping
from airgap.errors import Incomplete, UsageError, raise_all
from airgap.events import Warned
from airgap.flows.images import find_images
from airgap.flows.steps.image_lookup import lookup_by_file
from airgap.flows.steps.mapping_lookup import lookup_by_mapping
from airgap.flows.steps.own_files import OwnFiles
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.kube.render.programs import Rendering
from airgap.kube.render.unrendered import unreached_warnings
from airgap.kube.rewrite import log as rewrite_log
from airgap.kube.rewrite.file_set import RewrittenFile, rewrite_files
from airgap.kube.walk.reach import unreached_files
from airgap.kube.walk.reader import DEFAULT_WALK


@click.command("rewrite")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option(
    "--to", metavar="TARGET", help=tr("[http://|https://]HOST[:PORT][/PREFIX]. [default: target of airgap.yaml]")
)
@options.mapping
@click.option(
    "--from",
    "source",
    metavar="FILE",
    help=tr("Rewrite only images of this bundle, receipt or lock, with its digests. A receipt also gives the target."),
)
@click.option("--keep-unknown", is_flag=True, help=tr("With --from: leave images that are not in it unchanged."))
@click.option(
    "--take-possible",
    is_flag=True,
    help=tr("With --to: also rewrite values that only look like images."),
)
@click.option("--pin", is_flag=True, help=tr("With --from: add the digest of each image."))
@click.option(
    "--revert",
    is_flag=True,
    help=tr(
        "Restore the original bytes, by the record (.airgap-rewrite.log) in the given folder or in the file's own "
        "folder. Folders above are not searched."
    ),
)
@click.option(
    "-o",
    "--output",
    metavar="DIR|FILE",
    help=tr(
        "Write the files into this folder, or one file to a name that ends in .yaml, .yml or .json; for a chart, the "
        "values file; for a kustomization, the overlay."
    ),
)
@click.option(
    "--post-renderer",
    metavar="FILE",
    help=tr(
        "For a chart: also write this program, with which helm moves the images that no value moves. FOLDER/ makes it "
        "a plugin of helm 4."
    ),
)
@click.option("--in-place", is_flag=True, help=tr("Change the files themselves."))
@click.option("--diff", is_flag=True, help=tr("Print a unified diff and write nothing."))
@click.option("--check", is_flag=True, help=tr("Write nothing; end with exit code 4 if something would change."))
@options.dry_run
@options.chart_options
@options.walk_options
@options.force
@options.config
def command(
    paths: tuple[str, ...],
    to: str | None,
    policy: str | None,
    source: str | None,
    keep_unknown: bool,
    take_possible: bool,
    pin: bool,
    revert: bool,
    output: str | None,
    post_renderer: str | None,
    in_place: bool,
    diff: bool,
    check: bool,
    dry_run: bool,
    force: bool,
    config: str | None,
    rendering: Rendering,
    walking: options.Walking,
) -> None:
    """Change the image addresses in resource files to TARGET, and no other byte. Sends no requests to registries.

    Without --output, --in-place, --diff or --check, a single file is printed. For a chart, writes a values file with
    which helm renders every image at TARGET; for a kustomization, an overlay. Both are checked by rendering with
    them; an image that still has its old address is named, and the exit code is 3. --post-renderer moves what no value
    of a chart moves. --walk rewrites the files in such a folder instead; --render writes the charts inside of a folder
    as what helm renders.

    \b
    airgap rewrite cert-manager.yaml --to 10.100.0.102:32415/my-docker-image
    airgap rewrite deploy/ --to nexus.corp:8443/k8s --mapping path --output rewritten/
    airgap rewrite charts/shop --to nexus.corp:8443/k8s -f production.yaml -o airgap-values.yaml
    airgap rewrite charts/shop --to nexus.corp:8443/k8s --post-renderer rewrite-images -o airgap-values.yaml
    airgap rewrite overlays/prod --walk --to nexus.corp:8443/k8s --in-place
    airgap rewrite deploy/ --from bundle.tar.receipt.json --in-place
    airgap rewrite deploy/ --revert --in-place
    """
    if bool(output) + in_place + diff + check > 1:
        raise click.UsageError(tr("choose one of --output, --in-place, --diff and --check"))
    if dry_run and (diff or check):
        raise click.UsageError(tr("--diff and --check write nothing: leave --dry-run out"))
    if keep_unknown and not source:
        raise click.UsageError(tr("--keep-unknown goes with --from"))
    if take_possible and source:
        raise click.UsageError(tr("--take-possible goes with --to: --from knows which images were carried"))
    if pin and not source:
        raise click.UsageError(tr("--pin goes with --from: only that says which digests were carried"))
    if walking.options.render and in_place:
        raise click.UsageError(tr("--render goes with --output: there is no file of a chart's rendering to change"))
    project = load_project(config)
    destination = Destination(Path(output) if output else None, in_place, diff, check, dry_run, force)
    if revert:
        if post_renderer:
            raise click.UsageError(tr("--revert makes no --post-renderer"))
        if to or policy or source or walking.strict or walking.options != DEFAULT_WALK:
            raise click.UsageError(
                tr("--revert goes by the record alone, without --to, --mapping, --from, --walk, --render and --strict")
            )
        reverted_paths = paths or project.resources
        reverted = rewrite_log.revert_files(kube.load(reverted_paths, options.read_stdin), reverted_paths)
        write_or_show([item.file for item in reverted], destination, recorded=False)
        if in_place and not dry_run:
            rewrite_log.forget_reverted(reverted)
        if not (diff or check or dry_run):
            for item in reverted:
                count, path = counted(len(item.file.edits), "change"), item.file.path
                text = tr("reverted {change_count} of {path}", change_count=count, path=path)
                if not (in_place or output):
                    text = tr(
                        "printed {path} with {change_count} reverted; --in-place reverts the file itself",
                        path=path,
                        change_count=count,
                    )
                note(text)
        return
    mapping = None if source else target_mapping(project, to, policy)
    resources = paths or project.resources
    read_by_file = [path for path in resources if walking.options.walk and os.path.isdir(path)]
    rendered = is_rendered([path for path in resources if path not in read_by_file], rendering)
    if rendered and read_by_file:
        raise UsageError(
            tr("a chart or a kustomization is rewritten by itself"), hint=tr("give the others in another command")
        )
    if rendered and (in_place or diff or check):
        raise UsageError(
            tr("a chart or a kustomization is not changed itself"), hint=tr("--output names what goes with it")
        )
    if post_renderer and not (rendered and is_chart(resources[0])):
        raise UsageError(tr("--post-renderer is for a chart, and PATH is none"))
    found_images = (
        None
        if rendered
        else find_images(
            resources, stdin=options.read_stdin, rules=project.rules, project_file=config or "", walking=walking.options
        )
    )
    with open_display("plain") as emit:
        if mapping is not None:
            scanned = found_images.files if found_images else ()
            locate, origin = lookup_by_mapping(mapping, scanned, resources, project.rules), "bundle"
        else:
            assert source is not None  # without --from there is a mapping
            locate, origin = lookup_by_file(bundle_in(source), project, to, policy, pin=pin, emit=emit)
        if found_images is None:
            folder = resources[0] if os.path.isdir(resources[0]) else ""
            unreached = unreached_files(folder, project.rules, OwnFiles(config or "").is_own) if folder else []
            for warning in unreached_warnings({folder: unreached} if unreached else {}):
                emit(Warned(warning))
            pull = helm_options(project, ConnectionOptions())
            rewrite_rendered(
                resources[0], locate, output, rendering, post_renderer=post_renderer, pull=pull,
                keep_unknown=keep_unknown, origin=origin, force=force, dry_run=dry_run, emit=emit,
            )  # fmt: skip
            return
        found_images.emit_messages(emit)
        if walking.strict and (skipped := found_images.incomplete(strict=True)):
            raise skipped
        files = rewrite_files(
            found_images.files, locate, keep_unknown=keep_unknown, guesses=bool(source) or take_possible, origin=origin,
            rules=project.rules, emit=emit,
        )  # fmt: skip
    write_or_show(files, destination)
    raise_all([*_left_error(files), *filter(None, [found_images.incomplete(strict=False)])])


def _left_error(files: Sequence[RewrittenFile]) -> list[Incomplete]:
    """The error for values that may be images and were left as they are, if there are any."""
    left = [image for file in files for image in file.left]
    if not left:
        return []
    places = ", ".join(f"{image.text} ({image.where})" for image in left[:3])
    more = tr(" and {left_count} more", left_count=len(left) - 3) if len(left) > 3 else ""
    return [
        Incomplete(
            tr(
                "{reference_count} left: only the shape says image: {places}{more}",
                reference_count=counted(len(left), "image reference"),
                places=places,
                more=more,
            ),
            hint=tr("--take-possible rewrites them too; rules in airgap.yaml take or ignore single ones"),
        )
    ]
