# SPDX-License-Identifier: Apache-2.0
"""``airgap rewrite``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from airgap import kube
from airgap.cli import options
from airgap.cli.commands.rewrite_rendered import is_rendered, rewrite_rendered
from airgap.cli.formatting.unified_diff import file_diff
from airgap.cli.progress.display import open_display
from airgap.config.airgap_yaml import load_project
from airgap.config.connections import ConnectionOptions, helm_options, target_mapping
from airgap.durable import output as out
from airgap.errors import Incomplete, UsageError, WouldChange
from airgap.events import Warned
from airgap.flows.images import find_images
from airgap.flows.steps.image_lookup import lookup_by_file, lookup_by_mapping
from airgap.formatting import counted
from airgap.kube.render.programs import Rendering
from airgap.kube.rewrite import log as rewrite_log
from airgap.kube.rewrite.file_set import RewrittenFile, rewrite_files
from airgap.kube.rewrite.output import check_in_place, replace_in_place, write_rewritten
from airgap.records import Record


@click.command("rewrite")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option("--to", metavar="TARGET", help="[http://|https://]HOST[:PORT][/PREFIX]. [default: target of airgap.yaml]")
@options.mapping
@click.option(
    "--from",
    "source",
    metavar="FILE",
    help="Rewrite only what this bundle, receipt or lock knows, to the digests that it says. "
    "A receipt knows the target too.",
)
@click.option("--keep-unknown", is_flag=True, help="With --from: leave images that are not in it as they are.")
@click.option(
    "--take-possible",
    is_flag=True,
    help="With --to: rewrite values too of which only the shape says that they are images.",
)
@click.option("--pin", is_flag=True, help="With --from: add each image's digest: what was carried is what runs.")
@click.option(
    "--revert",
    is_flag=True,
    help="Restore the bytes that rewritten files had, by the record (.airgap-rewrite.log) in the given folder or "
    "in the file's own folder. Folders above are not searched.",
)
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    help="Write the files there; for a chart, the values file, for a kustomization, the overlay.",
)
@click.option("--in-place", is_flag=True, help="Replace the files themselves.")
@click.option("--diff", is_flag=True, help="Print a unified diff and write nothing.")
@click.option("--check", is_flag=True, help="Write nothing; end with exit code 4 if anything would change.")
@options.dry_run
@options.chart_options
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
    in_place: bool,
    diff: bool,
    check: bool,
    dry_run: bool,
    force: bool,
    config: str | None,
    rendering: Rendering,
) -> None:
    """Rewrite resource files so that their images point at TARGET, every other byte as it was. Asks no registry.

    Without --output, --in-place, --diff or --check, a single file goes to standard output. For a chart, this makes a
    values file with which helm renders every image at TARGET, for a kustomization an overlay; both are proven by
    rendering with them, and where an image does not move it is named and the exit code is 3.

    \b
    airgap rewrite cert-manager.yaml --to 10.100.0.102:32415/my-docker-image
    airgap rewrite deploy/ --to nexus.corp:8443/k8s --mapping path --output rewritten/
    airgap rewrite charts/shop --to nexus.corp:8443/k8s -f production.yaml -o airgap-values.yaml
    airgap rewrite deploy/ --from bundle.tar.receipt.json --in-place
    airgap rewrite deploy/ --revert --in-place
    """
    if bool(output) + in_place + diff + check > 1:
        raise click.UsageError("choose one of --output, --in-place, --diff and --check")
    if dry_run and (diff or check):
        raise click.UsageError("--diff and --check write nothing: leave --dry-run out")
    if keep_unknown and not source:
        raise click.UsageError("--keep-unknown goes with --from")
    if take_possible and source:
        raise click.UsageError("--take-possible goes with --to: --from knows which images were carried")
    if pin and not source:
        raise click.UsageError("--pin goes with --from: only that says which digests were carried")
    project = load_project(config)
    destination = _Destination(Path(output) if output else None, in_place, diff, check, dry_run, force)
    if revert:
        if to or policy or source:
            raise click.UsageError("--revert goes by the record alone, without --to, --mapping and --from")
        reverted_paths = paths or project.resources
        reverted = rewrite_log.revert_files(kube.load(reverted_paths, options.read_stdin), reverted_paths)
        _write_or_show([item.file for item in reverted], destination, recorded=False)
        if in_place and not dry_run:
            rewrite_log.forget_reverted(reverted)
        return
    mapping = None if source else target_mapping(project, to, policy)
    resources = paths or project.resources
    rendered = is_rendered(resources, rendering)
    if rendered and (in_place or diff or check):
        raise UsageError("a chart or a kustomization is not changed itself", hint="--output names what goes with it")
    found_images = None if rendered else find_images(resources, stdin=options.read_stdin, rules=project.rules)
    with open_display("plain") as emit:
        if mapping is not None:
            locate, origin = lookup_by_mapping(mapping), "bundle"
        else:
            assert source is not None  # without --from there is a mapping
            locate, origin = lookup_by_file(source, project, to, policy, pin=pin, emit=emit)
        if found_images is None:
            pull = helm_options(project, ConnectionOptions())
            rewrite_rendered(
                resources[0], locate, output, rendering, pull=pull, keep_unknown=keep_unknown, origin=origin,
                force=force, dry_run=dry_run, emit=emit,
            )  # fmt: skip
            return
        for warning in found_images.warnings():
            emit(Warned(warning))
        files = rewrite_files(
            found_images.files, locate, keep_unknown=keep_unknown, guesses=bool(source) or take_possible, origin=origin,
            emit=emit,
        )  # fmt: skip
    _write_or_show(files, destination)
    _raise_left(files)


class _Destination(Record):
    """Where the rewritten files go. ``folder`` is that of ``--output``; without any option it is standard output."""

    folder: Path | None
    in_place: bool
    diff: bool
    check: bool
    dry_run: bool
    force: bool


def _write_or_show(files: Sequence[RewrittenFile], destination: _Destination, *, recorded: bool = True) -> None:
    """Write the files or show what would change. ``recorded`` also writes the rewrite log."""
    folder = destination.folder
    if destination.check:
        _check(files)
    elif destination.diff:
        for file in files:
            click.echo(file_diff(file), nl=False)
    elif destination.dry_run:
        _print_dry_run(files, destination)
    elif destination.in_place:
        replace_in_place(files, recorded=recorded)
        for file in files:
            if file.edits:
                click.echo(f"rewrote {counted(len(file.edits), 'image')} in {file.path}", err=True)
    elif folder:
        contents = [(file.name, file.after) for file in files]
        with out.folder_for(folder):
            out.check_free(folder, contents, force=destination.force)
            write_rewritten(folder, contents, files if recorded else ())
        click.echo(f"wrote {counted(len(files), 'file')} to {folder}", err=True)
    elif len(files) == 1:
        sys.stdout.buffer.write(files[0].after)
    else:
        raise _too_many_for_stdout(files)


def _print_dry_run(files: Sequence[RewrittenFile], destination: _Destination) -> None:
    """Print which files would be written and how much of each changes; raise the errors that writing would raise."""
    folder = destination.folder
    if destination.in_place:
        check_in_place(files)
    elif folder:
        out.check_free(folder, [(file.name, file.after) for file in files], force=destination.force)
    elif len(files) > 1:
        raise _too_many_for_stdout(files)
    for file in files:
        if destination.in_place and file.before == file.after:
            continue
        if destination.in_place:
            where = file.path
        else:
            where = str(folder / file.name) if folder else f"{file.path} to standard output"
        click.echo(f"would write {where}: {counted(len(file.edits), 'change')}", err=True)
    total = sum(len(file.edits) for file in files)
    changed_files = sum(file.before != file.after for file in files)
    click.echo(f"{counted(total, 'change')} in {counted(changed_files, 'file')}; nothing was written", err=True)


def _too_many_for_stdout(files: Sequence[RewrittenFile]) -> UsageError:
    return UsageError(
        f"{len(files)} files do not fit on standard output", hint="add --output DIR, --in-place, --diff or --check"
    )


def _raise_left(files: Sequence[RewrittenFile]) -> None:
    """Raise :class:`Incomplete` if values that may be images were left as they are."""
    left = [image for file in files for image in file.left]
    if left:
        places = ", ".join(f"{image.text} ({image.where})" for image in left[:3])
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        raise Incomplete(
            f"{counted(len(left), 'image reference')} left: only the shape says image: {places}{more}",
            hint="--take-possible rewrites them too; rules in airgap.yaml take or ignore single ones",
        )


def _check(files: Sequence[RewrittenFile]) -> None:
    """Raise :class:`WouldChange` if a file would change."""
    changed_files = [file for file in files if file.before != file.after]
    if changed_files:
        count = sum(len(file.edits) for file in changed_files)
        names = ", ".join(file.path for file in changed_files)
        raise WouldChange(
            f"{counted(count, 'image')} in {counted(len(changed_files), 'file')} would change: {names}",
            hint="--diff shows them, --in-place rewrites them",
        )
