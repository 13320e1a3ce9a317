# SPDX-License-Identifier: Apache-2.0
"""Bundles for the tests: made from content in memory by plan, build_layout, copy and the writer, or taken apart and
put together again with something changed.

Taking apart goes by Python's ``tarfile``, so that a mistake in our own tar shows.
"""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airgap.bundle import BundleWriter, Extras, Inventory, Resource, build_layout, open_bundle
from airgap.bundle.folder.draft import FolderDraft
from airgap.bundle.program import PYZ_MEMBER, Program
from airgap.bundle.tar import END, header, padded_size
from airgap.flows.verify import VerifyResult, verify
from airgap.oci import Descriptor, Platform
from airgap.oci import digest as digests
from airgap.store import MemoryStore
from airgap.transfer import Context, CopyOptions, Destination, Jobs, Plan, Root, copy, plan
from tests.parts.images import Images

INVENTORY = "airgap/bundle.json"
YAML = b"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: quay.io/a/x:v1\n"


class Source(MemoryStore):
    """Content in memory that also knows referrers, as a registry does."""

    def __init__(self, images: Images, names: Mapping[str, Descriptor]) -> None:
        super().__init__()
        self.about: dict[str, list[Descriptor]] = {}
        images.push_to(self, names)

    def referrers(self, digest: str) -> Sequence[Descriptor]:
        return self.about.get(digest, [])


@dataclass(frozen=True)
class Content:
    """Images with the references they are exported under."""

    images: Images
    names: dict[str, Descriptor]

    def planned(
        self,
        *,
        order: Sequence[str] | None = None,
        platforms: Sequence[str] = (),
        referrers: Mapping[str, Sequence[Descriptor]] | None = None,
    ) -> tuple[Plan, dict[str, Source]]:
        """A plan for all of it, roots in ``order``; ``referrers`` are by the digest they speak of."""
        source = Source(self.images, self.names)
        for digest, found in (referrers or {}).items():
            source.about[digest] = list(found)
            self.images.push_to(source, {one.digest: one for one in found})
        roots = [Root(name, "source", name, (Destination("bundle"),)) for name in order or list(self.names)]
        wanted = [Platform.parse(platform) for platform in platforms]
        planned = plan(roots, {"source": source}, platforms=wanted, referrers=referrers is not None)
        assert planned.failures == []
        return planned, {"source": source}

    def write(
        self, path: Path, extras: Extras | None = None, *, jobs: int = 3, folder: bool = False, **how: Any
    ) -> Inventory:
        """Make a bundle of it, a tar or a folder."""
        planned, sources = self.planned(**how)
        inventory, layout = build_layout(planned, extras or Extras())
        if folder:
            writer = BundleWriter.begin(FolderDraft.begin(path, layout), layout, {})
        else:
            writer = BundleWriter.create(path, layout)
        try:
            copy(
                planned,
                sources,
                {"bundle": writer},
                Context(Jobs.of(1 if writer.ordered else jobs)),
                CopyOptions(verb="fetched"),
            )
            writer.finish()
        finally:
            writer.discard()
        return inventory


def usual(seed: int = 1) -> Content:
    """Every shape at once: an attested index, one image, a Docker list, one known by digest alone, one pinned beside
    a plain tag, one tagged and pinned, and an artifact; layers shared among them."""
    images = Images(seed)
    base = images.layer(size=3000)
    attested, listed = images.two_platforms(attested=True, size=2000), images.two_platforms(docker=True)
    single, older = images.image(layers=[base, images.layer()]), images.image(layers=[base])
    pinned, artifact = images.image(layers=[base, images.layer(size=700)]), images.artifact()
    return Content(
        images,
        {
            "quay.io/a/x:v1": attested,
            "quay.io/a/single:1.0": single,
            "docker.io/library/redis:7": listed,
            f"quay.io/a/known@{older.digest}": older,
            f"quay.io/a/single:1.0@{pinned.digest}": pinned,
            f"10.100.0.102:32415/b/both:2@{single.digest}": single,
            "ghcr.io/c/chart:0.1": artifact,
        },
    )


def extras() -> Extras:
    """Two resource files and all the rest."""
    files = (Resource("deploy/a.yaml", YAML), Resource("한글/b.yaml", YAML * 20))
    program = Program(PYZ_MEMBER, b"#!/usr/bin/env python3\n" + b"z" * 700)
    return Extras(files, program, "platform", "1.10", b"what is new")


def check(path: Path) -> VerifyResult:
    """What ``airgap verify`` does."""
    with open_bundle(path) as bundle:
        return verify(bundle, Context(Jobs.of(1)))


@dataclass
class TarMember:
    """One member as it stands in the file: its header blocks and its content without padding."""

    name: str
    header: bytes
    content: bytes

    @property
    def bytes(self) -> bytes:
        return self.header + self.content.ljust(padded_size(len(self.content)), b"\0")


def members_of(bundle: bytes) -> list[TarMember]:
    """The members of a bundle, by ``tarfile``."""
    with tarfile.open(fileobj=io.BytesIO(bundle)) as tar:
        return [
            TarMember(
                f"{member.name}/" if member.isdir() else member.name,
                bundle[member.offset : member.offset_data],
                bundle[member.offset_data : member.offset_data + member.size],
            )
            for member in tar
        ]


def joined(parts: Sequence[TarMember]) -> bytes:
    return b"".join(part.bytes for part in parts) + END


def member(name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, link: str = "") -> TarMember:
    """A member of any kind, as another program writes it."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, len(content)
    return TarMember(name, made.tobuf(tarfile.USTAR_FORMAT), content)


def changed(
    bundle: bytes, edit: Callable[[dict[str, Any]], object], *, more: Mapping[str, bytes] | None = None
) -> bytes:
    """The bundle with its inventory edited, and with the content of members of its head replaced by ``more``: a
    forger's work, so every checksum that he could mend is right."""
    more = dict(more or {})
    parts = {part.name: part for part in members_of(bundle)}
    document = json.loads(parts[INVENTORY].content)
    del document["check"]
    for name, content in more.items():
        document["members"][name] = digests.of(content)
    edit(document)
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()[:-1]
    more[INVENTORY] = body + b',"check":"' + digests.of(body).encode() + b'"}'
    for name, content in more.items():
        parts[name] = TarMember(name, header(name, len(content)), content)
    return joined(list(parts.values()))


def flipped(bundle: bytes, offset: int, bit: int = 0) -> bytes:
    copied = bytearray(bundle)
    copied[offset] ^= 1 << bit
    return bytes(copied)


def shuffled(names: Mapping[str, Descriptor], seed: int) -> list[str]:
    order = list(names)
    random.Random(seed).shuffle(order)
    return order
