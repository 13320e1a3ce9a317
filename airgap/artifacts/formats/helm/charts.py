# SPDX-License-Identifier: Apache-2.0
"""Chart archives: what ``Chart.yaml`` says, and a folder packed so that equal folders give equal bytes."""

from __future__ import annotations

import fnmatch
import io
import os
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airgap.artifacts.artifact import path_problem
from airgap.artifacts.formats.helm.yaml_values import read_yaml
from airgap.errors import ContentError, UsageError
from airgap.i18n import tr

#: Bytes of a Chart.yaml, and members and bytes of a chart.
_MAX_DOCUMENT = 1024 * 1024
_MAX_MEMBERS = 20_000
_MAX_CHART = 256 * 1024 * 1024
#: Bytes of a stored block of deflate (RFC 1951, 3.2.4).
_BLOCK = 0xFFFF


def read_chart(path: Path, label: str) -> dict[str, Any]:
    """Return the content of an archive's ``Chart.yaml``. Raises :class:`ContentError` for a file that is no chart."""
    try:
        with tarfile.open(path) as archive:
            for number, member in enumerate(archive):
                if number > _MAX_MEMBERS:
                    break
                folder, _, name = member.name.removeprefix("./").partition("/")
                if name == "Chart.yaml" and folder and member.isfile():
                    file = archive.extractfile(member)
                    content = file.read(_MAX_DOCUMENT + 1) if file else b""
                    return _checked(content, f"{label}: {member.name}")
    except (OSError, EOFError, tarfile.TarError, zlib.error, ValueError) as error:
        raise ContentError(tr("this is no chart ({error})", error=error), where=label) from error
    raise ContentError(tr("this is no chart: it has no Chart.yaml"), where=label)


def chart_of_folder(folder: Path, where: str) -> dict[str, Any]:
    """Return the content of a folder's ``Chart.yaml``. Raises :class:`UsageError` for a folder that is no chart."""
    try:
        with (folder / "Chart.yaml").open("rb") as file:
            content = file.read(_MAX_DOCUMENT + 1)
    except OSError as error:
        raise UsageError(
            tr("this folder is no chart: its Chart.yaml cannot be read ({strerror})", strerror=error.strerror),
            where=f"{where}: {folder}",
        ) from error
    return _checked(content, str(folder / "Chart.yaml"))


def pack(folder: Path, chart: dict[str, Any], where: str) -> bytes:
    """Return a chart's folder as ``.tgz``, without what its ``.helmignore`` excludes.

    Files are sorted, without times and owners, and stored uncompressed: a compressed stream would depend on the version
    of zlib. Raises :class:`UsageError` for dependencies that are not in ``charts/``, and for links out of the folder.
    """
    _check_dependencies(folder, chart, where)
    buffer = io.BytesIO()
    total = 0
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for number, (name, path) in enumerate(_files(folder, where)):
            content = path.read_bytes()
            total += len(content)
            if number > _MAX_MEMBERS or total > _MAX_CHART:
                raise UsageError(tr("this chart is too large"), where=f"{where}: {folder}")
            member = tarfile.TarInfo(f"{chart['name']}/{name}")
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return _gzip(buffer.getvalue())


def _checked(content: bytes, where: str) -> dict[str, Any]:
    if len(content) > _MAX_DOCUMENT:
        raise ContentError(tr("it has more than {limit} bytes", limit=_MAX_DOCUMENT), where=where)
    chart = read_yaml(content, where=where)
    if not isinstance(chart, dict) or not chart.get("name") or not chart.get("version"):
        raise ContentError(tr("this Chart.yaml has no name and version"), where=where)
    for key in ("name", "version"):
        if not isinstance(chart[key], str) or (reason := path_problem(chart[key])):
            raise ContentError(tr("its {key} {reason}", key=key, reason=reason or tr("is no text")), where=where)
    return chart


def _check_dependencies(folder: Path, chart: dict[str, Any], where: str) -> None:
    needed = [item for item in chart.get("dependencies") or () if isinstance(item, dict) and item.get("name")]
    held = {path.name for path in (folder / "charts").iterdir()} if (folder / "charts").is_dir() else set()
    for item in needed:
        name = str(item["name"])
        if name not in held and not any(entry.startswith(f"{name}-") for entry in held):
            raise UsageError(
                tr("the chart needs {name}, which is not in its charts/", name=name),
                where=f"{where}: {folder}",
                hint=tr("helm dependency build {folder}", folder=folder),
            )


def _files(folder: Path, where: str) -> Iterator[tuple[str, Path]]:
    """The files of a chart in sorted order, Chart.yaml first."""
    ignored = _ignore_patterns(folder)
    root = folder.resolve()
    found = []
    for parent, folders, names in os.walk(folder, followlinks=False):
        inner = Path(parent).relative_to(folder)
        folders[:] = sorted(n for n in folders if not _is_ignored(inner / n, ignored, is_folder=True))
        kept = [name for name in names if not _is_ignored(inner / name, ignored, is_folder=False)]
        found += [((inner / name).as_posix(), Path(parent) / name) for name in kept]
    for name, path in sorted(found, key=lambda item: (item[0] != "Chart.yaml", item[0])):
        if not path.resolve().is_relative_to(root) or not path.is_file():
            raise UsageError(tr("this link leads out of the chart, or nowhere"), where=f"{where}: {path}")
        yield name, path


def _ignore_patterns(folder: Path) -> list[str]:
    try:
        lines = (folder / ".helmignore").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _is_ignored(path: Path, patterns: list[str], *, is_folder: bool) -> bool:
    """Whether ``.helmignore`` excludes a path (helm's "The .helmignore file"): patterns without a slash are names."""
    ignored = False
    for pattern in patterns:
        negated, text = pattern.startswith("!"), pattern.removeprefix("!")
        if text.endswith("/") and not is_folder:
            continue
        text = text.rstrip("/")
        subject = path.as_posix() if "/" in text else path.name
        if fnmatch.fnmatchcase(subject, text.lstrip("/")):
            ignored = not negated
    return ignored


def _gzip(content: bytes) -> bytes:
    """Return gzip (RFC 1952) with stored blocks."""
    pieces = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"]
    for start in range(0, len(content), _BLOCK):
        block = content[start : start + _BLOCK]
        is_last = start + _BLOCK >= len(content)
        length = len(block).to_bytes(2, "little")
        pieces += [bytes([is_last]), length, bytes(byte ^ 0xFF for byte in length), block]
    pieces += [zlib.crc32(content).to_bytes(4, "little"), (len(content) & 0xFFFFFFFF).to_bytes(4, "little")]
    return b"".join(pieces)
