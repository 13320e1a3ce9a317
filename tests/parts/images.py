# SPDX-License-Identifier: Apache-2.0
"""Images made on the spot: real tar layers, Docker and OCI manifests, indexes, attestations, artifacts.

The same seed gives the same bytes. What is built is content in memory, children before parents, that
:meth:`Images.push_to` puts into any store; real programs can unpack and list it.
"""

from __future__ import annotations

import io
import json
import random
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airgap.oci import Descriptor, Platform
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.records import replace
from airgap.store.protocols import Store
from airgap.store.readers import bytes_opener

OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_PLAIN = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
IN_TOTO = "application/vnd.in-toto+json"
DAY_ONE = "1970-01-01T00:00:00Z"
#: The two bytes that OCI's empty descriptor stands for (image-spec manifest.md, "Guidance for an Empty Descriptor").
EMPTY = b"{}"


@dataclass(frozen=True)
class Layer:
    """``diff_id`` is the digest of the uncompressed tar, as an image's config lists it."""

    descriptor: Descriptor
    diff_id: str


class Images:
    """A set of content that grows by the builders below; ``content`` and ``descriptors`` go by digest."""

    def __init__(self, seed: int = 0, *, algorithm: str = "sha256") -> None:
        self._random = random.Random(seed)
        self._algorithm = algorithm
        self._count = 0
        self.content: dict[str, bytes] = {}
        self.descriptors: dict[str, Descriptor] = {}

    def blob(self, content: bytes, media_type: str = "application/octet-stream") -> Descriptor:
        """Any bytes."""
        descriptor = Descriptor(media_type, digests.of(content, self._algorithm), len(content))
        self.content[descriptor.digest] = content
        self.descriptors.setdefault(descriptor.digest, descriptor)
        return descriptor

    def json(self, document: Mapping[str, Any], media_type: str) -> Descriptor:
        """A JSON document, indented as people's tools leave it: no canonical form may be assumed of manifests."""
        return self.blob(json.dumps(document, indent=3).encode(), media_type)

    def layer(
        self, files: Mapping[str, bytes] | None = None, *, size: int = 0, media_type: str = OCI_LAYER, level: int = 6
    ) -> Layer:
        """A tar with ``files``, or with one small text of its own; ``size`` adds that many random bytes."""
        self._count += 1
        files = dict(files or {f"usr/share/part{self._count}/text": self._random.randbytes(24).hex().encode() * 40})
        if size:
            files[f"var/lib/part{self._count}/noise"] = self._random.randbytes(size)
        plain = tar_of(files)
        compressed = plain if media_type.endswith(".tar") else gzip_of(plain, level)
        return Layer(self.blob(compressed, media_type), digests.of(plain))

    def layer_of(self, plain: bytes) -> Layer:
        """A layer of this tar."""
        return Layer(self.blob(gzip_of(plain, 6), OCI_LAYER), digests.of(plain))

    def image(
        self,
        platform: str = "linux/amd64",
        *,
        layers: int | Sequence[Layer] = 2,
        size: int = 0,
        docker: bool = False,
        subject: Descriptor | None = None,
        annotations: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Descriptor:
        """A container image's manifest, with its platform in the descriptor as an index would have it.

        ``layers`` are shared ones, or how many to make; ``size`` is that of each made one's random file. ``settings``
        are its config's ``config``, for images that are run.
        """
        kind = DOCKER_LAYER if docker else OCI_LAYER
        made = [self.layer(size=size, media_type=kind) for _ in range(layers)] if isinstance(layers, int) else layers
        where = Platform.parse(platform)
        config = {
            **where.to_json(),
            "created": DAY_ONE,
            "config": settings or {"Cmd": ["/bin/part"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in made]},
            "history": [{"created": DAY_ONE, "created_by": f"part {number}"} for number, _ in enumerate(made)],
        }
        described = self.json(config, manifests.DOCKER_CONFIG if docker else manifests.OCI_CONFIG)
        found = [replace(layer.descriptor, media_type=kind) if docker else layer.descriptor for layer in made]
        document = {"config": described.to_json(), "layers": [layer.to_json() for layer in found]}
        media_type = manifests.DOCKER_MANIFEST if docker else manifests.OCI_MANIFEST
        return replace(self._manifest(document, media_type, subject, annotations), platform=where)

    def index(
        self,
        children: Sequence[Descriptor],
        *,
        docker: bool = False,
        subject: Descriptor | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """An OCI index or a Docker manifest list of ``children``, with what their descriptors carry."""
        document = {"manifests": [child.to_json() for child in children]}
        media_type = manifests.DOCKER_LIST if docker else manifests.OCI_INDEX
        return self._manifest(document, media_type, subject, annotations)

    def attestation(self, image: Descriptor) -> Descriptor:
        """What BuildKit puts beside an image in an index: a manifest for ``unknown/unknown`` that speaks of it."""
        statement = {"_type": "https://in-toto.io/Statement/v0.1", "subject": [{"digest": image.digest}]}
        layer = self.json(statement, IN_TOTO)
        platform = {"architecture": "unknown", "os": "unknown"}
        rootfs = {"type": "layers", "diff_ids": [digests.of(self.content[layer.digest])]}
        config = self.json({**platform, "config": {}, "rootfs": rootfs}, manifests.OCI_CONFIG)
        document = {"config": config.to_json(), "layers": [layer.to_json()]}
        made = self._manifest(document, manifests.OCI_MANIFEST, None, None)
        speaks = {
            "vnd.docker.reference.digest": image.digest,
            "vnd.docker.reference.type": "attestation-manifest",
        }
        return replace(made, platform=Platform.from_json(platform), annotations=speaks)

    def artifact(
        self,
        artifact_type: str = "application/vnd.example.sbom",
        *,
        subject: Descriptor | None = None,
        content: bytes | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """An OCI artifact with the empty config; ``subject`` makes it a referrer."""
        empty = self.blob(EMPTY, manifests.OCI_EMPTY)
        layer = self.blob(self._random.randbytes(200) if content is None else content, artifact_type)
        document = {"artifactType": artifact_type, "config": empty.to_json(), "layers": [layer.to_json()]}
        made = self._manifest(document, manifests.OCI_MANIFEST, subject, annotations)
        return replace(made, artifact_type=artifact_type)

    def two_platforms(self, *, docker: bool = False, attested: bool = False, size: int = 0) -> Descriptor:
        """An index for linux/amd64 and linux/arm64 whose images share their first layer."""
        kind = DOCKER_LAYER if docker else OCI_LAYER
        base = self.layer(size=size, media_type=kind)
        children = [
            self.image(platform, layers=[base, self.layer(media_type=kind)], docker=docker)
            for platform in ("linux/amd64", "linux/arm64")
        ]
        children += [self.attestation(child) for child in children[:]] if attested else []
        return self.index(children, docker=docker)

    def needed(self, root: Descriptor) -> list[Descriptor]:
        """All that ``root`` leads to, itself last, children before parents, each once."""
        found: dict[str, Descriptor] = {}

        def visit(descriptor: Descriptor) -> None:
            if manifests.is_manifest_type(descriptor.media_type):
                parsed = manifests.parse(self.content[descriptor.digest], descriptor.media_type)
                for child in manifests.successors(parsed):
                    visit(child)
            found.setdefault(descriptor.digest, descriptor)

        visit(root)
        return list(found.values())

    def push_to(self, store: Store, names: Mapping[str, Descriptor]) -> None:
        """Push what the named descriptors lead to, then tag them."""
        for name, root in names.items():
            for descriptor in self.needed(root):
                if not store.exists(descriptor):
                    store.push(descriptor, bytes_opener(self.content[descriptor.digest]))
            store.tag(root, name)

    def _manifest(
        self,
        document: dict[str, Any],
        media_type: str,
        subject: Descriptor | None,
        annotations: Mapping[str, str] | None,
    ) -> Descriptor:
        whole: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_type, **document}
        if subject is not None:
            whole["subject"] = {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size}
        if annotations:
            whole["annotations"] = dict(annotations)
        return self.json(whole, media_type)


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """A tar of regular files and their folders, owned by root, of the first day."""
    made, folders = io.BytesIO(), set[str]()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            parts = name.split("/")[:-1]
            for depth in range(1, len(parts) + 1):
                folder = "/".join(parts[:depth])
                if folder not in folders:
                    folders.add(folder)
                    member = tarfile.TarInfo(folder)
                    member.type, member.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(member)
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def gzip_of(content: bytes, level: int = 6) -> bytes:
    """A gzip stream without a time or name in it."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, 31)
    return compressor.compress(content) + compressor.flush()
