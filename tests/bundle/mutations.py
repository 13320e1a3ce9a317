# SPDX-License-Identifier: Apache-2.0
"""A signed bundle in every form, and ways to change it: single bits, and members or files added, removed, swapped."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from airgap.bundle import build_layout, open_bundle
from airgap.bundle.output_format import OutputFormat
from airgap.bundle.tail import with_signatures
from airgap.bundle.tar import END
from airgap.bundle.writer import BundleWriter
from airgap.errors import SignatureFailure
from airgap.flows.sign import Sign, sign_bundle
from airgap.transfer import Context, CopyOptions, Jobs, copy
from airgap.trust import bech32
from airgap.trust.age_crypto import x25519_public
from airgap.trust.age_header import Header
from airgap.trust.age_keys import find_file_key, parse_identities, parse_recipient
from airgap.trust.age_stream import Sealer
from tests.bundle.bundles import Content, TarMember, extras, joined, members_of
from tests.parts.images import Images

#: For whom bundles are sealed.
_SECRET = bytes(range(32))
RECIPIENT = parse_recipient(bech32.encode(x25519_public(_SECRET), "age"), where="")
(IDENTITY,) = parse_identities(bech32.encode(_SECRET, "age-secret-key-").upper().encode(), where="", ask=None)

#: The forms by the name of the bundle. Volumes are small enough for several of them.
FORMS = {
    "tar": "b.tar",
    "zstd": "b.tar.zst",
    "volumes": "b.tar",
    "sealed": "b.tar.age",
    "sealed volumes": "b.tar.age",
}
_VOLUME = 8192
Files = dict[str, bytes]
"""The content of a bundle's files by name, signatures beside it included."""


def make(folder: Path, form: str, *signers: Sign, detached: bool = False, volume_size: int = _VOLUME) -> Files:
    """Write a small bundle in this form and sign it."""
    images = Images(18)
    content = Content(
        images,
        {"quay.io/a/x:v1": images.two_platforms(size=3000), "quay.io/a/y:2": images.image(layers=[images.layer()])},
    )
    planned, sources = content.planned()
    inventory, layout = build_layout(planned, extras())
    if is_sealed(form) and not detached:
        # Nothing can be added to a sealed bundle: it is signed while it is made.
        made = [sign(inventory.to_bytes()) for sign in signers]
        layout, signers = with_signatures(layout, {one.name: one.content for one in made}), ()
    folder.mkdir(parents=True)
    output = OutputFormat(
        folder / FORMS[form],
        volume_size if is_split(form) else 0,
        sealer=Sealer([RECIPIENT]) if is_sealed(form) else None,
    )
    manifests = {digest: manifest.content for digest, manifest in planned.manifests.items()}
    writer = BundleWriter.begin(output.begin_draft(layout), layout, {**planned.inline_blobs, **manifests})
    order = layout.blobs if writer.ordered else None
    copy(planned, sources, {"bundle": writer}, Context(Jobs.of(1)), CopyOptions(verb="fetched", order=order))
    writer.finish()
    for sign in signers:
        with open_bundle(entry(folder, form), unseal=unseal) as bundle:
            sign_bundle(bundle, sign, detached=detached)
    return read(folder)


def is_sealed(form: str) -> bool:
    return form.startswith("sealed")


def is_split(form: str) -> bool:
    return form.endswith("volumes")


def unseal(header: Header, where: str) -> bytes:
    """Get the key of a sealed bundle of :func:`make`."""
    file_key = find_file_key(header.stanzas, [IDENTITY])
    if file_key is None:
        raise SignatureFailure("sealed for somebody else", where=where)
    return file_key


def entry(folder: Path, form: str) -> Path:
    """The path by which the bundle is opened."""
    return folder / (f"{FORMS[form]}.001" if is_split(form) else FORMS[form])


def read(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make ``folder`` hold these files and no others; only what differs is written."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)


def mutation(form: str, files: Files, chance: random.Random) -> tuple[str, Files]:
    """Change a bundle in one way, and say how. About half of the changes are single bits."""
    changes: list[Callable[[Files, random.Random], str]] = [_flip_bit] * 8
    changes += [_truncate, _append_zeros, _append_bytes, _append_itself, _drop_bytes]
    if is_split(form):
        changes += [_swap_volumes, _empty_volume]
    if form == "tar":
        changes += [_drop_member, _double_member, _swap_members, _add_member, _rename_signature, _change_padding] * 2
    while True:
        changed = dict(files)
        how = chance.choice(changes)(changed, chance)
        # Nobody reads the list of checksums to verify a bundle: it may even be missing.
        if {name: content for name, content in changed.items() if not name.endswith(".sha256")} != {
            name: content for name, content in files.items() if not name.endswith(".sha256")
        }:
            return how, changed


def tar_of(form: str, files: Mapping[str, bytes]) -> bytes | None:
    """The tar that the files hold for other programs; ``None`` where they cannot read it."""
    if form == "zstd":
        done = subprocess.run(["zstd", "-dc"], input=files[FORMS[form]], capture_output=True, check=False, timeout=60)
        return done.stdout if done.returncode == 0 else None
    if form == "volumes":
        return b"".join(content for name, content in sorted(files.items()) if re.search(r"\.\d{3}$", name))
    return files[FORMS[form]]


def _some(files: Files, chance: random.Random) -> str:
    names = [name for name, content in files.items() if content and not name.endswith(".sha256")]
    # Signatures beside the bundle are small: without this they would rarely be met.
    beside = [name for name in names if name.endswith((".minisig", ".p7s"))]
    return chance.choice(beside) if beside and chance.random() < 0.2 else chance.choice(names)


def _flip_bit(files: Files, chance: random.Random) -> str:
    name = _some(files, chance)
    changed = bytearray(files[name])
    # The ends of a file hold its frame, its middle what the images are made of.
    place = chance.choice([len(changed), min(4096, len(changed))])
    offset = len(changed) - 1 - chance.randrange(place)
    bit = chance.randrange(8)
    changed[offset] ^= 1 << bit
    files[name] = bytes(changed)
    return f"bit {bit} of byte {offset} of {name}"


def _truncate(files: Files, chance: random.Random) -> str:
    name = _some(files, chance)
    count = chance.choice([1, 512, len(END), chance.randrange(1, len(files[name]) + 1)])
    files[name] = files[name][:-count]
    return f"{name} without its last {count} bytes"


def _last(files: Files) -> str:
    return max(name for name, content in files.items() if content and ".tar" in name and not _is_beside(name))


def _is_beside(name: str) -> bool:
    return name.endswith((".minisig", ".p7s", ".sha256"))


def _append_zeros(files: Files, chance: random.Random) -> str:
    name, count = _last(files), chance.choice([1, 512, 10240])
    files[name] += bytes(count)
    return f"{name} with {count} zeros more"


def _append_bytes(files: Files, chance: random.Random) -> str:
    name, count = _some(files, chance), chance.choice([1, 512, 5000])
    files[name] += chance.randbytes(count)
    return f"{name} with {count} bytes more"


def _append_itself(files: Files, chance: random.Random) -> str:
    name = _some(files, chance)
    files[name] += files[name]
    return f"{name} twice in one file"


def _drop_bytes(files: Files, chance: random.Random) -> str:
    name = _some(files, chance)
    offset = chance.randrange(len(files[name]))
    count = chance.choice([1, 512])
    files[name] = files[name][:offset] + files[name][offset + count :]
    return f"{name} without {count} bytes at {offset}"


def _swap_volumes(files: Files, chance: random.Random) -> str:
    volumes = [name for name in files if re.search(r"\.\d{3}$", name)]
    first, second = chance.sample(volumes, 2)
    files[first], files[second] = files[second], files[first]
    return f"{first} and {second} swapped"


def _empty_volume(files: Files, chance: random.Random) -> str:
    name = chance.choice([name for name in files if re.search(r"\.\d{3}$", name)])
    files[name] = b""
    return f"{name} empty"


def _edit(files: Files, edit: Callable[[list[TarMember]], str]) -> str:
    parts = members_of(files["b.tar"])
    how = edit(parts)
    files["b.tar"] = joined(parts)
    return how


def _drop_member(files: Files, chance: random.Random) -> str:
    return _edit(files, lambda parts: f"without {parts.pop(chance.randrange(len(parts))).name}")


def _double_member(files: Files, chance: random.Random) -> str:
    def double(parts: list[TarMember]) -> str:
        part = chance.choice(parts)
        parts.insert(chance.randrange(len(parts) + 1), part)
        return f"{part.name} twice"

    return _edit(files, double)


def _swap_members(files: Files, chance: random.Random) -> str:
    def swap(parts: list[TarMember]) -> str:
        first, second = chance.sample(range(len(parts)), 2)
        parts[first], parts[second] = parts[second], parts[first]
        return f"{parts[first].name} and {parts[second].name} swapped"

    return _edit(files, swap)


def _add_member(files: Files, chance: random.Random) -> str:
    from airgap.bundle.tar import header

    def add(parts: list[TarMember]) -> str:
        name = chance.choice(["airgap/x", "airgap/signatures/x.minisig", "airgap/signatures/y", "x", "blobs/sha256/x"])
        place = chance.randrange(len(parts) + 1)
        parts.insert(place, TarMember(name, header(name, 3), b"abc"))
        return f"{name} added at {place}"

    return _edit(files, add)


def _rename_signature(files: Files, chance: random.Random) -> str:
    from airgap.bundle.tar import header

    def rename(parts: list[TarMember]) -> str:
        number = chance.choice([at for at, part in enumerate(parts) if part.name.endswith((".minisig", ".p7s"))] or [0])
        part = parts[number]
        name = f"airgap/signatures/{chance.getrandbits(64):016X}.minisig"
        parts[number] = TarMember(name, header(name, len(part.content)), part.content)
        return f"{part.name} called {name}"

    return _edit(files, rename)


def _change_padding(files: Files, chance: random.Random) -> str:
    from airgap.bundle.tar import padded_size

    offset, places = 0, []
    for part in members_of(files["b.tar"]):
        end = offset + len(part.header) + len(part.content)
        offset += len(part.header) + padded_size(len(part.content))
        places += [end] if end < offset else []
    changed = bytearray(files["b.tar"])
    place = chance.choice(places)
    changed[place] = 1
    files["b.tar"] = bytes(changed)
    return f"padding at byte {place}"
