# SPDX-License-Identifier: Apache-2.0
"""Three releases of a platform and three sites at other versions: each gets the newest by the cheapest files.

What is cheapest is found by trying every set of files. tests/flows/test_import_release.py does so for one site.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, combinations
from pathlib import Path

import pytest

from airgap.formatting import human
from airgap.release import read_release
from tests.cli.command import Airgap, Registry
from tests.flows.release_folders import make_release
from tests.flows.releases import TARGET, Far, Platform, whole
from tests.flows.test_differential import ours

NAMES = ["team/web", "team/api", "team/db"]


class Sites:
    """The releases, in one working folder, and sites that each have a folder and a history of their own."""

    def __init__(self, platform: Platform, work: Path, *, more: tuple[str, ...], scale: int) -> None:
        self.platform = platform
        self.work = work
        layer = platform.layer
        base, runtime, api = (layer(size * scale) for size in (400_000, 250_000, 90_000))
        newer = layer(95_000 * scale)
        content = {
            "1": [[base, layer(60_000 * scale)], [base, api], [base, runtime, layer(30_000 * scale)]],
            "2": [[base, layer(61_000 * scale)], [base, newer], [base, runtime, layer(31_000 * scale)]],
            "3": [[base, layer(62_000 * scale)], [base, newer], [base, runtime, layer(32_000 * scale)]],
        }
        for version, layers in content.items():
            platform.offer(dict(zip(NAMES, layers, strict=True)), version)
            make_release(platform, version, NAMES, more=more)

    def bring(self, site: Path, far: Far, folder: Path, *more: str, code: int | None = 0) -> tuple[int, str]:
        airgap = Airgap(site, site / "home")
        airgap.home.mkdir(exist_ok=True)
        done = airgap.run("import", folder, "--to", TARGET, "--via", far.url, *more, code=code)
        return done.code, done.stderr

    def folder(self, version: str) -> Path:
        return self.work / f"platform-{version}"

    def carried(self, site: Path, version: str, names: Collection[str]) -> Path:
        """A folder with the small files of a release and those of ``names``."""
        there = site / "carried"
        shutil.rmtree(there, ignore_errors=True)
        there.mkdir()
        release = read_release(self.folder(version))
        parts = {name for bundle in release.bundles for name in (*bundle.files, *bundle.parity)}
        for path in self.folder(version).iterdir():
            if path.name not in parts or path.name in names:
                (there / path.name).hardlink_to(path)
        return there

    def cheapest(self, site: Path, far: Far, version: str) -> int:
        """The bytes of the cheapest set of files with which an import would succeed, by trying them all."""
        release = read_release(self.folder(version))
        sizes = {file.name: file.size for file in release.files if file.role == "bundle"}
        sets = chain.from_iterable(combinations(sizes, count) for count in range(1, len(sizes) + 1))
        for names in sorted(sets, key=lambda names: sum(sizes[name] for name in names)):
            code, _ = self.bring(site, far, self.carried(site, version, names), "--dry-run", code=None)
            if code == 0:
                return sum(sizes[name] for name in names)
            assert code == 32
        raise AssertionError("no set of files is enough")

    def check(self, far: Far, version: str) -> None:
        for name in NAMES:
            root = self.platform.registry.store.resolve(f"{name}:{version}")
            whole(far, self.platform.images, f"p/{name.rpartition('/')[2]}", version, root)


@contextmanager
def releases(airgap: Airgap, *, more: tuple[str, ...] = (), scale: int = 1) -> Iterator[Sites]:
    with Registry() as registry:
        yield Sites(Platform(airgap, registry), airgap.folder, more=more, scale=scale)


def bring_to_newest(made: Sites, site: Path, far: Far, has: str) -> tuple[int, int]:
    """Bring a site that has the release ``has`` (none if empty) to 3 by what it asks for; return the bytes of that,
    and of the full bundle."""
    site.mkdir()
    if has:
        made.bring(site, far, made.folder(has))
    expected = made.cheapest(site, far, "3")
    release = read_release(made.folder("3"))
    sizes = {file.name: file.size for file in release.files if file.role == "bundle"}
    _, said = made.bring(site, far, made.carried(site, "3", ()), "--dry-run", code=32)
    named = {line.split()[2] for line in said.splitlines() if line.startswith("to bring: ")}
    assert sum(sizes[name] for name in named) == expected
    made.bring(site, far, made.carried(site, "3", named))
    made.check(far, "3")
    return expected, release.full.size


@pytest.mark.long
def test_a_site_gets_the_newest_release_by_the_cheapest_files(airgap: Airgap, tmp_path: Path) -> None:
    with releases(airgap) as made, ours() as far:
        carried, full = bring_to_newest(made, tmp_path / "site", far, "2")
        assert carried < full / 3


@pytest.mark.long
def test_three_sites_in_volumes_and_back(airgap: Airgap, tmp_path: Path) -> None:
    with releases(airgap, more=("--volume-size", "2MiB", "--parity", "1"), scale=8) as made, ExitStack() as stack:
        sites = {has: (tmp_path / f"site{has}", stack.enter_context(ours())) for has in ("", "1", "2")}
        for has, (site, far) in sites.items():
            carried, full = bring_to_newest(made, site, far, has)
            print(f"a site with {has or 'nothing'}: {human(carried)} of {human(full)}")
            assert carried < full if has else carried == full
        for has, (site, far) in sites.items():
            far.requests()
            if has:
                made.bring(site, far, made.folder(has))
                assert [line for line in far.changed() if "/blobs/" in line] == []
                made.check(far, has)
            made.check(far, "3")
