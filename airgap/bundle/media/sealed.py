# SPDX-License-Identifier: Apache-2.0
"""A tar that is sealed in age's format, in one file or in volumes: read at any offset, written from a plain draft.

While it is read, only the chunks at hand are in memory, and nothing plain is written to a disk. While it is written,
the tar is a plain partial file, so that an interrupted export can be continued; at the end it is sealed in order.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from airgap.bundle.media.base import CUT_SHORT_HINT, Draft, Medium, PreadReader
from airgap.bundle.media.file import FileDraft
from airgap.errors import BundleError, SignatureFailure
from airgap.i18n import tr
from airgap.store.protocols import Reader
from airgap.store.readers import BUFFER_SIZE
from airgap.trust.age_header import MAX_HEADER, Header, Stanza
from airgap.trust.age_stream import CHUNK, NONCE, SEALED_CHUNK, Chunks, Sealer, chunk_count, content_size

_SEALING_THREADS = 2
_CHUNKS_AT_ONCE = BUFFER_SIZE // CHUNK
_BUFFERS = 2 * _SEALING_THREADS + 1

Unseal = Callable[[Header, str], bytes]
"""Gets the header of a sealed file and the file's name, and returns its key.

Raises :class:`SignatureFailure` if it has no key that fits."""


class SealedBundle(SignatureFailure):
    """The bundle is sealed, and no key was given. ``stanzas`` are for whom, ``size`` is that of the sealed bytes."""

    def __init__(self, where: str, stanzas: Sequence[Stanza], size: int | None) -> None:
        super().__init__(
            tr("it is sealed for {count} recipients", count=len(stanzas)),
            where=where,
            hint=tr("--identity FILE opens it, in verify, import and inspect; age -d -i FILE gives the plain bundle"),
        )
        self.stanzas = tuple(stanzas)
        self.size = size


class SealedMedium:
    """The tar in a sealed medium ``inner``. Made by :meth:`open`. Methods as in :class:`Medium`."""

    #: Bytes are decrypted in the order of the tar: one worker then decrypts each of them once.
    ordered = True

    def __init__(self, inner: Medium, start: int, chunks: Chunks, size: int) -> None:
        self.where = inner.where
        self.size: int | None = size
        self._inner = inner
        self._start = start
        self._chunks = chunks
        self._count = chunk_count(size)
        self._lock = threading.Lock()
        #: The last chunk that was decrypted: consecutive reads often meet in one.
        self._latest: tuple[int, bytes] = (-1, b"")

    @classmethod
    def open(cls, inner: Medium, unseal: Unseal | None) -> SealedMedium:
        """Open the sealed bundle in ``inner``, and check its header and its end. Owns ``inner``.

        Raises :class:`SealedBundle` without ``unseal``, what that raises, :class:`SignatureFailure` and
        :class:`BundleError`.
        """
        if inner.size is None:
            raise BundleError(
                tr("all volumes of a sealed bundle must be there at once"),
                hint=tr("copy them into one folder, or name each of them where it lies"),
            )
        header = Header.parse(inner.pread(MAX_HEADER, 0), where=inner.where)
        if unseal is None:
            raise SealedBundle(inner.where, header.stanzas, inner.size)
        file_key = unseal(header, inner.where)
        header.check(file_key, where=inner.where)
        start = header.size + NONCE
        size = content_size(inner.size - start)
        if size is None:
            raise SignatureFailure(
                tr("the sealed bundle was cut or something was added to it"), where=inner.where, hint=CUT_SHORT_HINT
            )
        medium = cls(inner, start, Chunks(file_key, inner.pread(NONCE, header.size)), size)
        medium.pread(1, max(0, size - 1))
        return medium

    @property
    def inner(self) -> Medium:
        """The medium with the encrypted bytes."""
        return self._inner

    def pread(self, count: int, offset: int) -> bytes:
        """Return ``count`` bytes from ``offset``, or fewer where the tar ends.

        Raises :class:`SignatureFailure` if a byte of them was changed, :class:`BundleError`.
        """
        assert self.size is not None
        count = min(count, self.size - offset)
        if count <= 0:
            return b""
        first, last = offset // CHUNK, (offset + count - 1) // CHUNK
        pieces = []
        if first == self._latest[0]:
            with self._lock:
                number, piece = self._latest
            if number == first:
                pieces.append(piece)
        next_chunk = first + len(pieces)
        sealed = memoryview(self._inner.pread((last + 1 - next_chunk) * SEALED_CHUNK, self._offset(next_chunk)))
        for number in range(next_chunk, last + 1):
            place = (number - next_chunk) * SEALED_CHUNK
            is_last = number == self._count - 1
            pieces.append(
                self._chunks.open(number, sealed[place : place + SEALED_CHUNK], last=is_last, where=self.where)
            )
        with self._lock:
            self._latest = (last, pieces[-1])
        return b"".join(pieces)[offset - first * CHUNK :][:count]

    def open_range(self, offset: int, length: int) -> Reader:
        """Open a reader that decrypts as it is read."""
        return _SealedReader(self, offset, length)

    def read_chunks(self, buffer: memoryview, offset: int) -> int:
        """Decrypt whole chunks from ``offset``, which is the start of one, straight into ``buffer``.

        Returns the number of bytes: 0 if the buffer holds no whole chunk, or where the last chunk begins.
        """
        first = offset // CHUNK
        count = min(len(buffer) // CHUNK, self._count - 1 - first)
        if offset % CHUNK or count <= 0:
            return 0
        sealed = memoryview(self._inner.pread(count * SEALED_CHUNK, self._offset(first)))
        for number in range(count):
            place = sealed[number * SEALED_CHUNK : (number + 1) * SEALED_CHUNK]
            piece = buffer[number * CHUNK : (number + 1) * CHUNK]
            self._chunks.open_into(first + number, place, piece, last=False, where=self.where)
        return count * CHUNK

    def expect_size(self, total: int) -> None:
        """Raise :class:`BundleError` if fewer than ``total`` bytes are sealed."""
        if self.size is not None and self.size < total:
            raise BundleError(
                tr("cut short: it should hold {total:,} bytes and holds {size:,}", total=total, size=self.size),
                hint=CUT_SHORT_HINT,
            )

    def files_at(self, offset: int, length: int) -> Sequence[str]:
        """Return the names of the files that store these bytes."""
        first, last = offset // CHUNK, (offset + max(length, 1) - 1) // CHUNK
        return self._inner.files_at(self._offset(first), (last + 1 - first) * SEALED_CHUNK)

    def close(self) -> None:
        """Close all files. Closing twice does nothing."""
        self._inner.close()

    def _offset(self, chunk: int) -> int:
        return self._start + chunk * SEALED_CHUNK


class _SealedReader(PreadReader):
    """A reader over a part of a sealed tar, which decrypts into the caller's buffer where it can."""

    def __init__(self, medium: SealedMedium, offset: int, length: int) -> None:
        super().__init__(medium.pread, offset, length, medium.where)
        self._medium = medium

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill ``buffer`` and return the number of bytes, 0 at the end. Raises :class:`SignatureFailure`."""
        count = self._medium.read_chunks(buffer[: self._remaining], self._offset)
        if count:
            self._offset += count
            self._remaining -= count
            return count
        # Up to the next chunk, so that the following read begins with one.
        return super().readinto(buffer[: CHUNK - self._offset % CHUNK])


class _Buffers:
    """Memory for some chunks, plain and encrypted; ``length`` bytes are encrypted."""

    def __init__(self) -> None:
        self.plain = memoryview(bytearray(_CHUNKS_AT_ONCE * CHUNK))
        self.sealed = memoryview(bytearray(_CHUNKS_AT_ONCE * SEALED_CHUNK))
        self.length = 0


class SealedDraft:
    """An unfinished sealed bundle ``path``. Made by :meth:`open`; methods as in :class:`Draft`.

    ``plain`` is the tar of ``size`` bytes, ``sealed`` the output that gets the encrypted bytes when it is finished.
    """

    def __init__(self, path: Path, plain: FileDraft, sealed: Draft, sealer: Sealer, size: int) -> None:
        self.path = path
        self.ordered = plain.ordered
        self._plain = plain
        self._sealed = sealed
        self._sealer = sealer
        self._size = size

    @classmethod
    def open(
        cls, path: Path, size: int, sealer: Sealer, open_output: Callable[[], Draft], *, resume: bool
    ) -> SealedDraft | None:
        """Begin both files and reserve their space; with ``resume`` keep what an earlier run left of the plain one.

        ``open_output`` begins the sealed output. Returns ``None`` if there is nothing to resume. Raises
        :class:`airgap.errors.OutputError`.
        """
        plain_path = path.with_name(f"{path.name}.plain")
        plain = FileDraft.resume(plain_path, size) if resume else FileDraft.begin(plain_path, size)
        if plain is None:
            return None
        try:
            sealed = open_output()
        except BaseException:
            if resume:
                plain.keep()
            else:
                plain.discard()
            raise
        return cls(path, plain, sealed, sealer, size)

    def write(self, piece: memoryview, offset: int) -> None:
        """Write ``piece`` at ``offset`` of the plain tar."""
        self._plain.write(piece, offset)

    def read(self, count: int, offset: int) -> bytes:
        """Return up to ``count`` bytes of the plain tar from ``offset``."""
        return self._plain.read(count, offset)

    def rewind(self, offset: int) -> int:
        """Return ``offset``: the plain tar can be overwritten anywhere."""
        return self._plain.rewind(offset)

    def sync(self) -> None:
        """Make everything that was written survive a power cut."""
        self._plain.sync()

    def finish(self) -> None:
        """Seal the tar in order, give the sealed file its name, and delete the plain one."""
        self._sealed.write(memoryview(self._sealer.start), 0)
        # Encryption runs without Python's lock, so that it goes on while the main thread writes. The buffers are used
        # again and again: fresh memory for each megabyte costs as much as the encryption.
        with ThreadPoolExecutor(_SEALING_THREADS, "seal") as pool:
            free = [_Buffers() for _ in range(_BUFFERS)]
            pending: deque[Future[_Buffers]] = deque()
            position = len(self._sealer.start)
            for first in range(0, chunk_count(self._size), _CHUNKS_AT_ONCE):
                if not free:
                    position = self._write_sealed(pending.popleft().result(), position, free)
                pending.append(pool.submit(self._seal, first, free.pop()))
            while pending:
                position = self._write_sealed(pending.popleft().result(), position, free)
        self._sealed.finish()
        self._plain.discard()

    def _seal(self, first: int, buffers: _Buffers) -> _Buffers:
        """Read the next chunks from number ``first`` on, and encrypt them."""
        count = min(_CHUNKS_AT_ONCE, chunk_count(self._size) - first)
        plain = buffers.plain[: min(count * CHUNK, self._size - first * CHUNK)]
        self._plain.read_into(plain, first * CHUNK)
        for number in range(count):
            piece = plain[number * CHUNK : (number + 1) * CHUNK]
            place = buffers.sealed[number * SEALED_CHUNK : number * SEALED_CHUNK + len(piece) + 16]
            last = first + number == chunk_count(self._size) - 1
            self._sealer.chunks.seal_into(first + number, piece, place, last=last)
        buffers.length = len(plain) + 16 * count
        return buffers

    def _write_sealed(self, buffers: _Buffers, position: int, free: list[_Buffers]) -> int:
        self._sealed.write(buffers.sealed[: buffers.length], position)
        free.append(buffers)
        return position + buffers.length

    def keep(self) -> None:
        """Close the files and leave the plain one for the next run; the sealed one begins again."""
        self._plain.keep()
        self._sealed.discard()

    def discard(self) -> None:
        """Delete and close the files."""
        self._plain.discard()
        self._sealed.discard()
