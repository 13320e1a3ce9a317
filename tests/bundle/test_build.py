# SPDX-License-Identifier: Apache-2.0
"""One bundle over several runs: the lock of its journal, and what a run that cannot begin leaves."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from airgap.bundle import OutputFormat, build_layout
from airgap.bundle.build import BundleBuild
from airgap.bundle.journal import ExportJournal, journal_path
from airgap.bundle.lockfile import Lockfile
from airgap.errors import OutputError
from airgap.events import ignore
from airgap.transfer import Context, Jobs, copy
from tests.bundle.bundles import usual


def open_build(path: Path, *, dry_run: bool = False) -> BundleBuild:
    return BundleBuild.open(OutputFormat(path), refresh=False, restart=False, dry_run=dry_run, emit=ignore)


def test_a_run_continues_what_an_earlier_one_left(tmp_path: Path) -> None:
    path = tmp_path / "b.tar"
    with open_build(path) as build:
        assert not build.resuming
        assert build.lockfile is None
    journal = ExportJournal.open(journal_path(path), create=True)
    assert journal is not None
    journal.begin(Lockfile(), "id", "tar")
    journal.close()
    with open_build(path) as build:
        assert build.resuming
        assert build.lockfile == Lockfile()


def test_two_runs_do_not_write_the_same_bundle(tmp_path: Path) -> None:
    path = tmp_path / "b.tar"
    journal = ExportJournal.open(journal_path(path), create=True)
    assert journal is not None
    journal.begin(Lockfile(), "id", "tar")
    with pytest.raises(OutputError, match="another airgap is writing this bundle"):
        open_build(path)
    with open_build(path, dry_run=True) as build:
        assert build.resuming
    journal.remove()


def test_nothing_is_left_where_the_journal_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, _ = usual().planned()
    inventory, layout = build_layout(plan)

    write, failures = os.pwrite, [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))]

    def full_once(fd: int, content: bytes, offset: int) -> int:
        if failures:
            raise failures.pop()
        return write(fd, content, offset)

    monkeypatch.setattr(os, "pwrite", full_once)
    open_files = len(os.listdir("/proc/self/fd"))
    with (
        open_build(tmp_path / "b.tar") as build,
        pytest.raises(OutputError, match="the disk is full"),
        build.writer(plan, inventory, layout, Lockfile()),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == open_files


def test_a_finished_bundle_needs_no_leftovers(tmp_path: Path) -> None:
    plan, sources = usual().planned()
    inventory, layout = build_layout(plan)
    (tmp_path / "b.tar.partial.old").write_bytes(b"no bundle")
    with open_build(tmp_path / "b.tar") as build, build.writer(plan, inventory, layout, Lockfile()) as store:
        copy(plan, sources, {"bundle": store}, Context(Jobs.of(1)))
        store.finish()
        assert (tmp_path / "b.tar.partial.old").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar"]


def test_a_failure_to_begin_is_told_where_the_journal_knows_no_bundle_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An output that cannot be made: the error goes on, and the new journal goes away."""
    plan, _ = usual().planned()
    inventory, layout = build_layout(plan)
    (tmp_path / "b.tar.partial").mkdir()
    with (
        open_build(tmp_path / "b.tar") as build,
        pytest.raises(OutputError, match=r"b\.tar\.partial"),
        build.writer(plan, inventory, layout, Lockfile()),
    ):
        pytest.fail("the bundle was begun")
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar.partial"]
