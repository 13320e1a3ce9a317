# SPDX-License-Identifier: Apache-2.0
"""Fetches a file into a folder, over as many runs as that takes, and checks what it hashes to.

A half-fetched file is ``NAME.part``. It is continued by ``Range`` if the server says that the content is the same
(RFC 9110, 13.1.5: ``If-Range`` with the ETag in ``NAME.etag``), or if its digest is known beforehand.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from airgap.artifacts.artifact import Download
from airgap.artifacts.web import WebServer
from airgap.durable import missing_file, read_hint, writing
from airgap.errors import ContentError, DigestMismatch, UsageError
from airgap.i18n import tr
from airgap.oci import Descriptor, Reference
from airgap.oci import digest as digests
from airgap.records import Record
from airgap.store.readers import read_verified, thread_buffer

if TYPE_CHECKING:
    from airgap.registry import Registries
    from airgap.registry.http.transport import StreamedResponse
    from airgap.transfer import Context

#: Algorithms that a digest of an index or a lock file may have. MD5 and SHA-1 protect only against accidents; they are
#: checked where an index gives nothing else.
_ALGORITHMS = frozenset({"sha256", "sha384", "sha512", "sha224", "sha1", "md5"})


class FetchedFile(Record):
    """A file on this machine, with its sha256 as a digest and its size in bytes."""

    path: Path
    digest: str
    size: int


def fetch_file(download: Download, server: WebServer | None, folder: Path, context: Context) -> FetchedFile:
    """Return the file of ``download``: the one at its path, or the one of its URL, which is fetched into ``folder``
    from ``server`` unless an earlier run has done it.

    Raises :class:`DigestMismatch` if it has not the expected digests, and what the connection raises.
    """
    if download.path is not None:
        return _checked(download, download.path, context)
    assert server is not None
    path = folder / hashlib.sha256(f"{server}{server.address.query}".encode()).hexdigest()[:40]
    if path.exists():
        try:
            return _checked(download, path, context)
        except DigestMismatch:
            path.unlink()
    part = path.with_suffix(".part")
    with writing(part):
        continued = server.client.retry.run(f"GET {server}", lambda: _continue(download, server, part, context))
        try:
            file = _checked(download, part, context)
        except DigestMismatch:
            part.unlink()
            part.with_suffix(".etag").unlink(missing_ok=True)
            if not continued:
                raise
            # The two halves may be of different contents: once more from the start.
            server.client.retry.run(f"GET {server}", lambda: _continue(download, server, part, context))
            file = _checked(download, part, context)
        part.replace(path)
        path.with_suffix(".etag").unlink(missing_ok=True)
    return FetchedFile(path, file.digest, file.size)


def fetch_blob(download: Download, registries: Registries, folder: Path, context: Context) -> FetchedFile:
    """Fetch ``oci://REGISTRY/REPOSITORY@DIGEST``, a blob of ``download.size`` bytes, into ``folder``.

    Raises what :func:`fetch_file` raises.
    """
    reference = Reference.parse(download.url.removeprefix("oci://"))
    path = folder / digests.encoded(reference.digest)
    if not path.exists():
        repository = registries.repository(reference.registry, reference.repository)
        descriptor = Descriptor("", reference.digest, download.size or 0)
        part = path.with_suffix(".part")
        reader = repository.open(descriptor)
        try:
            with part.open("wb") as file:
                read_verified(descriptor, reader, lambda piece, _: _write(file, piece, part))
        finally:
            reader.close()
        part.replace(path)
    return _checked(download, path, context)


def _write(file: BinaryIO, piece: memoryview, path: Path) -> None:
    with writing(path):
        file.write(piece)


def _continue(download: Download, server: WebServer, part: Path, context: Context) -> bool:
    """Fetch what is missing of a file; return whether a part of it was there before this call.

    Raises :class:`airgap.registry.http.errors.Transient` if the connection breaks: what has arrived is kept. Raises
    :class:`DigestMismatch` for more bytes than the file has.
    """
    from airgap.registry.http.errors import Transient

    etag_file = part.with_suffix(".etag")
    held = part.stat().st_size if part.exists() else 0
    etag = etag_file.read_text() if held and etag_file.exists() else ""
    headers = {"Range": f"bytes={held}-", "If-Range": etag} if etag else {}
    stream = server.open(headers=headers, ok=(200, 206, 416))
    try:
        if stream.status == 416 or (stream.status == 206 and not _continues_at(stream, held)):
            part.unlink()
            raise Transient(tr("the server has other content than it began with"), where=str(server))
        resumed = stream.status == 206
        new_etag = stream.headers.get("ETag", "")
        # A weak ETag does not promise equal bytes.
        if new_etag and not new_etag.startswith("W/") and not resumed:
            etag_file.write_text(new_etag)
        room = None if download.size is None else download.size - (held if resumed else 0)
        _append(stream, part, resumed=resumed, room=room, server=server, context=context)
    except DigestMismatch as error:
        part.unlink()
        error.where = download.label
        raise
    finally:
        stream.release()
    return resumed


def _append(
    stream: StreamedResponse, part: Path, *, resumed: bool, room: int | None, server: WebServer, context: Context
) -> None:
    from airgap.registry.http.errors import Transient

    length = stream.headers.get("Content-Length", "")
    expected = int(length) if length.isdecimal() else None
    received, buffer = 0, thread_buffer()
    with part.open("ab" if resumed else "wb") as file:
        while count := stream.readinto(buffer):
            context.cancel.check()
            received += count
            if room is not None and received > room:
                raise DigestMismatch(tr("it has more bytes than are expected"), hint=_other_file())
            file.write(buffer[:count])
    if expected is not None and received != expected:
        raise Transient(
            tr("the body ended {remaining} bytes too early", remaining=expected - received), where=str(server)
        )


def _other_file() -> str:
    return tr("the server has another file than the index or lock file says; nothing of it is carried")


def _continues_at(stream: StreamedResponse, offset: int) -> bool:
    return stream.headers.get("Content-Range", "").startswith(f"bytes {offset}-")


def _checked(download: Download, path: Path, context: Context) -> FetchedFile:
    """Hash a file and compare it with what is expected of it."""
    algorithms = {digest.partition(":")[0] for digest in download.expected}
    if unknown := algorithms - _ALGORITHMS:
        raise ContentError(
            tr("{algorithm} is no algorithm that airgap can check", algorithm=min(unknown)[:20]),
            where=download.label,
        )
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in sorted({"sha256", *algorithms})}
    size, buffer = 0, thread_buffer()
    try:
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                context.cancel.check()
                for content_hash in hashes.values():
                    content_hash.update(buffer[:count])
                size += count
    except (FileNotFoundError, NotADirectoryError):
        raise missing_file(path) from None
    except OSError as error:
        hint = read_hint(error, path)
        raise UsageError(
            tr("cannot read it: {strerror}", strerror=error.strerror or error), where=str(path), hint=hint
        ) from error
    for digest in download.expected:
        algorithm = digest.partition(":")[0]
        found = f"{algorithm}:{hashes[algorithm].hexdigest()}"
        if found != digest.lower():
            raise DigestMismatch(
                tr("it hashes to {found}, and {expected} is expected", found=found, expected=digest),
                where=download.label,
                hint=_other_file(),
            )
    return FetchedFile(path, f"sha256:{hashes['sha256'].hexdigest()}", size)
