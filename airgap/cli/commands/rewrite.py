# SPDX-License-Identifier: Apache-2.0
"""``airgap rewrite``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from airgap import kube
from airgap.cli import options
from airgap.cli.commands.rewrite_rendered import is_chart, is_rendered, rewrite_rendered
from airgap.cli.formatting.unified_diff import file_diff
from airgap.cli.printing import note, say, write_bytes
from airgap.cli.progress.display import open_display
from airgap.config.airgap_yaml import load_project
from airgap.config.connections import ConnectionOptions, helm_options, target_mapping
from airgap.durable import output as out
from airgap.errors import Incomplete, UsageError, WouldChange, raise_all
from airgap.flows.images import find_images
from airgap.flows.steps.image_lookup import lookup_by_file, lookup_by_mapping
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.kube.render.programs import Rendering
from airgap.kube.rewrite import log as rewrite_log
from airgap.kube.rewrite.file_set import RewrittenFile, rewrite_files
from airgap.kube.rewrite.output import check_in_place, replace_in_place, write_rewritten
from airgap.records import Record


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
) -> None:
    """Change the image addresses in resource files to TARGET, and no other byte. Sends no requests to registries.

    Without --output, --in-place, --diff or --check, a single file is printed. For a chart, writes a values file with
    which helm renders every image at TARGET; for a kustomization, an overlay. Both are checked by rendering with
    them; an image that still has its old address is named, and the exit code is 3. --post-renderer moves what no value
    of a chart moves.

    \b
    airgap rewrite cert-manager.yaml --to 10.100.0.102:32415/my-docker-image
    airgap rewrite deploy/ --to nexus.corp:8443/k8s --mapping path --output rewritten/
    airgap rewrite charts/shop --to nexus.corp:8443/k8s -f production.yaml -o airgap-values.yaml
    airgap rewrite charts/shop --to nexus.corp:8443/k8s --post-renderer rewrite-images -o airgap-values.yaml
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
    project = load_project(config)
    destination = _Destination(Path(output) if output else None, in_place, diff, check, dry_run, force)
    if revert:
        if post_renderer:
            raise click.UsageError(tr("--revert makes no --post-renderer"))
        if to or policy or source:
            raise click.UsageError(tr("--revert goes by the record alone, without --to, --mapping and --from"))
        reverted_paths = paths or project.resources
        reverted = rewrite_log.revert_files(kube.load(reverted_paths, options.read_stdin), reverted_paths)
        _write_or_show([item.file for item in reverted], destination, recorded=False)
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
    rendered = is_rendered(resources, rendering)
    if rendered and (in_place or diff or check):
        raise UsageError(
            tr("a chart or a kustomization is not changed itself"), hint=tr("--output names what goes with it")
        )
    if post_renderer and not (rendered and is_chart(resources[0])):
        raise UsageError(tr("--post-renderer is for a chart, and PATH is none"))
    found_images = (
        None
        if rendered
        else find_images(resources, stdin=options.read_stdin, rules=project.rules, project_file=config or "")
    )
    with open_display("plain") as emit:
        if mapping is not None:
            locate, origin = lookup_by_mapping(mapping), "bundle"
        else:
            assert source is not None  # without --from there is a mapping
            locate, origin = lookup_by_file(source, project, to, policy, pin=pin, emit=emit)
        if found_images is None:
            pull = helm_options(project, ConnectionOptions())
            rewrite_rendered(
                resources[0], locate, output, rendering, post_renderer=post_renderer, pull=pull,
                keep_unknown=keep_unknown, origin=origin, force=force, dry_run=dry_run, emit=emit,
            )  # fmt: skip
            return
        found_images.emit_messages(emit)
        files = rewrite_files(
            found_images.files, locate, keep_unknown=keep_unknown, guesses=bool(source) or take_possible, origin=origin,
            emit=emit,
        )  # fmt: skip
    _write_or_show(files, destination)
    raise_all([*_left_error(files), *filter(None, [found_images.incomplete(strict=False)])])


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
            say(file_diff(file), lines=True, end="")
    elif destination.dry_run:
        _print_dry_run(files, destination)
    elif destination.in_place:
        replace_in_place(files, recorded=recorded)
        for file in files if recorded else ():
            if file.edits:
                note(
                    tr("rewrote {image_count} in {path}", image_count=counted(len(file.edits), "image"), path=file.path)
                )
    elif folder and _is_file_name(folder, files):
        with out.folder_for(folder.parent):
            out.check_free(folder.parent, [(folder.name, files[0].after)], force=destination.force)
            out.write_files(folder.parent, [(folder.name, files[0].after)])
        note(tr("wrote {folder}", folder=folder))
    elif folder:
        contents = [(file.name, file.after) for file in files]
        with out.folder_for(folder):
            out.check_free(folder, contents, force=destination.force)
            write_rewritten(folder, contents, files if recorded else ())
        note(tr("wrote {file_count} to {folder}", file_count=counted(len(files), "file"), folder=folder))
    elif len(files) == 1:
        write_bytes(files[0].after)
    else:
        raise _too_many_for_stdout(files)


def _print_dry_run(files: Sequence[RewrittenFile], destination: _Destination) -> None:
    """Print which files would be written and how much of each changes; raise the errors that writing would raise."""
    folder = destination.folder
    if destination.in_place:
        check_in_place(files)
    elif folder and _is_file_name(folder, files):
        out.check_free(folder.parent, [(folder.name, files[0].after)], force=destination.force)
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
            where = str(_path_in(folder, file, files)) if folder else tr("{path} to standard output", path=file.path)
        note(tr("would write {where}: {change_count}", where=where, change_count=counted(len(file.edits), "change")))
    total = sum(len(file.edits) for file in files)
    changed_files = sum(file.before != file.after for file in files)
    note(
        tr(
            "{change_count} in {file_count}; nothing was written",
            change_count=counted(total, "change"),
            file_count=counted(changed_files, "file"),
        )
    )


def _is_file_name(path: Path, files: Sequence[RewrittenFile]) -> bool:
    """Whether ``--output`` names a file: it ends as one of YAML or JSON and is no folder. The log is for folders.

    Raises :class:`UsageError` if that is to hold several files.
    """
    if path.suffix.lower() not in (".yaml", ".yml", ".json") or path.is_dir():
        return False
    if len(files) > 1:
        raise UsageError(
            tr("{files_count} files do not fit into one", files_count=len(files)),
            where=str(path),
            hint=tr("--output names a folder"),
        )
    return True


def _path_in(folder: Path, file: RewrittenFile, files: Sequence[RewrittenFile]) -> Path:
    return folder if _is_file_name(folder, files) else folder / file.name


def _too_many_for_stdout(files: Sequence[RewrittenFile]) -> UsageError:
    return UsageError(
        tr("{files_count} files do not fit on standard output", files_count=len(files)),
        hint=tr("add --output DIR, --in-place, --diff or --check"),
    )


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


def _check(files: Sequence[RewrittenFile]) -> None:
    """Raise :class:`WouldChange` if a file would change."""
    changed_files = [file for file in files if file.before != file.after]
    if changed_files:
        count = sum(len(file.edits) for file in changed_files)
        names = ", ".join(file.path for file in changed_files)
        raise WouldChange(
            tr(
                "{image_count} in {file_count} would change: {names}",
                image_count=counted(count, "image"),
                file_count=counted(len(changed_files), "file"),
                names=names,
            ),
            hint=tr("--diff shows them, --in-place rewrites them"),
        )
