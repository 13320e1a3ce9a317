# SPDX-License-Identifier: Apache-2.0
"""A registry of the benchmark: filled from a workload, emptied between turns, asked what has arrived.

``docker-registry`` verifies the digest of whatever is pushed, so that a manifest whose bytes have the digest of the
source, with every blob present in the same repository, is the image that was carried. No descriptor cache is
configured there, which is why its folder may be emptied while it runs.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.transfer.workloads import Image, Workload


class WrongContentError(Exception):
    """What the target holds is not what the source held."""


@dataclass(frozen=True)
class Side:
    """One registry as tools see it: ``address`` is ``host:port``, ``ca`` the file to trust, ``None`` for plain HTTP."""

    address: str
    ca: Path | None
    data: Path

    def empty(self) -> None:
        """Throw away whatever it holds."""
        shutil.rmtree(self.data / "docker", ignore_errors=True)


class Client:
    """One kept connection to a :class:`Side`. Raises :class:`WrongContentError` for a status that it cannot use."""

    def __init__(self, side: Side) -> None:
        if side.ca is None:
            self._connection = http.client.HTTPConnection(side.address)
        else:
            context = ssl.create_default_context(cafile=str(side.ca))
            self._connection = http.client.HTTPSConnection(side.address, context=context)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(
        self, method: str, path: str, body: bytes | Path | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers with lower-case names and body; ``body`` may be a file to send."""
        sent = dict(headers or {})
        if isinstance(body, Path):
            with body.open("rb") as file:
                sent["Content-Length"] = str(body.stat().st_size)
                self._connection.request(method, path, file, sent)
        else:
            self._connection.request(method, path, body, sent)
        response = self._connection.getresponse()
        content = response.read()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, content

    def must(
        self, method: str, path: str, body: bytes | Path | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[Mapping[str, str], bytes]:
        """As :meth:`call`, for what has to succeed."""
        status, answered, content = self.call(method, path, body, headers)
        if status >= 300:
            raise WrongContentError(f"{method} {path}: {status} {content[:200].decode(errors='replace')}")
        return answered, content


def fill(side: Side, workload: Workload) -> None:
    """Push ``workload``, each blob once and mounted from there elsewhere."""
    holder: dict[str, str] = {}
    with Client(side) as client:
        for image in workload.images:
            for manifest in image.manifests:
                for digest, _ in manifest.blobs:
                    _give(client, image.repository, digest, workload.blobs, holder.setdefault(digest, image.repository))
                path = f"/v2/{image.repository}/manifests/{manifest.tag or manifest.digest}"
                content = (workload.blobs / manifest.digest[7:]).read_bytes()
                client.must("PUT", path, content, {"Content-Type": manifest.media_type})


def _give(client: Client, repository: str, digest: str, blobs: Path, holder: str) -> None:
    mount = f"?mount={digest}&from={holder}" if holder != repository else ""
    status, headers, _ = client.call("POST", f"/v2/{repository}/blobs/uploads/{mount}", b"")
    if status == 202:
        there = urlsplit(headers["location"])
        kind = {"Content-Type": "application/octet-stream"}
        client.must("PUT", f"{there.path}?{there.query}&digest={digest}", blobs / digest[7:], kind)
    elif status != 201:
        raise WrongContentError(f"no upload of {digest} to {repository}: {status}")


def check(side: Side, workload: Workload, *, same: bool = True) -> None:
    """Raise :class:`WrongContentError` unless every image is there, byte for byte where ``same``."""
    with Client(side) as client:
        for image in workload.images:
            _check_image(client, image, same)


def _check_image(client: Client, image: Image, same: bool) -> None:
    accept = {"Accept": ", ".join(sorted({manifest.media_type for manifest in image.manifests}))}
    if not same:
        client.must("GET", f"/v2/{image.repository}/manifests/v1")
        return
    for manifest in image.manifests:
        _, content = client.must(
            "GET", f"/v2/{image.repository}/manifests/{manifest.tag or manifest.digest}", None, accept
        )
        found = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if found != manifest.digest:
            raise WrongContentError(f"{image.repository} holds {found} instead of {manifest.digest}")
        for digest, size in manifest.blobs:
            headers, _ = client.must("HEAD", f"/v2/{image.repository}/blobs/{digest}")
            if int(headers["content-length"]) != size:
                raise WrongContentError(f"{digest} of {image.repository} has {headers['content-length']} bytes")
