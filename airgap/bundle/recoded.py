# SPDX-License-Identifier: Apache-2.0
"""What an inventory says about a recoded layer, and which blobs lie in the tar in its place.

A recoded layer is a gzip layer whose tar lies in the bundle as zstd, and whose gzip bytes an exact encoder makes again
(ADR 0053). Its *payload* is that zstd, its *raw* the uncompressed tar, its *prefix* the raw tar of an older layer that
the far side holds. Only bundles with such layers import this module.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from airgap import limits
from airgap.bundle.document_format import RECODED, dump_json, optional_list
from airgap.bundle.document_parts import Memory
from airgap.bundle.required_layers import RequiredLayer
from airgap.errors import BundleError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci.manifest import OCI_EMPTY, OCI_MANIFEST
from airgap.records import Record

#: The media type of payloads.
PAYLOAD_TYPE = "application/vnd.airgap.recoded.layer.v1+zstd"
#: The artifact type of the manifest that lists them for other programs.
ARTIFACT_TYPE = "application/vnd.airgap.recoded.v1"
#: The members that keep what the plain bundle has instead of its namesakes in the recoded one.
PLAIN_FOLDER = "airgap/plain/"
PLAIN_MEMBERS = ("index.json", "manifest.json")
#: Bytes of the raw tar in each zstd frame but the last, and the most of a prefix that one frame refers to.
SEGMENT_SIZE = 32 * 1024 * 1024
REGION_SIZE = 96 * 1024 * 1024
#: Bytes of a gzip header without optional fields (RFC 1952, 2.3).
HEADER_SIZE = 10
_EMPTY_CONFIG = b"{}"
#: What a recoded layer takes in memory, and each of its segments, in bytes.
_LAYER_MEMORY, _SEGMENT_MEMORY = 3000, 250


class Segment(Record):
    """One zstd frame of a payload: its ``size`` in bytes, and the ``offset`` in the prefix of what it refers to."""

    size: int
    offset: int = 0


class Prefix(Record):
    """The raw tar that the frames refer to, and the older ``layer`` that it is the content of."""

    digest: str
    size: int
    layer: RequiredLayer

    def to_json(self) -> dict[str, Any]:
        """Return the entry ``prefix`` of a recoded blob."""
        return {"digest": self.digest, "size": self.size, "layer": self.layer.to_json()}


class RecodedLayer(Record):
    """A recoded layer: the ``digest`` and ``size`` of its gzip bytes, and what they are made of.

    ``codec`` is the frozen name of an exact encoder, ``header`` the gzip header of :data:`HEADER_SIZE` bytes.
    """

    digest: str
    size: int
    payload: Descriptor
    raw_digest: str
    raw_size: int
    codec: str
    header: bytes
    segments: tuple[Segment, ...]
    prefix: Prefix | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what the inventory's entry of the blob has besides digest, size and media type."""
        segments = [[segment.size, segment.offset] for segment in self.segments]
        return {
            "form": RECODED,
            "payload": {"digest": self.payload.digest, "size": self.payload.size, "segments": segments},
            "raw": {"digest": self.raw_digest, "size": self.raw_size},
            **({"prefix": self.prefix.to_json()} if self.prefix else {}),
            "codec": self.codec,
            "header": base64.b64encode(self.header).decode(),
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any], memory: Memory) -> RecodedLayer:
        """Parse a blob's entry; ``memory`` counts what is kept.

        Raises :class:`BundleError`, KeyError, TypeError or ValueError.
        """
        layer = Descriptor.from_json(entry)
        payload = Descriptor.from_json({"mediaType": PAYLOAD_TYPE, **entry["payload"]})
        raw = Descriptor.from_json(entry["raw"])
        prefix = _parse_prefix(entry["prefix"], memory) if entry.get("prefix") is not None else None
        segments = tuple(_parse_segment(pair) for pair in optional_list(entry["payload"]["segments"]))
        header = base64.b64decode(entry["header"], validate=True)
        codec = entry["codec"]
        if not isinstance(codec, str) or not codec.isprintable() or len(codec) > 64 or len(header) != HEADER_SIZE:
            raise BundleError(tr("its inventory says of {digest} how to restore it, unreadably", digest=layer.digest))
        recoded = cls(layer.digest, layer.size, payload, raw.digest, raw.size, codec, header, segments, prefix)
        recoded._check()
        memory.add(_LAYER_MEMORY + _SEGMENT_MEMORY * len(segments))
        return recoded

    def raw_size_of(self, number: int) -> int:
        """Return how many bytes of the raw tar the frame ``number`` (from 0) has."""
        return min(SEGMENT_SIZE, self.raw_size - number * SEGMENT_SIZE)

    def _check(self) -> None:
        for name, size in (
            ("recoded-layer-bytes", self.raw_size),
            ("recoded-prefix-bytes", self.prefix.size if self.prefix else 0),
        ):
            if size > limits.value(name):
                raise BundleError(
                    tr("the uncompressed layer {digest} would have {size} bytes; at most {limit} are restored",
                       digest=self.digest, size=size, limit=limits.value(name)),
                    hint=tr("if it is right, raise the limit: {setting}", setting=f"AIRGAP_LIMITS={name}={size}"),
                )  # fmt: skip
        frames = -(-self.raw_size // SEGMENT_SIZE)
        fits = sum(segment.size for segment in self.segments) == self.payload.size and len(self.segments) == frames
        end = self.prefix.size if self.prefix else 0
        if not fits or any(segment.offset > end for segment in self.segments):
            raise BundleError(tr("its inventory contradicts itself about the payload of {digest}", digest=self.digest))


def check_recoded(recoded: Mapping[str, RecodedLayer], uses: Mapping[str, object], roots: Iterable[str]) -> None:
    """Raise :class:`BundleError` if ``uses`` does not say which of ``roots`` need recoded layers."""
    if recoded and any(root not in uses for root in roots):
        raise BundleError(tr("its inventory does not say which images need recoded layers"))


def stored_blobs(blobs: Sequence[Descriptor], recoded: Mapping[str, RecodedLayer]) -> tuple[Descriptor, ...]:
    """Return what lies in the tar: the artifact for other programs, and ``blobs`` with payloads in place of layers."""
    stored = {blob.digest: blob for blob in artifact_blobs(recoded)}
    for blob in blobs:
        lying = recoded[blob.digest].payload if blob.digest in recoded else blob
        stored.setdefault(lying.digest, lying)
    return tuple(stored.values())


def artifact_contents(recoded: Mapping[str, RecodedLayer]) -> dict[str, bytes]:
    """Return the manifest that lists all payloads, so that other programs can copy them, and its config, by digest."""
    payloads = {layer.payload.digest: layer.payload for layer in recoded.values()}
    manifest = dump_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": ARTIFACT_TYPE,
            "config": Descriptor(OCI_EMPTY, digests.of(_EMPTY_CONFIG), len(_EMPTY_CONFIG)).to_json(),
            "layers": [payload.to_json() for payload in payloads.values()],
        }
    )
    return {digests.of(manifest): manifest, digests.of(_EMPTY_CONFIG): _EMPTY_CONFIG}


def artifact_blobs(recoded: Mapping[str, RecodedLayer]) -> list[Descriptor]:
    """Return the descriptors of :func:`artifact_contents`: the manifest, then its config."""
    types = (OCI_MANIFEST, OCI_EMPTY)
    contents = artifact_contents(recoded).items()
    return [
        Descriptor(media_type, digest, len(content))
        for media_type, (digest, content) in zip(types, contents, strict=True)
    ]


def prefixes_of(layers: Collection[RecodedLayer]) -> list[Prefix]:
    """Return the prefixes that ``layers`` need, each raw tar once."""
    return list({layer.prefix.digest: layer.prefix for layer in layers if layer.prefix}.values())


def _parse_prefix(entry: Mapping[str, Any], memory: Memory) -> Prefix:
    raw = Descriptor.from_json(entry)
    return Prefix(raw.digest, raw.size, RequiredLayer.from_json(entry["layer"], memory))


def _parse_segment(pair: Any) -> Segment:
    if not isinstance(pair, list) or len(pair) != 2 or not all(type(number) is int and number >= 0 for number in pair):
        raise BundleError(tr("its inventory lists a frame that is none: {pair!r}", pair=str(pair)[:80]))
    return Segment(*pair)
