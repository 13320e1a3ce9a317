# SPDX-License-Identifier: Apache-2.0
"""The ID of a bundle, and the check that an inventory carries of itself: both are hashes of the inventory's bytes."""

from __future__ import annotations

import hashlib

from airgap import limits
from airgap.json_stream import Pread
from airgap.oci import digest as digests

#: The inventory's last key, the digest of all bytes before it. No other member contains a checksum of the inventory.
_CHECK = b',"check":"'
#: Bytes that are hashed at once.
_PIECE = 1 << 20
#: The bytes of this key to the end.
_CHECK_LENGTH = len(_CHECK) + len("sha256:") + 64 + len(b'"}')


class InventoryHash:
    """Hashes the bytes of an inventory as they are read: :meth:`update` is called with each piece, in order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._end = b""
        self._has_check = False

    @classmethod
    def of(cls, pread: Pread) -> InventoryHash:
        """Hash what ``pread`` returns, as far as an inventory is read."""
        hashed, offset = cls(), 0
        while offset <= limits.value("document-bytes") and (content := pread(_PIECE, offset)):
            hashed.update(content)
            offset += len(content)
        return hashed

    def update(self, content: bytes) -> None:
        """Add bytes."""
        content = self._end + content
        self._has_check = self._has_check or _CHECK in content
        self._end = content[-_CHECK_LENGTH:]
        self._hash.update(memoryview(content)[: len(content) - len(self._end)])

    @property
    def bundle_id(self) -> str:
        """The sha256 of all bytes: the ID of the bundle."""
        whole = self._hash.copy()
        whole.update(self._end)
        return whole.hexdigest()

    @property
    def is_whole(self) -> bool | None:
        """Whether the key ``check`` matches the bytes; ``None`` where there is no such key.

        This finds accidental damage. Only a signature protects against forgery.
        """
        if self._end == _CHECK + f"sha256:{self._hash.hexdigest()}".encode() + b'"}':
            return True
        return False if self._has_check else None


def with_check(body: bytearray) -> bytes:
    """Return the bytes of an inventory, which ``body`` is without its last key and brace."""
    return bytes(body) + _CHECK + digests.of(memoryview(body)).encode() + b'"}'
