# SPDX-License-Identifier: Apache-2.0
"""What follows the header of an age file: chunks of 64 KiB that are encrypted and authenticated one by one.

So any part of it can be decrypted alone. The last chunk is marked, so that a file that was cut short is found.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from airgap.errors import SignatureFailure
from airgap.i18n import tr
from airgap.trust.age_crypto import hkdf, load_aead
from airgap.trust.age_header import Wrap, make_header

#: The content of a chunk, and of a chunk with its tag, in bytes.
CHUNK = 64 * 1024
SEALED_CHUNK = CHUNK + 16
NONCE = 16


class Chunks:
    """Encrypts and decrypts the chunks of one file. Made of the file's key and the nonce behind its header."""

    def __init__(self, file_key: bytes, nonce: bytes) -> None:
        self._aead = load_aead(hkdf(file_key, salt=nonce, info=b"payload"))

    def seal(self, number: int, piece: bytes | memoryview, *, last: bool) -> bytes:
        """Return chunk ``number``, encrypted."""
        sealed: bytes = self._aead.encrypt(_nonce(number, last), piece, None)
        return sealed

    def seal_into(self, number: int, piece: memoryview, buffer: memoryview, *, last: bool) -> None:
        """Encrypt chunk ``number`` into ``buffer``, which has room for its tag."""
        if hasattr(self._aead, "encrypt_into"):
            self._aead.encrypt_into(_nonce(number, last), piece, None, buffer)
        else:
            # cryptography before 47, as Debian packages it.
            buffer[:] = self.seal(number, piece, last=last)

    def open(self, number: int, sealed: bytes | memoryview, *, last: bool, where: str) -> bytes:
        """Return the content of chunk ``number``. Raises :class:`SignatureFailure` if a bit of it was changed."""
        from cryptography.exceptions import InvalidTag

        try:
            piece: bytes = self._aead.decrypt(_nonce(number, last), sealed, None)
        except InvalidTag as error:
            raise _damaged(number, where) from error
        return piece

    def open_into(self, number: int, sealed: memoryview, buffer: memoryview, *, last: bool, where: str) -> None:
        """Decrypt chunk ``number`` into ``buffer``, which has its size. Raises what :meth:`open` raises."""
        if not hasattr(self._aead, "decrypt_into"):
            buffer[:] = self.open(number, sealed, last=last, where=where)
            return
        from cryptography.exceptions import InvalidTag

        try:
            self._aead.decrypt_into(_nonce(number, last), sealed, None, buffer)
        except InvalidTag as error:
            raise _damaged(number, where) from error


class Sealer:
    """Encrypts one file for ``recipients``. ``start`` are its bytes before the first chunk."""

    def __init__(self, recipients: Sequence[Wrap]) -> None:
        file_key, nonce = os.urandom(16), os.urandom(NONCE)
        self.start = make_header(file_key, recipients) + nonce
        self.chunks = Chunks(file_key, nonce)

    def size(self, content: int) -> int:
        """Return the size of the file with ``content`` bytes of content."""
        return len(self.start) + content + 16 * chunk_count(content)


def chunk_count(content: int) -> int:
    """Return the number of chunks: at least one, of which only an empty file's is empty."""
    return max(1, -(-content // CHUNK))


def content_size(sealed: int) -> int | None:
    """Return the bytes of content in ``sealed`` bytes of chunks; ``None`` if no file has so many."""
    count = -(-sealed // SEALED_CHUNK)
    content = sealed - 16 * count
    return content if count and chunk_count(content) == count and content >= 0 else None


def _damaged(number: int, where: str) -> SignatureFailure:
    return SignatureFailure(
        tr("the sealed bundle was changed, cut or damaged at byte {offset:,}", offset=number * CHUNK),
        where=where,
        hint=tr("copy the bundle once more from the other side"),
    )


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes((last,))
