# SPDX-License-Identifier: Apache-2.0
"""Copies the indexes of one suite from a mirror into a folder, in which apt-get then reads and verifies them.

So apt-get needs no network: certificates, proxies, credentials and retries are those of all downloads, and the
signature is checked by apt itself.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from airgap.artifacts.artifact import Download
from airgap.artifacts.download import fetch_file
from airgap.artifacts.formats.apt.control import parse_paragraphs
from airgap.artifacts.web import WebServer
from airgap.artifacts.workspace import FETCHED, Workspace
from airgap.errors import ContentError, DigestMismatch, NotFound, UsageError
from airgap.i18n import tr

#: Bytes of an index at most, as the Release file says; Debian's largest has 60 MB unpacked.
_MAX_INDEX = 2 * 1024 * 1024 * 1024
#: The compressions of an index that every apt reads, the smallest first.
_SUFFIXES = (".xz", ".gz", "")
_SIGNED, _PLAIN = "InRelease", ("Release", "Release.gpg")

ServerFor = Callable[[str], WebServer]


def local_mirror(mirror: str) -> Path | None:
    """Return the folder of a mirror on this machine: ``file:///srv/debian`` or ``/srv/debian``."""
    if mirror.startswith("/"):
        return Path(mirror)
    return Path(unquote(mirror.removeprefix("file:"))) if mirror.startswith("file:/") else None


def copy_indexes(
    mirror: str, suite: str, components: Sequence[str], architecture: str, folder: Path, workspace: Workspace,
    server_for: ServerFor,
) -> None:  # fmt: skip
    """Copy ``dists/SUITE`` as far as the architecture needs it into ``folder``.

    Raises :class:`NotFound` for a suite that the mirror does not have, and :class:`UsageError` for a component or
    an architecture.
    """
    dists = folder / "dists" / suite
    dists.mkdir(parents=True)
    release = _copy_release(server_for(f"{mirror}/dists/{suite}"), suite, dists)
    fields = next(iter(sorted(parse_paragraphs(release), key=lambda one: "SHA256" not in one)), {})
    listed = dict(_listed(fields, where=f"{mirror}/dists/{suite}"))
    by_hash = fields.get("Acquire-By-Hash") == "yes"
    for component in components:
        for own in (architecture, *_shared(fields)):
            path = f"{component}/binary-{own}/Packages"
            name = next((f"{path}{suffix}" for suffix in _SUFFIXES if f"{path}{suffix}" in listed), "")
            if name:
                _copy_index(f"{mirror}/dists/{suite}", name, listed[name], dists, workspace, server_for, by_hash)
            elif own == architecture:
                raise UsageError(
                    tr("{suite} has no {component} for {architecture}", suite=suite, component=component,
                       architecture=architecture),
                    where=mirror,
                    hint=tr("it has the components {components} and the architectures {architectures}",
                            components=fields.get("Components", "?"), architectures=fields.get("Architectures", "?")),
                )  # fmt: skip


def _copy_release(server: WebServer, suite: str, dists: Path) -> str:
    with contextlib.suppress(NotFound):
        content = server.get(f"/{_SIGNED}").body
        (dists / _SIGNED).write_bytes(content)
        return content.decode("utf-8", "replace")
    try:
        content = server.get(f"/{_PLAIN[0]}").body
    except NotFound as error:
        error.what = tr("the mirror has no suite {suite}", suite=suite)
        error.hint = tr("check suites: and mirror:, below which dists/{suite}/InRelease is asked for", suite=suite)
        raise
    (dists / _PLAIN[0]).write_bytes(content)
    # Without a signature apt says that there is none.
    with contextlib.suppress(NotFound):
        (dists / _PLAIN[1]).write_bytes(server.get(f"/{_PLAIN[1]}").body)
    return content.decode("utf-8", "replace")


def _shared(fields: Mapping[str, str]) -> tuple[str, ...]:
    """``all`` if packages for every architecture have an index of their own."""
    has_own = "Packages" not in fields.get("No-Support-for-Architecture-all", "").split()
    return ("all",) if "all" in fields.get("Architectures", "").split() and has_own else ()


def _listed(fields: Mapping[str, str], *, where: str) -> Iterator[tuple[str, tuple[str, int]]]:
    """The sha256 and size of each file that a Release lists. Raises :class:`ContentError` for one that lists none."""
    if "SHA256" not in fields:
        raise ContentError(tr("this is no Release of a Debian repository: it has no SHA256"), where=where)
    for line in fields["SHA256"].split("\n"):
        words = line.split()
        if len(words) == 3 and words[1].isdecimal() and int(words[1]) <= _MAX_INDEX:
            yield words[2], (words[0].lower(), int(words[1]))


def _copy_index(
    url: str, name: str, content: tuple[str, int], dists: Path, workspace: Workspace, server_for: ServerFor,
    by_hash: bool,
) -> None:  # fmt: skip
    """Fetch an index and check its digest. By its hash it is there even while the mirror is being changed."""
    digest, size = content
    places = [f"{name.rpartition('/')[0]}/by-hash/SHA256/{digest}"] if by_hash else []
    for place in (*places, name):
        download = Download("apt", name, "", name.rpartition("/")[2], url=f"{url}/{place}",
                            expected=(f"sha256:{digest}",), size=size)  # fmt: skip
        try:
            fetched = fetch_file(
                download, server_for(download.url), workspace.subfolder(FETCHED).absolute(), workspace.context
            )
        except (NotFound, DigestMismatch) as error:
            if isinstance(error, NotFound) and place != name:
                continue
            error.hint = tr("the mirror's Release says otherwise; it may be changed right now: try again in a while")
            raise
        (dists / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(fetched.path, dists / name)
        return
