# SPDX-License-Identifier: Apache-2.0
"""``airgap rewrite``."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from airgap import kube
from airgap.cli import options
from airgap.cli.formatting import rendered as charts
from airgap.cli.progress.display import display
from airgap.config import airgap_yaml as project
from airgap.config.connections import Network, helm_options, target_of
from airgap.durable import output as out
from airgap.errors import UsageError, WouldChange
from airgap.events import Warned
from airgap.flows.images import find
from airgap.flows.steps.image_lookup import by_mapping, known_by
from airgap.formatting import counted
from airgap.kube.render.programs import Rendering
from airgap.kube.rewrite import log as rewrite_log
from airgap.kube.rewrite.file_set import RewrittenFile, rewrite_files
from airgap.kube.rewrite.output import check_in_place, replace_in_place, write_rewritten


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
@options.chart
@options.force
@options.config
def command(
    paths: tuple[str, ...],
    to: str | None,
    mapping: str | None,
    source: str | None,
    keep_unknown: bool,
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
    if pin and not source:
        raise click.UsageError("--pin goes with --from: only that says which digests were carried")
    read = project.load(config)
    if revert:
        if to or mapping or source:
            raise click.UsageError("--revert goes by the record alone, without --to, --mapping and --from")
        given = paths or read.resources
        reverted = rewrite_log.revert_files(kube.load(given, options.stdin_bytes), given)
        _put([item.file for item in reverted], output, in_place, diff, check, dry_run, force, recorded=False)
        if in_place and not dry_run:
            rewrite_log.remove_reverted(reverted)
        return
    goal = None if source else target_of(read, to, mapping)
    resources = paths or read.resources
    rendered = charts.is_rendered(resources, rendering)
    if rendered and (in_place or diff or check):
        raise UsageError("a chart or a kustomization is not changed itself", hint="--output names what goes with it")
    found = None if rendered else find(resources, stdin=options.stdin_bytes, rules=read.rules)
    with display("plain") as emit:
        origin = "bundle"
        if goal is not None:
            locate = by_mapping(goal)
        else:
            assert source is not None  # else there is a goal
            locate, origin = known_by(source, read, to, mapping, pin=pin, emit=emit)
        if found is None:
            pull = helm_options(read, Network())
            charts.rewrite(
                resources[0], locate, output, rendering, pull=pull, keep_unknown=keep_unknown, origin=origin,
                force=force, dry_run=dry_run, emit=emit,
            )  # fmt: skip
            return
        for place in found.warnings():
            emit(Warned(place))
        files = rewrite_files(
            found.files, locate, keep_unknown=keep_unknown, guesses=bool(source), origin=origin, emit=emit
        )
    _put(files, output, in_place, diff, check, dry_run, force)


def _put(
    files: Sequence[RewrittenFile],
    output: str | None,
    in_place: bool,
    diff: bool,
    check: bool,
    dry_run: bool,
    force: bool,
    *,
    recorded: bool = True,
) -> None:
    """Write, print or only tell, as was asked."""
    if check:
        _check(files)
    elif diff:
        for file in files:
            click.echo(diff_of(file), nl=False)
    elif dry_run:
        _tell(files, output, in_place, force)
    elif in_place:
        replace_in_place(files, recorded=recorded)
        for file in files:
            if file.edits:
                click.echo(f"rewrote {counted(len(file.edits), 'image')} in {file.path}", err=True)
    elif output:
        folder = Path(output)
        contents = [(file.name, file.after) for file in files]
        with out.folder_for(folder):
            out.check_free(folder, contents, force=force)
            write_rewritten(folder, contents, files if recorded else ())
        click.echo(f"wrote {counted(len(files), 'file')} to {folder}", err=True)
    elif len(files) == 1:
        sys.stdout.buffer.write(files[0].after)
    else:
        raise _several(files)


def _tell(files: Sequence[RewrittenFile], output: str | None, in_place: bool, force: bool) -> None:
    """What would be written and how much of it changes; refuses what the writing itself would refuse first."""
    if in_place:
        check_in_place(files)
    elif output:
        out.check_free(Path(output), [(file.name, file.after) for file in files], force=force)
    elif len(files) > 1:
        raise _several(files)
    for file in files:
        count = counted(len(file.edits), "change")
        if in_place and file.before == file.after:
            continue
        place = (
            file.path if in_place else str(Path(output) / file.name) if output else f"{file.path} to standard output"
        )
        click.echo(f"would write {place}: {count}", err=True)
    total = sum(len(file.edits) for file in files)
    changing = sum(file.before != file.after for file in files)
    click.echo(f"{counted(total, 'change')} in {counted(changing, 'file')}; nothing was written", err=True)


def _several(files: Sequence[RewrittenFile]) -> UsageError:
    return UsageError(
        f"{len(files)} files do not fit on standard output", hint="add --output DIR, --in-place, --diff or --check"
    )


def _check(files: Sequence[RewrittenFile]) -> None:
    changing = [file for file in files if file.before != file.after]
    if changing:
        count = sum(len(file.edits) for file in changing)
        names = ", ".join(file.path for file in changing)
        raise WouldChange(
            f"{counted(count, 'image')} in {counted(len(changing), 'file')} would change: {names}",
            hint="--diff shows them, --in-place rewrites them",
        )


def diff_of(file: RewrittenFile) -> str:
    """A unified diff as ``patch`` takes it."""
    name = file.path.lstrip("/") if file.path != "-" else file.name
    before, after = (text.decode("utf-8", "replace").splitlines(keepends=True) for text in (file.before, file.after))
    lines = difflib.unified_diff(before, after, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
