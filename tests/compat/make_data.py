# SPDX-License-Identifier: Apache-2.0
"""Make the data of an earlier version by running its command line against embedded registries.

    git worktree add /tmp/0.1.0 614fed3
    .venv/bin/python -m tests.compat.make_data /tmp/0.1.0

The names of files of state come from names of targets, not from the ports that happened to be free, and ports in
their content are replaced by those that ``inputs.STAND_INS`` has. So a second run writes the same files, except for
the order of lines in journals and the name of an upload session.
"""

from __future__ import annotations

import io
import json
import lzma
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cli.command import Airgap, Registry
from tests.compat import inputs
from tests.compat.inputs import DATA, LARGE_IMAGES, NEW, OLD, STAND_INS, TARGET, UNFINISHED
from tests.parts.faulty_line import STALL, faulty_line
from tests.parts.waiting import wait_until

MIB = 1 << 20
#: An upload session's name in a journal.
SESSION = re.compile(r"(?<=/blobs/uploads/)[^\"/?]+")


@dataclass
class OldAirgap(Airgap):
    """The command line of another source tree."""

    tree: Path = Path()

    def whole_environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**super().whole_environment(more), "PYTHONPATH": str(self.tree)}


def main(tree: Path) -> None:
    for entry in DATA.iterdir():
        if entry.name != "airgap.yaml":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for make in (releases, unfinished, session, migration, sums):
        with tempfile.TemporaryDirectory() as folder:
            make(_airgap(tree, Path(folder)))
    print(f"{sum(path.stat().st_size for path in DATA.rglob('*') if path.is_file()):,} bytes in {DATA}")


def releases(airgap: Airgap) -> None:
    """Bundles in every form, their lock and receipt, an inventory, and files rewritten to a folder and in place."""
    with Registry() as quay, Registry() as nexus:
        inputs.fill(quay, inputs.releases())
        inputs.release_files(airgap, quay.url, nexus.url, 1)
        airgap.run("export", "-o", "1.tar", "--lock", "1.lock")
        airgap.run("import", "1.tar", "--output", "imported", "--receipt", "1.receipt.json")
        airgap.run("inventory", f"http://{TARGET}", "-o", "held.json")
        airgap.run("rewrite", "deploy", "--from", "1.receipt.json", "--output", "rewritten")
        airgap.run("rewrite", "rewritten/a.yaml", "--to", "second.example/longer", "--in-place")
        shutil.copytree(airgap.folder / "deploy", airgap.folder / "original")
        inputs.release_files(airgap, quay.url, nexus.url, 2)
        airgap.run("export", "-o", "2.tar", "--lock", "2.lock")
        airgap.run("export", "-o", "2.tar.zst", "--lock", "2.lock")
        airgap.run("export", "-o", "2-on-1.tar", "--lock", "2-on-1.lock", "--base", "1.receipt.json")
    _keep(airgap, "1.tar", "1.lock", "1.receipt.json", "held.json", "original", "rewritten")
    _keep(airgap, "2.tar", "2.tar.zst", "2.lock", "2-on-1.tar", "2-on-1.lock")


def unfinished(airgap: Airgap) -> None:
    """A killed export of each form, inside its largest layer. Finished ones: the volumes, and sums of all."""
    expected: dict[str, dict[str, str]] = {}
    with Registry() as quay:
        inputs.fill(quay, inputs.large())
        for name, form in UNFINISHED.items():
            folder = airgap.folder / name
            folder.mkdir()
            one = _airgap(airgap.tree, airgap.folder, folder)
            one.write("airgap.yaml", inputs.mirrors(quay.url))
            one.run("export", *LARGE_IMAGES, "-o", *form)
            expected[name] = inputs.sums_of(folder, form[0])
            finished = airgap.folder / "finished" / name
            finished.mkdir(parents=True)
            for path in folder.glob("b.tar*"):
                path.rename(finished / path.name)
            with faulty_line(quay.address, limit=12 * MIB, ending=STALL) as line:
                one.write("airgap.yaml", inputs.mirrors(line.url))
                process = one.started("export", *LARGE_IMAGES, "-o", *form)
                assert line.stalled.wait(60), "the old version did not come so far"
                journal = folder / f"{form[0]}.journal"
                wait_until(lambda: b'"at"' in journal.read_bytes())  # noqa: B023 - called here
                process.kill()
                process.communicate()
    kept = [*airgap.folder.glob("*/b.tar*"), *airgap.folder.glob("finished/volumes/*")]
    _pack(airgap.folder, kept, DATA / "large.tar.xz")
    _write_json("large.json", {"zstd": inputs.ZSTD, "sums": expected})


def session(airgap: Airgap) -> None:
    """The state of an import that was killed inside a layer."""
    with Registry() as quay, Registry() as nexus, faulty_line(nexus.address) as line:
        inputs.fill(quay, inputs.large())
        airgap.write("airgap.yaml", inputs.mirrors(quay.url))
        airgap.run("export", *LARGE_IMAGES, "-o", "b.tar")
        line.stall_after = 12 * MIB
        command = ("import", "b.tar", "--to", f"http://{TARGET}", "--via", line.url, "--jobs", "1", "--state", "state")
        process = airgap.started(*command)
        assert line.stalled.wait(60), "the old version did not come so far"
        process.kill()
        process.communicate()
        line.release()
        (journal,) = (airgap.folder / "state").iterdir()
        text = journal.read_text().replace(line.url, STAND_INS[1])
        journal.write_text(SESSION.sub("SESSION", text))
    _keep(airgap, f"state/{journal.name}")


def migration(airgap: Airgap) -> None:
    """The state of a whole migration."""
    with Registry() as old, Registry() as new:
        inputs.fill(old, inputs.releases())
        airgap.write("airgap.yaml", inputs.sides(old.url, new.url))
        airgap.run("migrate", OLD, NEW, "--state", "state")
    (journal,) = (airgap.folder / "state").glob("migrate-*.jsonl")
    _keep(airgap, f"state/{journal.name}")


def sums(airgap: Airgap) -> None:
    """What exports of the sample files write, as sums."""
    made: dict[str, dict[str, str]] = {}
    with Registry() as registry:
        inputs.fill(registry, inputs.samples())
        inputs.write_samples(airgap, registry.url)
        for name, arguments in inputs.SUMS.items():
            airgap.run("export", *arguments)
            made[name] = inputs.sums_of(airgap.folder, arguments[-1])
    _write_json("sums.json", {"zstd": inputs.ZSTD, "inputs": inputs.inputs_sum(), "sums": made})


def _airgap(tree: Path, home: Path, folder: Path | None = None) -> OldAirgap:
    return OldAirgap(folder or home, home, fresh=True, tree=tree)


def _keep(airgap: Airgap, *names: str) -> None:
    for name in names:
        source, place = airgap.folder / name, DATA / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, place) if source.is_dir() else shutil.copyfile(source, place)


def _pack(folder: Path, paths: Iterable[Path], archive: Path) -> None:
    """Files that are large and repeat themselves, in one small archive."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(paths):
            member = tarfile.TarInfo(str(path.relative_to(folder)))
            member.size = path.stat().st_size
            with path.open("rb") as file:
                tar.addfile(member, file)
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 64 * MIB}]
    archive.write_bytes(lzma.compress(made.getvalue(), filters=filters))


def _write_json(name: str, document: object) -> None:
    (DATA / name).write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
