# SPDX-License-Identifier: Apache-2.0
"""``airgap repair``: makes lost and damaged volumes of a bundle again from the rest of them and their parity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from airgap.bundle.media.checksums import damaged_files
from airgap.bundle.parity import Assessment, assess, listed_volumes, make_parity, parity_set_of, restore
from airgap.durable import require_file
from airgap.errors import BundleError
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.records import Record
from airgap.transfer import Context


class Repaired(Record):
    """The volumes that were made again, and whether ``--dry-run`` only found them."""

    paths: Sequence[Path]
    blocks: int


class ParityState(Record):
    """What parity can do for a bundle: ``text`` says it; ``damaged`` names volumes, ``repairable`` if all come back."""

    text: str
    damaged: Sequence[str]
    repairable: bool


def repair(paths: Sequence[Path], folder: Path | None, context: Context, *, dry_run: bool = False) -> Repaired:
    """Restore what is lost or damaged in the set of ``paths``: in place, or as new files in ``folder``.

    Raises :class:`BundleError` if there are no parity volumes, or if too much is damaged.
    """
    observe = _observer(context)
    with parity_set_of(paths) as found:
        if found is not None:
            assessment = assess(found, observe)
            _refuse_lost(assessment)
            damaged = assessment.damaged
            blocks = sum(map(sum, assessment.bad))
            places = [found.paths[number] for number in damaged]
            if folder is not None:
                places = [folder / place.name for place in places]
            if damaged and not dry_run:
                places = restore(assessment, folder, observe)
            return Repaired(places, blocks)
    return _repair_without_record(paths[0], observe, dry_run=dry_run)


def _repair_without_record(path: Path, observe: Callable[[int], None], *, dry_run: bool) -> Repaired:
    """Make all parity volumes again if only they are lost: the checksums file still says how many there were."""
    listed = listed_volumes(path)
    if listed is None:
        if not path.exists():
            require_file(path)
        raise BundleError(
            tr("there are no parity volumes beside it"),
            where=str(path),
            hint=tr("put NAME.p001 … in its folder; airgap export --volume-size SIZE --parity N makes them"),
        )
    bundle, data, parity = listed
    bad = [path.name for path in data if not path.exists() or damaged_files([str(path)])]
    if bad:
        raise BundleError(
            tr("no parity volume can be used, and these are lost or damaged too: {names}", names=", ".join(bad)),
            where=str(path.parent),
            hint=tr("copy them once more from the other side"),
        )
    places = parity if dry_run else make_parity(bundle, data, len(parity), observe)
    return Repaired(places, 0)


def parity_state(paths: Sequence[Path], context: Context, *, verified: bool) -> ParityState | None:
    """Say whether the bundle's parity volumes would restore it, without writing; ``None`` if it has none.

    If every byte of the bundle was ``verified`` before, only the parity volumes are read.
    """
    with parity_set_of(paths) as found:
        if found is None:
            return None
        assessment = assess(found, _observer(context), data=not verified)
        damaged = assessment.damaged
        names = [found.parity_set.members[number].name for number in damaged]
        command = f"airgap repair {quoted(next((path for path in found.paths if path.exists()), found.paths[0]))}"
        if not damaged:
            count = len(found.parity_set.parity)
            text = tr("parity: all {count} volumes are whole; any {parity} of them may be lost",
                      count=len(found.parity_set.members), parity=count)  # fmt: skip
            return ParityState(text, (), True)
        if assessment.lost_stripes:
            again = assessment.names(assessment.to_make_again())
            text = tr("parity cannot restore all of it: copy or make {again} again, then: {command}",
                      again=again, command=command)  # fmt: skip
            return ParityState(text, names, False)
        text = tr("parity restores {names}: {command}", names=", ".join(names), command=command)
        return ParityState(text, names, True)


def _refuse_lost(assessment: Assessment) -> None:
    if lost := assessment.lost_stripes:
        again = assessment.to_make_again()
        raise BundleError(
            tr(
                "too much is lost: {names}; {stripes} of {all} stripes cannot be restored",
                names=assessment.names(assessment.damaged), stripes=len(lost),
                all=assessment.found.parity_set.stripes,
            ),
            where=str(assessment.found.paths[0].parent),
            hint=tr("copy or make {again} again; the rest is restored then", again=assessment.names(again)),
        )  # fmt: skip


def _observer(context: Context) -> Callable[[int], None]:
    def observe(_: int) -> None:
        context.cancel.check()

    return observe
