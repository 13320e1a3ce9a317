# SPDX-License-Identifier: Apache-2.0
"""Archives of ``docker save``, ``podman save`` and skopeo's ``docker-archive`` (Docker "Image Tarball", v1.2).

Such an archive has the configuration and the layers of an image, uncompressed, and not its manifest. A manifest is
made from them. It depends on them alone, so its digest is always the same, but it is not the registry's.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from airgap import bounded_json
from airgap.errors import ContentError, ContentMissing, InvalidReference, UsageError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import OCI_CONFIG, OCI_MANIFEST
from airgap.store.layout_index import MAX_INDEX_VALUES
from airgap.store.local.base import LocalImages, full_reference
from airgap.store.local.tar_index import TarIndex
from airgap.store.protocols import Reader
from airgap.store.readers import BUFFER_SIZE, BytesReader

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_GZIP = b"\x1f\x8b"
_MAX_DOCUMENT = 8 * 1024 * 1024
#: Far more than any runtime mounts.
_MAX_LAYERS = 1_000


class DockerArchive(LocalImages):
    """The archive at ``path``; ``wanted`` is the name of its only image that is offered, "" for all."""

    keeps_digests = False

    def __init__(self, label: str, path: str, wanted: str = "") -> None:
        super().__init__(label)
        self._tar = TarIndex(path)
        self._path = path
        self._manifests: dict[str, bytes] = {}
        #: The member that holds a config or layer, by digest.
        self._blobs: dict[str, str] = {}
        #: What is known of members that several images share: descriptors of layers, and diff IDs of configs.
        self._layers: dict[tuple[str, str], dict[str, Any]] = {}
        self._compressed_digests: dict[str, str] = {}
        self._configs: dict[str, tuple[dict[str, Any], list[str]]] = {}
        try:
            self._read_images(wanted)
        except BaseException:
            self._tar.close()
            raise

    def size_of(self, digest: str) -> int | None:
        """Return the size of content in bytes, or ``None`` if it is not here."""
        if digest in self._manifests:
            return len(self._manifests[digest])
        return self._tar.size(self._blobs[digest]) if digest in self._blobs else None

    def open(self, descriptor: Descriptor, offset: int = 0, /) -> Reader:
        """Open content at a byte offset; raise :class:`airgap.errors.ContentMissing` if it is not here."""
        if descriptor.digest in self._manifests:
            return BytesReader(self._manifests[descriptor.digest], offset)
        if descriptor.digest not in self._blobs:
            raise ContentMissing(tr("{digest} is not there", digest=descriptor.digest), where=self.label)
        return self._tar.open(self._blobs[descriptor.digest], offset)

    def close(self) -> None:
        """Close the file."""
        self._tar.close()

    def _read_images(self, wanted: str) -> None:
        items = self._json("manifest.json")
        if not isinstance(items, list):
            raise ContentError(tr("manifest.json is no list"), where=self._path)
        reference = full_reference(wanted)
        if wanted and not reference:
            raise UsageError(tr("{wanted} is no reference with a tag", wanted=wanted), where=self.label)
        for item in items:
            names = _texts(item, "RepoTags", self._path)
            references = [found for found in map(full_reference, names) if found]
            if wanted and reference not in references:
                if len(items) > 1:
                    continue
                references = [reference]
            descriptor = self._image(item)
            for found in [reference] if wanted else references:
                self.named[found] = descriptor
        if wanted and not self.named:
            raise UsageError(tr("there is no image {wanted}", wanted=wanted), where=self.label)

    def _image(self, item: dict[str, Any]) -> Descriptor:
        """Make the manifest of an entry of manifest.json."""
        config_name, layer_names = item.get("Config"), _texts(item, "Layers", self._path)
        if not isinstance(config_name, str):
            raise ContentError(tr("manifest.json has an image without Config"), where=self._path)
        config, diff_ids = self._config(config_name)
        if len(diff_ids) != len(layer_names) or len(layer_names) > _MAX_LAYERS:
            problem = tr(
                "{config_name} has {diff_ids} layers, and manifest.json {layers}",
                config_name=config_name,
                diff_ids=len(diff_ids),
                layers=len(layer_names),
            )
            raise ContentError(problem, where=self._path)
        layers = [self._layer(name, diff_id) for name, diff_id in zip(layer_names, diff_ids, strict=True)]
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config,
            "layers": layers,
        }
        content = json.dumps(document, separators=(",", ":")).encode()
        descriptor = Descriptor(OCI_MANIFEST, digests.of(content), len(content))
        self._manifests[descriptor.digest] = content
        return descriptor

    def _config(self, name: str) -> tuple[dict[str, Any], list[str]]:
        """The descriptor of a config, and the digests of its uncompressed layers."""
        if name not in self._configs:
            content = self._tar.read(name, _MAX_DOCUMENT)
            digest = digests.of(content)
            self._blobs[digest] = name
            descriptor = {"mediaType": OCI_CONFIG, "digest": digest, "size": len(content)}
            self._configs[name] = descriptor, self._diff_ids(content, name)
        return self._configs[name]

    def _layer(self, name: str, diff_id: str) -> dict[str, Any]:
        """The descriptor of a layer. The digest of an uncompressed one is in the config, that of others is computed."""
        if (name, diff_id) in self._layers:
            return self._layers[name, diff_id]
        size = self._tar.size(name)
        if size is None:
            raise ContentError(tr("lacks the layer {name}", name=name), where=self._path)
        media_type, digest = _LAYER, diff_id
        if size >= 2 and self._start(name) == _GZIP:
            media_type, digest = f"{_LAYER}+gzip", self._compressed_digest(name)
        self._blobs[digest] = name
        self._layers[name, diff_id] = {"mediaType": media_type, "digest": digest, "size": size}
        return self._layers[name, diff_id]

    def _start(self, name: str) -> bytes:
        start = bytearray(len(_GZIP))
        self._tar.open(name).readinto(memoryview(start))
        return bytes(start)

    def _compressed_digest(self, name: str) -> str:
        if name not in self._compressed_digests:
            hasher, buffer, reader = hashlib.sha256(), memoryview(bytearray(BUFFER_SIZE)), self._tar.open(name)
            while count := reader.readinto(buffer):
                hasher.update(buffer[:count])
            self._compressed_digests[name] = f"sha256:{hasher.hexdigest()}"
        return self._compressed_digests[name]

    def _diff_ids(self, config: bytes, name: str) -> list[str]:
        try:
            diff_ids = bounded_json.loads(config, values=MAX_INDEX_VALUES)["rootfs"]["diff_ids"]
            return [digests.check(diff_id) for diff_id in diff_ids]
        except (ContentError, KeyError, TypeError, InvalidReference) as error:
            raise ContentError(
                tr("{name} lists no layers ({error})", name=name, error=error), where=self._path
            ) from error

    def _json(self, name: str) -> Any:
        if self._tar.size(name) is None:
            hint = tr("it is an OCI archive: oci-archive:F") if self._tar.size("oci-layout") is not None else None
            raise ContentError(tr("is no Docker archive: it has no {name}", name=name), where=self._path, hint=hint)
        content = self._tar.read(name, _MAX_DOCUMENT)
        try:
            return bounded_json.loads(content, values=MAX_INDEX_VALUES)
        except ContentError as error:
            raise ContentError(tr("{name} is no JSON ({error})", name=name, error=error), where=self._path) from error


def _texts(item: Any, key: str, where: str) -> list[str]:
    """A list of strings in ``item``; empty for ``null``, which skopeo writes for an image without a name."""
    value = item.get(key) if isinstance(item, dict) else None
    if value is None and isinstance(item, dict):
        return []
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ContentError(tr("manifest.json has no list {key}", key=key), where=where)
    return value
