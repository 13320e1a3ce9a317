# SPDX-License-Identifier: Apache-2.0
"""The world of a soak: registries that are processes over folders, and a working folder with all that commands need."""

from __future__ import annotations

import hashlib
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.store import ImageLayout
from tests.cli.command import TRACEBACK, Airgap, pod, settings
from tests.parts.faulty_line import CLOSE, RESET, STALL, Ending, FaultyLine, faulty_line
from tests.parts.images import OCI_LAYER_PLAIN, Images
from tests.parts.need import need
from tests.parts.service import accepts, free_port
from tests.parts.waiting import wait_until

#: The registries by what they are called in commands: pulled from, pushed to, migrated to.
SOURCE, TARGET, COPY = "quay.io", "nexus.corp:8083", "new.corp:5000"
#: Rewrites the resource files.
REWRITE = ("rewrite", "k", "--to", f"{TARGET}/p", "--mapping", "path", "--in-place")
#: Exports in each form.
EXPORTS = (
    ("export", "k", "-o", "b.tar"),
    ("export", "k", "-o", "b.tar.zst"),
    ("export", "k", "-o", "b.tar", "--volume-size", "3MiB"),
)
NAMES = ("a/large:1", "a/small:1", "b/small:1", "b/two:1")

#: What commands keep on purpose: how far migrations are, and what was done.
_KEPT_STATE = ("migrate-", "history.jsonl")


class RegistryProcess:
    """``airgap serve`` over a layout folder, on a port that stays the same however often it is killed."""

    def __init__(self, airgap: Airgap, folder: Path) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{free_port()}"
        self._airgap = airgap
        self._log = folder.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it, perhaps with a fault, and wait until it listens or has ended by that fault."""
        command = self._airgap.command("serve", self.folder, "--writable", "--listen", self.address)
        with self._log.open("ab") as log:
            self._process = process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, cwd=self._airgap.folder,
                env=self._airgap.whole_environment(environment),
            )  # fmt: skip
        port = int(self.address.rpartition(":")[2])
        wait_until(lambda: process.poll() is not None or accepts(port), every=0.02)
        assert environment or process.poll() is None, self._log.read_text()[-2000:]

    def kill(self) -> None:
        """SIGKILL. Nothing that it said was a traceback."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        said = self._log.read_text(errors="replace")
        assert not TRACEBACK.search(said), said

    def restart(self, environment: Mapping[str, str] | None = None) -> None:
        self.kill()
        self.start(environment)

    def empty(self) -> None:
        """Begin anew with nothing."""
        self.kill()
        shutil.rmtree(self.folder)
        self.start()

    def interrupt(self) -> None:
        """SIGTERM, and wait for its end."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)

    def check(self, images: Images, roots: Mapping[str, Descriptor]) -> None:
        """It holds these images and nothing else by name; each of its blobs is what its name says, and no file is left
        that is no blob once it has begun anew."""
        self.restart()
        layout = ImageLayout(self.folder)
        named = {name: found.digest for name, found in layout.names().items() if "@" not in name}
        assert named == {name: root.digest for name, root in roots.items()}
        for root in roots.values():
            for needed in images.needed(root):
                assert layout.exists(needed), f"{self.folder.name} lacks {needed.digest}"
        for path in (self.folder / "blobs").rglob("*"):
            if path.is_file():
                assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name, path
        strays = {path.name for path in self.folder.iterdir()} - {"blobs", "index.json", "oci-layout", ".lock"}
        assert not strays, strays


class World:
    """``chance`` decides what the images are.

    ``bundles`` are the files that each form of export must make, and ``rewritten`` what becomes of the resource files.
    ``durations`` are the seconds that commands take in peace. ``broken`` counts the commands that did not get through,
    and the registries that were killed.
    """

    def __init__(self, folder: Path, chance: random.Random, servers: ExitStack) -> None:
        work, home, self.temporary = folder / "work", folder / "home", folder / "temporary"
        for made in (work, home, self.temporary):
            made.mkdir(parents=True)
        self.airgap = Airgap(work, home, {"TMPDIR": str(self.temporary)})
        self.shim = build_shim(folder)
        self.images = Images(chance.randrange(1 << 30))
        self.roots = self._make_images(chance)
        layout = ImageLayout.create(folder / "source")
        self.images.push_to(layout, self.roots)
        self.registries = {
            name: RegistryProcess(self.airgap, folder / kind)
            for name, kind in ((SOURCE, "source"), (TARGET, "target"), (COPY, "copy"))
        }
        for registry in self.registries.values():
            servers.callback(registry.kill)
        self.resources = {f"k/{name.replace('/', '-')[:-2]}.yaml": pod(f"{SOURCE}/{name}").encode() for name in NAMES}
        self.broken = 0
        self.durations: dict[tuple[str, ...], float] = {}
        self.bundles: dict[tuple[str, ...], dict[str, str]] = {}
        self.reach()
        self._make_expected()

    def _make_images(self, chance: random.Random) -> dict[str, Descriptor]:
        def layers(*sizes: int) -> Descriptor:
            return self.images.image(
                layers=[self.images.layer(size=size, media_type=OCI_LAYER_PLAIN) for size in sizes]
            )

        large = layers(chance.randrange(4_000_000, 12_000_000), chance.randrange(200_000, 2_000_000))
        small = [layers(*(chance.randrange(100, 300_000) for _ in range(3))) for _ in range(2)]
        return dict(zip(NAMES, (large, *small, self.images.two_platforms(size=50_000)), strict=True))

    def _make_expected(self) -> None:
        for name, content in self.resources.items():
            self.airgap.write(name, content)
        for export in EXPORTS:
            self.run(export)
            self.bundles[export] = self.made_bundles()
            if export == EXPORTS[0]:
                self.path("b.tar").rename(self.path("whole.tar"))
            self.clean()
        self.run(REWRITE)
        self.rewritten = {name: self.path(name).read_bytes() for name in self.resources}
        self.airgap.run("rewrite", "k", "--revert", "--in-place")
        self.clean()

    def run(self, command: tuple[str, ...]) -> None:
        """Run a command in peace."""
        begun = time.monotonic()
        self.airgap.run(*command, timeout=150)
        self.durations.setdefault(command, time.monotonic() - begun)

    def made_bundles(self) -> dict[str, str]:
        """The digests of what exports made, by name."""
        return {path.name: digests.of(path.read_bytes()) for path in self.airgap.folder.glob("b.tar*")}

    def path(self, name: str) -> Path:
        """A path in the working folder."""
        return self.airgap.folder / name

    def reach(self, lines: Mapping[str, str] | None = None) -> None:
        """Write an ``airgap.yaml`` by which registries are reached at the addresses in ``lines``, else at their own."""
        urls = {name: f"http://{(lines or {}).get(name, one.address)}" for name, one in self.registries.items()}
        self.airgap.write(
            "airgap.yaml",
            settings({name: {"mirror" if name == SOURCE else "endpoint": url} for name, url in urls.items()}),
        )

    @contextmanager
    def lines(self, limit: int, ending: Ending) -> Iterator[list[FaultyLine]]:
        """Reach all registries over lines that break after ``limit`` bytes of each connection."""
        with ExitStack() as stack:
            lines = {
                name: stack.enter_context(faulty_line(one.address, limit=limit, ending=ending))
                for name, one in self.registries.items()
            }
            self.reach({name: line.address for name, line in lines.items()})
            try:
                yield list(lines.values())
            finally:
                self.reach()

    def clean(self) -> None:
        """What each round begins with: the resource files, a bundle to import, and empty registries to push to."""
        for path in self.airgap.folder.iterdir():
            if path.name not in ("airgap.yaml", "whole.tar", "k"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(self.path("k"))
        for name, content in self.resources.items():
            self.airgap.write(name, content)

    def check_files(self, *made: str) -> None:
        """The working folder holds what it should and what was ``made``; nothing is left in the folders of state and of
        temporary files."""
        found = {path.name for path in self.airgap.folder.iterdir()}
        assert found == {"airgap.yaml", "whole.tar", "k", *made}, found
        assert {path.name for path in self.temporary.iterdir()} == set()
        state = [path for path in (self.airgap.home / ".local").rglob("*") if path.is_file()]
        assert not [path for path in state if not path.name.startswith(_KEPT_STATE)], state


@contextmanager
def world(folder: Path, chance: random.Random) -> Iterator[World]:
    """A world in ``folder``; its processes end with the block."""
    with ExitStack() as servers:
        yield World(folder, chance, servers)


def build_shim(folder: Path) -> Path:
    """Compile ``shim.c`` into ``folder``. Skips the test where there is no compiler."""
    source = Path(__file__).with_name("shim.c")
    made = folder / "shim.so"
    flags = ["-shared", "-fPIC", "-D_FILE_OFFSET_BITS=64", "-D_LARGEFILE64_SOURCE", "-Wall", "-Werror"]
    subprocess.run([need("gcc"), *flags, "-o", str(made), str(source), "-ldl"], check=True)
    return made


ENDINGS: tuple[Ending, ...] = (RESET, CLOSE, STALL)
