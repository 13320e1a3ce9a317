# SPDX-License-Identifier: Apache-2.0
"""Makes missing and damaged volumes again from the rest of their set."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from airgap.bundle.media.checksums import file_sha256
from airgap.bundle.media.file import create_partial, partial_path, reserve
from airgap.bundle.parity.assess import Assessment
from airgap.bundle.parity.encode import fill_record, hash_at, write_record
from airgap.bundle.parity.files import VolumeFiles
from airgap.bundle.parity.galois import coefficients, combination, inverted
from airgap.bundle.parity.geometry import BLOCK, HASH, ParitySet
from airgap.durable import publish, write_at, writing
from airgap.errors import BundleError
from airgap.i18n import tr
from airgap.system import sync_file


class _Output:
    """One volume that is made again: a new file with all blocks, or the old file, of which bad blocks are replaced."""

    def __init__(self, parity_set: ParitySet, number: int, path: Path, *, in_place: bool) -> None:
        self.number = number
        self.path = path
        self.in_place = in_place
        self._first = parity_set.blocks_at() if number >= len(parity_set.data) else 0
        self._size = parity_set.members[number].size
        with writing(path):
            self.fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC) if in_place else create_partial(path)
            os.ftruncate(self.fd, self._size if in_place else 0)
        if not in_place:
            reserve(self.fd, self._size, path)

    def write(self, stripe: int, block: bytes) -> None:
        """Write the block of a stripe."""
        with writing(self.path):
            write_at(self.fd, memoryview(block), self._first + stripe * BLOCK)

    def finish(self, sha256: str) -> None:
        """Sync the file, compare its checksum if it has one, and give a new one its name."""
        with writing(self.path):
            sync_file(self.fd)
            if sha256 and file_sha256(self.fd) != sha256:
                raise BundleError(
                    tr("the restored volume does not have the checksum of the first one"),
                    where=str(self.path),
                    hint=tr("copy all volumes once more: one was damaged while it was read"),
                )
            if not self.in_place:
                publish(self.fd, partial_path(self.path), self.path)


def restore(assessment: Assessment, folder: Path | None, observe: Callable[[int], None]) -> list[Path]:
    """Restore the damaged volumes and return their paths: in place, or as new files in ``folder``.

    ``observe`` is called with the bytes of each stripe that is worked on, and may raise. Raises
    :class:`BundleError` if a restored block is not what it was, :class:`airgap.errors.OutputError`.
    """
    found, parity_set = assessment.found, assessment.found.parity_set
    damaged = assessment.damaged
    with ExitStack() as stack:
        files = stack.enter_context(VolumeFiles.open(parity_set, found.paths))
        outputs = []
        for number in damaged:
            place = found.paths[number] if folder is None else folder / parity_set.members[number].name
            output = _Output(parity_set, number, place, in_place=folder is None and number in files.fds)
            stack.callback(os.close, output.fd)
            outputs.append(output)
        for stripe in range(parity_set.stripes):
            bad = [number for number in damaged if assessment.bad[number][stripe]]
            restored = _restored(assessment, files, stripe, bad) if bad else {}
            for output in outputs:
                if output.number in restored:
                    output.write(stripe, restored[output.number])
                elif not output.in_place:
                    output.write(stripe, files.block(output.number, stripe))
            observe(BLOCK)
        _write_records(assessment, outputs)
        for output in outputs:
            output.finish(parity_set.members[output.number].sha256)
    return [output.path for output in outputs]


def _restored(assessment: Assessment, files: VolumeFiles, stripe: int, bad: Sequence[int]) -> dict[int, bytes]:
    """The bad blocks of a stripe, by the number of their volume."""
    parity_set = assessment.found.parity_set
    count = len(parity_set.data)
    rows = coefficients(count, len(parity_set.parity))
    blocks = {number: files.block(number, stripe) for number in range(count) if number not in bad}
    lost = [number for number in bad if number < count]
    if lost:
        usable = [number for number in range(len(rows)) if count + number not in bad][: len(lost)]
        sums = [
            combination(
                [
                    (1, files.block(count + row, stripe)),
                    *((rows[row][number], block) for number, block in blocks.items()),
                ],
                BLOCK,
            )
            for row in usable
        ]
        matrix = inverted([[rows[row][number] for number in lost] for row in usable])
        for number, factors in zip(lost, matrix, strict=True):
            block = combination(zip(factors, sums, strict=True), BLOCK)
            blocks[number] = block[: parity_set.block_size(number, stripe)]
    restored = {number: blocks[number] for number in lost}
    for number in bad:
        if number >= count:
            row = rows[number - count]
            restored[number] = combination([(row[data], block) for data, block in blocks.items()], BLOCK)
    for number, block in restored.items():
        expected = assessment.found.expected(number, stripe)
        if expected is not None and hashlib.sha256(block).digest() != expected:
            raise BundleError(
                tr("block {stripe} of {name} cannot be restored: another block is damaged too", stripe=stripe,
                   name=parity_set.members[number].name),
                where=str(assessment.found.paths[number]),
                hint=tr("run it again: a volume changed while it was read"),
                again=True,
            )  # fmt: skip
    return restored


def _write_records(assessment: Assessment, outputs: Sequence[_Output]) -> None:
    """Write titles and records of the parity volumes that are made again, with the hashes that no copy had."""
    found, parity_set = assessment.found, assessment.found.parity_set
    parity_outputs = [output for output in outputs if output.number >= len(parity_set.data)]
    if not parity_outputs:
        return
    fill_record(parity_set, found.record)
    if not all(found.known):
        _hash_again(assessment, outputs)
    for output in parity_outputs:
        write_record(parity_set, output.number - len(parity_set.data), found.record, output.fd, output.path)


def _hash_again(assessment: Assessment, outputs: Sequence[_Output]) -> None:
    """Fill the unknown hashes of the record from the blocks, all of which are whole now."""
    found, parity_set = assessment.found, assessment.found.parity_set
    made = {output.number: output for output in outputs}
    with VolumeFiles.open(parity_set, found.paths) as files:
        files.fds.update({number: output.fd for number, output in made.items()})
        for number in range(len(parity_set.members)):
            for stripe in range(parity_set.stripes):
                if found.expected(number, stripe) is None:
                    place = hash_at(parity_set, number, stripe)
                    block = files.block(number, stripe)
                    found.record[place : place + HASH] = hashlib.sha256(block).digest()
