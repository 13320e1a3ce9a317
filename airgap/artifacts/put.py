# SPDX-License-Identifier: Apache-2.0
"""A server that takes a file by PUT to the path under which clients fetch it (RFC 9110, 9.3.4): WebDAV, Artifactory,
and Nexus for the formats that have no other way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.repository import ServerRepository
from airgap.artifacts.web import Body, WebServer
from airgap.errors import AirgapError, NotFound
from airgap.oci import Descriptor
from airgap.store.protocols import Opener
from airgap.store.readers import thread_buffer
from airgap.transfer import Context, parallel_map

_TAKEN = (200, 201, 202, 204)


class PutRepository(ServerRepository):
    """The files below ``server``'s address; ``path_of`` gives an artifact's path there."""

    def __init__(self, server: WebServer, path_of: Callable[[Artifact], str]) -> None:
        super().__init__(server)
        self._path_of = path_of

    def find(self, artifacts: Sequence[Artifact], context: Context) -> Mapping[Artifact, str]:
        """Fetch what is under each path and hash it."""
        return find_by_path(self._server, artifacts, self._path_of, context)

    def upload(self, artifact: Artifact, opener: Opener) -> None:
        """PUT the file."""
        put_file(self._server, artifact, f"/{self._path_of(artifact)}", opener)

    def url(self, artifact: Artifact) -> str:
        """Return the address of the file."""
        return self._server.url(f"/{self._path_of(artifact)}")


def put_file(server: WebServer, artifact: Artifact, path: str, opener: Opener) -> None:
    """PUT an artifact's file to ``path``; a broken connection and a busy server are tried again."""

    def attempt() -> None:
        response = server.send("PUT", path, Body.file(descriptor_of(artifact), opener))
        if response.status not in _TAKEN:
            raise response.error()

    server.client.retry.run(f"PUT {path}", attempt)


def find_by_path(
    server: WebServer, artifacts: Sequence[Artifact], path_of: Callable[[Artifact], str], context: Context
) -> dict[Artifact, str]:
    """Fetch what is under the path of each artifact, and return the sha256 digests of what is there."""

    def ask(artifact: Artifact) -> str | AirgapError:
        try:
            return server.client.retry.run(
                f"GET {path_of(artifact)}", lambda: digest_at(server, f"/{path_of(artifact)}", context)
            )
        except NotFound:
            return ""

    digests = parallel_map(artifacts, ask, workers=context.jobs.transfers, cancel=context.cancel)
    return {
        artifact: digest
        for artifact, digest in zip(artifacts, digests, strict=True)
        if isinstance(digest, str) and digest
    }


def digest_at(server: WebServer, path: str, context: Context) -> str:
    """Return the sha256 digest of what a GET of ``path`` gives. Raises :class:`NotFound` if there is nothing."""
    stream = server.open(path)
    content_hash, buffer = hashlib.sha256(), thread_buffer()
    try:
        while count := stream.readinto(buffer):
            context.cancel.check()
            content_hash.update(buffer[:count])
    finally:
        stream.release()
    return f"sha256:{content_hash.hexdigest()}"


def descriptor_of(artifact: Artifact) -> Descriptor:
    """Return the descriptor of an artifact's file."""
    return Descriptor("application/octet-stream", artifact.digest, artifact.size)
