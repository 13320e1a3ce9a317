# SPDX-License-Identifier: Apache-2.0
"""The mirror that this machine's own apt uses, and the keys that verify Debian's."""

from __future__ import annotations

from pathlib import Path

from airgap.artifacts.formats.apt.mirror import local_mirror
from airgap.artifacts.workspace import ResolverFailed, Workspace
from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.records import Record

_KEYRINGS = tuple(f"/usr/share/keyrings/debian-archive-keyring.{suffix}" for suffix in ("gpg", "pgp"))
_FIELDS = ("SITE", "RELEASE", "SUITE", "CODENAME", "ORIGIN", "SIGNED_BY")


class Source(Record):
    """A mirror: an address, or a folder as ``file:///FOLDER``; ``keyring`` has the keys that it is signed with."""

    mirror: str
    keyring: Path | None = None


def own_source(suite: str, workspace: Workspace, *, where: str) -> Source:
    """Return the source of this machine's apt that has the suite, or else its first one of Debian, whose mirrors have
    other suites too. Raises :class:`UsageError` if there is none."""
    # Without lists of an update, apt shows no source unless it is told to say nothing of their Release files.
    rows = [*_rows(workspace, where), *_rows(workspace, where, "--no-release-info")]
    having = [row for row in rows if suite in (row["RELEASE"], row["SUITE"], row["CODENAME"])]
    debian = [row for row in rows if row["ORIGIN"] == "Debian" or row["SITE"].endswith("/debian")]
    debian = [row for row in debian if not row["RELEASE"].endswith("-security")]
    for row in (*having, *debian):
        key = Path(row["SIGNED_BY"])
        return Source(row["SITE"].rstrip("/"), key if key.is_absolute() and key.is_file() else None)
    raise UsageError(
        tr("this machine's apt has no source with the suite {suite}", suite=suite),
        where=where,
        hint=tr("mirror: names one, such as mirror: https://HOST/debian"),
    )


def default_keyring(*, where: str) -> Path:
    """Return Debian's keys. Raises :class:`UsageError` if they are not installed."""
    for name in _KEYRINGS:
        if Path(name).is_file():
            return Path(name)
    raise UsageError(
        tr("the keys that verify Debian's mirrors are not on this machine"),
        where=where,
        hint=tr(
            "install debian-archive-keyring, or name a file: keyring: mirror.gpg; "
            'trusted: "yes" takes a mirror of your own without a signature'
        ),
    )


def _rows(workspace: Workspace, where: str, *options: str) -> list[dict[str, str]]:
    """Each source that can be a mirror, with a text for each of ``_FIELDS``."""
    template = "\t".join(f"$({name})" for name in _FIELDS)
    command = ["apt-get", "indextargets", *options, "--format", template, "Created-By: Packages"]
    try:
        lines = workspace.run(command, where=where, environment={"LC_ALL": "C"}).decode("utf-8", "replace").splitlines()
    except ResolverFailed:
        return []
    rows = [dict(zip(_FIELDS, line.split("\t"), strict=True)) for line in lines if line.count("\t") == len(_FIELDS) - 1]
    return [row for row in rows if row["SITE"].startswith(("http://", "https://")) or _is_repository(row["SITE"])]


def _is_repository(site: str) -> bool:
    folder = local_mirror(site)
    return folder is not None and (folder / "dists").is_dir()
