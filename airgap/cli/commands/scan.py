# SPDX-License-Identifier: Apache-2.0
"""``airgap scan``."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airgap.cli import options
from airgap.cli.printing import Styled, say, say_json
from airgap.cli.progress.display import open_display
from airgap.cli.seal_options import identity, unsealer
from airgap.config.state import state_folder
from airgap.durable import output
from airgap.durable.files import replacing
from airgap.errors import BundleError, ScanFailure, UsageError
from airgap.events import Noted
from airgap.formatting import counted, human
from airgap.i18n import tr
from airgap.transfer import CancelToken, Context, Jobs

if TYPE_CHECKING:
    from airgap.bundle import BundleReader
    from airgap.dossier.scanning.engine import Engine, EngineIdentity
    from airgap.dossier.scanning.result import ScannedFile, ScanResult

_DEFAULT_OUTPUT = "scan.json"


@click.command("scan")
@click.argument("bundles", nargs=-1, required=True, metavar="BUNDLE...")
@click.option(
    "--clamd",
    metavar="SOCKET",
    help=tr("Scan by clamd: the path of its socket, or HOST:PORT. Its limits are measured."),
)
@click.option(
    "--command",
    "line",
    metavar="'PROGRAM {}'",
    help=tr(
        "Scan by a program: {} is the file's path; a command that ends in - gets the file on standard input. Exit "
        "code 1 is a finding, any other but 0 a failure."
    ),
)
@click.option(
    "--database",
    metavar="TEXT",
    help=tr("Version or date of the signatures, where the engine does not tell it: verdicts are kept for it."),
)
@click.option(
    "-o", "--output", "result_file", metavar="FILE", default=_DEFAULT_OUTPUT, show_default=True,
    help=tr("The result."),
)  # fmt: skip
@click.option("--files", "listing", metavar="FILE", help=tr("Also write the verdict on each file, one JSON line each."))
@click.option("--state", metavar="DIR", help=tr("Where verdicts are kept. [default: $XDG_STATE_HOME/airgap]"))
@identity
@options.as_json
@options.force
@options.dry_run
@options.jobs
@options.progress
def command(
    bundles: tuple[str, ...],
    clamd: str | None,
    line: str | None,
    database: str | None,
    result_file: str,
    listing: str | None,
    state: str | None,
    identities: tuple[str, ...],
    as_json: bool,
    force: bool,
    dry_run: bool,
    jobs: int | None,
    progress: str,
) -> None:
    """Scan everything in a bundle for malware, file by file.

    Layers, packages and charts are unpacked as streams, and archives in them too; every file is given to the engine,
    also those that a later layer deletes. What was found and what could not be scanned (too large for the engine,
    encrypted, damaged, too deep) is listed, and ends the command with exit code 44. scan.json holds the result and
    names the bundle. What an earlier scan with the same signatures has found clean is not scanned again.

    \b
    airgap scan bundle.tar --clamd /run/clamav/clamd.ctl
    airgap scan bundle.tar --command 'clamscan --no-summary {}' --database 27500
    airgap scan bundle.tar --command 'my-scanner -' -o monday.json
    """
    if bool(clamd) == bool(line):
        raise UsageError(tr("which engine? give either --clamd or --command"), hint="airgap scan --help")
    if state is not None and not state:
        raise UsageError(tr("--state names no folder"))
    from airgap.dossier.scanning.verdicts import Verdicts
    from airgap.flows.scan import scan

    with (
        options.open_bundle(bundles, False, unsealer(identities)) as bundle,
        open_display(progress) as emit,
        contextlib.ExitStack() as stack,
    ):
        _check_output(Path(result_file), bundle, force=force or dry_run)
        if listing:
            output.check_place(Path(listing), force=force or dry_run, option="--files")
        engine, engine_identity = _engine(clamd, line, database or "")
        emit(Noted(_described(engine_identity)))
        if dry_run:
            inventory = bundle.inventory
            size = human(sum(blob.size for blob in inventory.blobs))
            say(tr("{blobs} of {size} would be scanned", blobs=counted(len(inventory.blobs), "blob"), size=size))
            return
        folder = Path(state) if state else state_folder(os.environ)
        verdicts = stack.enter_context(Verdicts(folder, engine_identity.key))
        if not engine_identity.key:
            emit(Noted(tr("the engine does not tell its database, so that no verdict is kept; --database names it")))
        file = stack.enter_context(replacing(Path(listing))) if listing else None
        result = scan(
            bundle, engine, engine_identity, verdicts, Context(Jobs.of(jobs), emit, CancelToken(engine.abort)), file
        )
        output.write_files(Path(result_file).parent, [(Path(result_file).name, result.to_bytes())])
    _report(result, result_file, bundles[0], as_json=as_json)


def _engine(clamd: str | None, line: str | None, database: str) -> tuple[Engine, EngineIdentity]:
    """Return the engine, and what it says of itself."""
    from airgap.dossier.scanning.engine import EngineIdentity

    engine: Engine
    if clamd:
        from airgap.dossier.scanning.clamd import Clamd
        from airgap.dossier.scanning.measured import MeasuredClamd

        engine = MeasuredClamd(Clamd(clamd))
    else:
        from airgap.dossier.scanning.command import Command

        engine = Command(line or "")
    told = engine.identify()
    return engine, EngineIdentity(told.name, database or told.database, told.date)


def _check_output(path: Path, bundle: BundleReader, *, force: bool) -> None:
    """Raise :class:`airgap.errors.OutputError` if the result cannot be written. That of the same bundle is replaced."""
    from airgap.dossier.scanning.result import read_scan

    with contextlib.suppress(BundleError, UsageError):
        force = force or read_scan(path).bundle == bundle.id
    output.check_place(path, force=force)


def _described(engine: EngineIdentity) -> str:
    parts = [engine.name]
    parts += [tr("database {database}", database=engine.database)] if engine.database else []
    parts += [engine.date] if engine.date else []
    return tr("engine: {engine}", engine=", ".join(parts))


def _report(result: ScanResult, result_file: str, bundle: str, *, as_json: bool) -> None:
    """Print the result; raise :class:`ScanFailure` unless all is clean."""
    if as_json:
        say_json(result.to_json())
    else:
        for entry in result.found:
            say(Styled(tr("found {signature}", signature=entry.what), "red"), f": {_place(entry, result)}")
        for entry in result.not_scanned:
            say(Styled(tr("not scanned"), "yellow"), f": {_place(entry, result)}: {entry.what}")
        say(
            tr(
                "{files} ({size}) scanned, {reused} of them in an earlier scan; {result_file}",
                files=counted(result.files, "file"), size=human(result.size), reused=result.reused,
                result_file=result_file,
            )
        )  # fmt: skip
    if not result.clean:
        raise ScanFailure(
            tr(
                "{found} with a finding, {not_scanned} not scanned",
                found=counted(result.findings, "file"), not_scanned=counted(result.omissions, "file"),
            ),
            where=bundle,
            hint=tr("{result_file} lists them", result_file=result_file),
        )  # fmt: skip


def _place(entry: ScannedFile, result: ScanResult) -> str:
    """Return the path of a file, where it is, and what uses it."""
    path = entry.file or tr("the whole blob")
    users = result.users.get(entry.place, ())
    more = tr(" and {count} more", count=len(users) - 3) if len(users) > 3 else ""
    used = f", {', '.join(users[:3])}{more}" if users else ""
    return f"{path} ({entry.place[:19] if entry.place.startswith('sha256:') else entry.place}{used})"
