# SPDX-License-Identifier: Apache-2.0
"""Which source files make up a room, and where its tests are. Change this table when files move."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Room:
    """``sources`` are globs; a file belongs to the first room that matches it. ``tests`` are run before all others."""

    name: str
    sources: tuple[str, ...]
    tests: tuple[str, ...]
    #: Whether an undetected change here can damage data: such rooms have their own number of mutants, and a limit.
    critical: bool = False


ROOMS = (
    Room("bundle", ("airgap/bundle/**/*.py",), ("tests/bundle",), critical=True),
    Room("transfer", ("airgap/transfer/*.py",), ("tests/transfer",), critical=True),
    Room(
        "journals and files",
        (
            "airgap/durable/*.py",
            "airgap/store/layout.py",
            "airgap/registry/upload_sessions.py",
            "airgap/flows/migrate/journal.py",
            "airgap/flows/migrate/state.py",
            "airgap/config/state.py",
        ),
        (
            "tests/durable",
            "tests/store",
            "tests/registry/test_upload_sessions.py",
            "tests/flows/migrate/test_journal.py",
            "tests/flows/test_refresh.py",
            "tests/flows/test_resume.py",
        ),
        critical=True,
    ),
    Room(
        "rewriting",
        ("airgap/kube/rewrite/*.py", "airgap/kube/parse/scalars.py", "airgap/kube/detect/document_view.py"),
        ("tests/kube", "tests/flows/test_record.py", "tests/flows/test_revert.py"),
        critical=True,
    ),
    Room("kube", ("airgap/kube/**/*.py",), ("tests/kube",)),
    Room("registry", ("airgap/registry/**/*.py",), ("tests/registry",)),
    Room("targets", ("airgap/targets/**/*.py",), ("tests/targets", "tests/flows/test_doctor.py")),
    Room("server", ("airgap/server/*.py",), ("tests/server",)),
    Room("store", ("airgap/store/*.py",), ("tests/store",)),
    Room("oci", ("airgap/oci/*.py",), ("tests/oci",)),
    Room("config", ("airgap/config/*.py",), ("tests/config",)),
    Room("nodes", ("airgap/nodes/*.py",), ("tests/nodes",)),
    Room("explain", ("airgap/explain/*.py",), ("tests/explain",)),
    Room("flows", ("airgap/flows/**/*.py",), ("tests/flows",)),
    Room("cli", ("airgap/cli/**/*.py",), ("tests/cli",)),
    Room("base", ("airgap/*.py",), ("tests/test_records.py", "tests/test_errors.py")),
)
#: Tests of several rooms, run after a room's own.
SHARED = ("tests/flows", "tests/cli", "tests/compat")


class TableError(Exception):
    """The table does not fit the tree."""


def files_by_room(root: Path) -> dict[Room, list[str]]:
    """Every source file with its room. Raises TableError for a path that does not exist and a file without a room."""
    rest = {str(path.relative_to(root)) for path in (root / "airgap").rglob("*.py")}
    found: dict[Room, list[str]] = {}
    for room in ROOMS:
        found[room] = []
        for pattern in room.sources:
            matched = {str(path.relative_to(root)) for path in root.glob(pattern)}
            if not matched:
                raise TableError(f"room {room.name!r}: {pattern} matches no file; change tools/mutants/rooms.py")
            found[room] += sorted(matched & rest)
            rest -= matched
    for path in {path for room in ROOMS for path in room.tests} | set(SHARED):
        if not (root / path).exists():
            raise TableError(f"there are no tests at {path}; change tools/mutants/rooms.py")
    if rest:
        raise TableError(f"no room has {', '.join(sorted(rest))}; change tools/mutants/rooms.py")
    return found
