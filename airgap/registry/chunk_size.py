# SPDX-License-Identifier: Apache-2.0
"""How many bytes of a blob go into one request: all, or a chunk for registries and connections that need it.

A chunk becomes smaller when a registry or proxy refuses its size, and when connections break before the registry has
kept anything of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airgap.registry.client import RegistryClient

#: Bytes of the first chunk when a registry refuses a whole blob.
MAX_CHUNK = 16 * 1024 * 1024
#: Bytes of the smallest chunk, unless the registry asks for more: the default limit of proxies is 1 MiB.
MIN_CHUNK = 1024 * 1024
#: Bodies of one blob that may be lost completely before it is sent in chunks.
_MAX_LOST_BODIES = 2


class ChunkSize:
    """The chunk size of one upload. It starts with what earlier uploads to this registry have found out."""

    def __init__(self, client: RegistryClient, blob_size: int) -> None:
        self._client = client
        self._blob_size = blob_size
        #: ``None`` for the whole blob at once.
        self._size = client.initial_chunk_size
        #: The smallest chunk that the registry accepts (distribution-spec, ``OCI-Chunk-Min-Length``).
        self._minimum = 0
        #: Whether the connection broke during the last body.
        self.body_broke = False
        self._lost_bodies = 0

    @property
    def is_whole(self) -> bool:
        """Whether the blob is sent in one body."""
        return self._size is None

    @property
    def needs_new_connection(self) -> bool:
        """Whether each body gets a new connection, because one that has carried much may be about to break."""
        return self._lost_bodies > 0 or self._client.max_body is not None

    def set_minimum(self, header: str) -> None:
        """Take over the ``OCI-Chunk-Min-Length`` header of a new session; it may be empty."""
        self._minimum = min(int(header), self._blob_size) if header.isdecimal() else 0

    def apply_max_body(self) -> None:
        """Switch to chunks if connections to this registry have broken during smaller bodies than this blob."""
        max_body = self._client.max_body
        if self._size is None and max_body is not None and self._blob_size > max_body:
            self._size = max_body

    def refuse_whole(self) -> None:
        """Switch to chunks after the registry has refused the whole blob."""
        self._size = MAX_CHUNK

    def next_length(self, remaining: int) -> int:
        """Return the length of the next body in bytes."""
        return remaining if self._size is None else min(max(self._size, self._minimum), remaining)

    def reduce(self, refused_length: int) -> bool:
        """Make chunks smaller after a 413; return whether that is possible."""
        if refused_length <= max(MIN_CHUNK, self._minimum):
            return False
        self._size = max(MIN_CHUNK, min(refused_length, MAX_CHUNK * 4) // 4, self._minimum)
        return True

    def count_lost_body(self) -> bool:
        """Count a body that broke and left nothing at the registry; return whether chunks have become smaller."""
        if not self.body_broke:
            return False
        self._lost_bodies += 1
        smaller = None
        if self._size is None and self._lost_bodies >= _MAX_LOST_BODIES:
            smaller = min(MAX_CHUNK, self._blob_size // 2)
        elif self._size is not None and self._size > MIN_CHUNK:
            smaller = self._size // 2
        if smaller is None or self._blob_size <= MIN_CHUNK:
            return False
        self._size = max(MIN_CHUNK, smaller)
        max_body = self._client.max_body
        self._client.max_body = self._size if max_body is None else min(max_body, self._size)
        return True

    def remember(self) -> None:
        """Let the next uploads to this registry start with this chunk size."""
        self._client.initial_chunk_size = self._size
