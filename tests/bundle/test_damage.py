# SPDX-License-Identifier: Apache-2.0
"""Bad bundles: each is refused with its own class of error and one clear sentence, whatever was done to it."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airgap.bundle import open_bundle
from airgap.bundle.tar import END, header, read_member
from airgap.errors import AirgapError, BundleError, ContentError, DigestMismatch, UnsupportedBundle
from airgap.oci import digest as digests
from tests.bundle.bundles import (
    INVENTORY,
    Content,
    TarMember,
    changed,
    check,
    extras,
    flipped,
    joined,
    member,
    members_of,
)
from tests.cli.command import Airgap
from tests.parts.images import Images, gzip_of, tar_of

NAME = "quay.io/a/x:v1"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small bundle with everything that a head can hold."""
    path = tmp_path_factory.mktemp("damage") / "b.tar"
    images = Images(2)
    root, other = images.two_platforms(attested=True), images.image(layers=1)
    Content(images, {NAME: root, "quay.io/a/other:1": other}).write(path, extras())
    check(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a bad bundle goes, one after the other."""
    return tmp_path_factory.mktemp("damage") / "spoilt.tar"


@pytest.fixture
def airgap(tmp_path: Path) -> Airgap:
    (tmp_path / "work").mkdir()
    (tmp_path / "user").mkdir()
    return Airgap(tmp_path / "work", tmp_path / "user")


def refused(path: Path, content: bytes, kind: type[AirgapError] = BundleError, match: str | None = None) -> AirgapError:
    """Neither opening nor verifying takes it; the message says which file."""
    path.write_bytes(content)
    with pytest.raises(kind, match=match) as caught:
        check(path)
    assert str(path) in str(caught.value)
    assert f"{path}: {path}" not in str(caught.value)
    return caught.value


def code_of(path: Path) -> int:
    """The exit code of ``airgap verify``; what is no error of ours comes through."""
    try:
        check(path)
    except AirgapError as error:
        return error.exit_code
    return 0


def zipped(_: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("oci-layout", b"{}")
    return made.getvalue()


NO_BUNDLES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda _: b"", "does not begin with oci-layout"),
    "text": (lambda _: b"apiVersion: v1\n" * 100, "does not begin with oci-layout"),
    "zeros": (lambda _: bytes(20_000), "does not begin with oci-layout"),
    "zip": (zipped, "does not begin with oci-layout"),
    "another tar": (lambda _: tar_of({"etc/passwd": b"x"}), "does not begin with oci-layout"),
    "an OCI layout": (
        lambda good: joined([part for part in members_of(good) if not part.name.startswith("airgap")]),
        "an OCI layout, but no airgap bundle",
    ),
    "gzip": (gzip_of, "compressed with gzip"),
    "gzip of gzip's own": (gzip.compress, "compressed with gzip"),
    "xz": (lzma.compress, "compressed with xz"),
    "bzip2": (bz2.compress, "compressed with bzip2"),
    "zstd": (lambda good: b"\x28\xb5\x2f\xfd" + good, "zstd cannot unpack it"),
    "one block too early": (lambda good: good[512:], "does not begin with oci-layout"),
}


@pytest.mark.parametrize("name", NO_BUNDLES)
def test_what_is_no_bundle(spoilt: Path, good: bytes, name: str) -> None:
    make, says = NO_BUNDLES[name]
    error = refused(spoilt, make(good), match=says)
    assert (error.exit_code, bool(error.hint)) == (40, True)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, says in (
        (tmp_path, "this is a folder"),
        (tmp_path / "pipe", "no regular file"),
        (tmp_path / "none", "No such file"),
    ):
        with pytest.raises(BundleError, match=says) as caught:
            open_bundle(path)
        assert str(path) in str(caught.value)
    assert f"{path}: {path}" not in str(caught.value)


def test_no_handle_is_left_open(spoilt: Path, good: bytes) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for content in (
        b"",
        good[:5000],
        flipped(good, good.index(b'"manifests"')),
        changed(good, lambda d: d.pop("images")),
    ):
        refused(spoilt, content, AirgapError)
    assert len(os.listdir("/proc/self/fd")) == before


@settings(max_examples=60)
@given(st.data())
def test_cut_short_anywhere(spoilt: Path, good: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(good) - 1))
    assert refused(spoilt, good[:at]).exit_code == 40


@pytest.mark.parametrize("missing", [1, 511, 512, 513, 1023, 1024, 1025, 2000])
def test_cut_short_at_the_end(spoilt: Path, good: bytes, missing: int) -> None:
    error = refused(spoilt, good[:-missing], match="cut short")
    assert error.hint


def test_cut_short_in_the_layers_says_how_much_is_missing(spoilt: Path, good: bytes) -> None:
    refused(spoilt, good[:-3000], match=rf"it should have {len(good):,} bytes and has {len(good) - 3000:,}")


def test_something_behind_the_end(spoilt: Path, good: bytes) -> None:
    spoilt.write_bytes(good + bytes(10_240))
    check(spoilt)
    refused(spoilt, good + bytes(700) + b"x", match="something behind its end")
    refused(spoilt, flipped(good, len(good) - 5), match="something behind its end")


def regions(bundle: bytes) -> dict[str, range]:
    """The parts of a bundle by what they are for, and where they lie."""
    found: dict[str, range] = {}
    offset = 0
    for part in members_of(bundle):
        found[f"header of {part.name}"] = range(offset, offset + len(part.header))
        data = offset + len(part.header)
        found[f"content of {part.name}"] = range(data, data + len(part.content))
        offset += len(part.bytes)
        found[f"padding of {part.name}"] = range(data + len(part.content), offset)
    found["end"] = range(offset, len(bundle))
    return {name: where for name, where in found.items() if len(where)}


@settings(max_examples=150)
@given(st.data())
def test_one_flipped_bit_anywhere(spoilt: Path, good: bytes, data: st.DataObject) -> None:
    where = data.draw(st.sampled_from(sorted(regions(good).items(), key=lambda item: item[1].start)))[1]
    offset, bit = data.draw(st.sampled_from(where)), data.draw(st.integers(0, 7))
    error = refused(spoilt, flipped(good, offset, bit), AirgapError)
    assert error.exit_code in (30, 31, 40, 41)


@pytest.mark.parametrize("field", [100, 108, 116, 135, 136, 147, 148, 153, 155, 157, 263, 265, 297, 329, 345, 500, 511])
def test_a_flipped_bit_that_a_checksum_need_not_show(spoilt: Path, good: bytes, field: int) -> None:
    """Bits of a header that lenient readers pass over: blanks for zeros, what is behind a name's end."""
    for name in ("index.json", "airgap/", "blobs/sha256/"):
        start = regions(good)[f"header of {name}"].start
        for bit in (0, 4, 5):
            refused(spoilt, flipped(good, start + field, bit))


@pytest.mark.parametrize("where", ["header", "content", "padding"])
def test_damage_to_a_blob_names_its_images(spoilt: Path, good: bytes, where: str) -> None:
    places = regions(good)
    layers = {part.name for part in members_of(good) if part.content.startswith(b"\x1f\x8b")}
    assert len(layers) >= 3
    for name in sorted(layers):
        place = places.get(f"{where} of {name}")
        if place is None:
            continue
        error = refused(spoilt, flipped(good, place.start + 1), DigestMismatch, "is damaged, and with it quay.io/a/")
        assert f"sha256:{name.rpartition('/')[2]}" in str(error)
        assert error.exit_code == 31
        assert error.hint


def test_damage_to_a_shared_layer_names_all_its_images(spoilt: Path, tmp_path: Path) -> None:
    images = Images(20)
    base = images.layer(size=5000)
    names = {f"quay.io/a/n{number}:1": images.image(layers=[base, images.layer()]) for number in range(3)}
    names["quay.io/a/apart:1"] = images.image()
    Content(images, names).write(tmp_path / "b")
    raw = (tmp_path / "b").read_bytes()
    at = raw.index(images.content[base.descriptor.digest]) + 100
    error = refused(spoilt, flipped(raw, at), DigestMismatch, r"n0:1, quay\.io/a/n1:1, quay\.io/a/n2:1")
    assert "apart" not in str(error)


def test_damage_to_a_manifest_names_its_image(spoilt: Path, tmp_path: Path) -> None:
    images = Images(21)
    root = images.two_platforms(attested=True)
    Content(images, {NAME: root, "quay.io/a/other:1": images.image()}).write(tmp_path / "b")
    raw = (tmp_path / "b").read_bytes()
    at = raw.index(images.content[root.digest]) + 10
    error = refused(spoilt, flipped(raw, at), DigestMismatch, f"and with it {NAME}")
    assert "other" not in str(error)


def child_of(images: Images, root_digest: str) -> str:
    return str(json.loads(images.content[root_digest])["manifests"][1]["digest"])


def test_damage_to_a_manifest_inside_an_index_names_its_image(spoilt: Path, tmp_path: Path) -> None:
    images = Images(22)
    root = images.two_platforms()
    Content(images, {NAME: root}).write(tmp_path / "b")
    raw = (tmp_path / "b").read_bytes()
    at = raw.index(images.content[child_of(images, root.digest)]) + 10
    refused(spoilt, flipped(raw, at), DigestMismatch, f"and with it {NAME}")


EVIL = {
    "leading out": (member("../x", b"evil"), "'../x' is not allowed"),
    "leading out deep": (member("airgap/../../x", b"evil"), "is not allowed"),
    "absolute": (member("/etc/cron.d/x", b"evil"), "'/etc/cron.d/x' is not allowed"),
    "backslash": (member("airgap\\..\\x", b"evil"), "is not allowed"),
    "dot": (member("./index.json", b"{}"), "is not allowed"),
    "empty part": (member("airgap//x", b"{}"), "is not allowed"),
    "control character": (member("airgap/\x1b[2J", b"{}"), "is not allowed"),
    "symbolic link": (member("airgap/resources/l", kind=tarfile.SYMTYPE, link="/etc/passwd"), "is a symbolic link"),
    "hard link": (member("airgap/resources/l", kind=tarfile.LNKTYPE, link="index.json"), "is a hard link"),
    "device": (member("airgap/null", kind=tarfile.CHRTYPE), "plain files and folders"),
    "pipe": (member("airgap/pipe", kind=tarfile.FIFOTYPE), "plain files and folders"),
    "GNU long name": (member("././@LongLink", b"x" * 200, kind=tarfile.GNUTYPE_LONGNAME), "plain files and folders"),
    "sparse": (member("airgap/sparse", kind=tarfile.GNUTYPE_SPARSE), "plain files and folders"),
    "unlisted": (member("airgap/more", b"evil"), "airgap/more is not in its inventory"),
    "at home nowhere": (member("etc/passwd", b"evil"), "'etc/passwd' has no place"),
    "unlisted folder": (member("airgap/more/", kind=tarfile.DIRTYPE), "airgap/more/ has no place"),
    "folder among blobs": (member("blobs/sha1/", kind=tarfile.DIRTYPE), "blobs/sha1/ has no place"),
    "twice": (member("index.json", b"{}"), "'index.json' has no place"),
}


@pytest.mark.parametrize("where", ["front", "head"])
@pytest.mark.parametrize("trick", EVIL)
def test_path_tricks_in_the_head(spoilt: Path, good: bytes, trick: str, where: str) -> None:
    evil, says = EVIL[trick]
    parts = members_of(good)
    number = 1 if where == "front" else next(n for n, part in enumerate(parts) if part.name == "blobs/")
    if trick == "twice" and where == "front":
        number = 2
    error = refused(spoilt, joined([*parts[:number], evil, *parts[number:]]), match=says)
    assert error.exit_code == 40


@pytest.mark.parametrize("trick", EVIL)
def test_path_tricks_among_and_behind_the_blobs(spoilt: Path, good: bytes, trick: str) -> None:
    evil, _ = EVIL[trick]
    parts = members_of(good)
    refused(spoilt, joined([*parts[:-2], evil, *parts[-2:]]), AirgapError)
    refused(spoilt, joined([*parts, evil]), BundleError)


def test_a_folder_with_a_size_goes_nowhere(spoilt: Path, good: bytes) -> None:
    """A size that leads back to the same header must not be walked for ever."""
    parts = members_of(good)
    for size in (
        b"-0000001000\0",
        b"00000001000\0",
        b"\xff" + b"\xff" * 9 + b"\xfe\x00",
        b"0000_001000\0",
        b"+0000001000\0",
    ):
        made = tarfile.TarInfo("blobs/sha512/")
        made.type = tarfile.DIRTYPE
        block = bytearray(made.tobuf(tarfile.USTAR_FORMAT))
        block[124:136] = size
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        for number in (1, len(parts) - 1, len(parts)):
            refused(spoilt, joined([*parts[:number], TarMember("", bytes(block), b""), *parts[number:]]))


@pytest.mark.parametrize("size", [b"-0000001000\0", b"+0000001000\0", b"0000_001000\0", b"0x000001000\0", b"\xff" * 12])
def test_sizes_that_are_no_octal_numbers(tmp_path: Path, size: bytes) -> None:
    block = bytearray(header("airgap/x", 0))
    block[124:136], block[148:156] = size, b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    (tmp_path / "b").write_bytes(bytes(block) + END)
    with (tmp_path / "b").open("rb") as file, pytest.raises(BundleError, match="is no tar header"):
        read_member(partial(os.pread, file.fileno()), 0, 1 << 40)


def test_extended_headers(spoilt: Path, good: bytes) -> None:
    def extended(records: bytes, size: int | None = None) -> TarMember:
        made = tarfile.TarInfo("PaxHeaders/x")
        made.type, made.size = tarfile.XHDTYPE, len(records) if size is None else size
        return TarMember("", made.tobuf(tarfile.USTAR_FORMAT), records)

    parts = members_of(good)
    for records in (
        b"",
        b"x",
        b"12 path=../x\n",
        b"0 path=x\n",
        b"99 path=x\n",
        b"-1 path=x\n",
        b"11 path=\xff\xfe\n",
        b"12 size=9999\n",
    ):
        refused(spoilt, joined([parts[0], extended(records), *parts[1:]]))
    refused(spoilt, joined([parts[0], extended(b"", 5 * 1024**3), *parts[1:]]))
    refused(spoilt, joined([parts[0], extended(b"19 path=oci-layout\n"), extended(b"11 path=xx\n"), *parts[1:]]))
    # A path that other readers would take and that hides another header's name.
    name = b"path=airgap/bundle.json\n"
    refused(spoilt, joined([*parts[:4], extended(b"%d %s" % (len(name) + 3, name)), *parts[4:]]))


ABSENT = {"digest": "sha256:" + "0" * 64, "size": 5}
LIES: dict[str, tuple[Callable[[dict[str, Any]], object], type[AirgapError], str]] = {
    "a newer format": (lambda d: d.update(format=2), UnsupportedBundle, "needs format 2"),
    "an unknown feature": (lambda d: d.update(features=["volumes/2"]), UnsupportedBundle, "needs volumes/2"),
    "an unknown form": (lambda d: d["blobs"][0].update(form="zstd:frames"), UnsupportedBundle, "needs zstd:frames"),
    "a blob twice": (lambda d: d["blobs"].append(d["blobs"][0]), BundleError, "lists a blob twice"),
    "an image twice": (lambda d: d["images"].append(d["images"][0]), BundleError, "lists the image .* twice"),
    "a resource twice": (lambda d: d["resources"].append(d["resources"][0]), BundleError, "deploy/a.yaml twice"),
    "a blob less": (lambda d: (d.pop("uses"), d["blobs"].pop()), BundleError, "has no place in a bundle"),
    "an image of no blob": (
        lambda d: d["uses"].update({d["images"][0]["digest"]: [len(d["blobs"])]}),
        BundleError,
        "lists nothing usable",
    ),
    "a requirement that is there": (
        lambda d: d["requires"].append({**d["blobs"][-1], "repositories": [], "from": None}),
        BundleError,
        "or one that is in the bundle",
    ),
    "a requirement that no image has": (
        lambda d: (d.pop("uses"), d["requires"].append({**ABSENT, "repositories": [], "from": None})),
        BundleError,
        "does not say which images",
    ),
    "a requirement without a place": (
        lambda d: d["requires"].append({**ABSENT, "repositories": ["../x"], "from": None}),
        BundleError,
        "unreadable",
    ),
    "a requirement from nowhere": (
        lambda d: d["requires"].append({**ABSENT, "repositories": [], "from": "sha256:1"}),
        BundleError,
        "no ID",
    ),
    "a layer that is said to be elsewhere": (
        lambda d: (
            d["requires"].append({**ABSENT, "repositories": ["quay.io/a/x"], "from": None}),
            d["uses"].update({d["images"][0]["digest"]: [len(d["blobs"])]}),
        ),
        BundleError,
        "index.json and the inventory do not agree",
    ),
    "a blob more": (
        lambda d: d["blobs"].append({"digest": "sha256:" + "0" * 64, "size": 5, "form": "plain"}),
        BundleError,
        "cut short",
    ),
    "another order": (lambda d: d["blobs"].reverse(), AirgapError, "damaged|cut short"),
    "a larger blob": (lambda d: d["blobs"][-1].update(size=d["blobs"][-1]["size"] + 1), AirgapError, "damaged"),
    "a huge blob": (lambda d: d["blobs"][-1].update(size=(1 << 62) - 1), BundleError, "cut short"),
    "a blob beyond numbers": (lambda d: d["blobs"][-1].update(size=1 << 200), BundleError, "unreadable"),
    "a negative blob": (lambda d: d["blobs"][-1].update(size=-512), BundleError, "unreadable"),
    "a fraction of a blob": (lambda d: d["blobs"][-1].update(size=1.5), BundleError, "unreadable"),
    "an unknown digest": (lambda d: d["blobs"][-1].update(digest="md5:" + "0" * 32), BundleError, "unreadable"),
    "a digest that is a path": (lambda d: d["blobs"][0].update(digest="sha256:../../x"), BundleError, "unreadable"),
    "no blobs": (lambda d: d.pop("blobs"), BundleError, "unreadable"),
    "blobs of another shape": (lambda d: d.update(blobs={"a": 1}), BundleError, "unreadable"),
    "an image that is not there": (
        lambda d: d["images"][0].update(digest="sha256:" + "0" * 64),
        BundleError,
        "its inventory has no manifest",
    ),
    "another image under the name": (
        lambda d: [d["images"][0].update({k: d["images"][1][k] for k in ("digest", "size", "mediaType")})],
        BundleError,
        "do not agree on",
    ),
    "another name": (lambda d: d["images"][0].update(reference="evil.example/x:1"), BundleError, "do not agree on"),
    "an image less": (lambda d: d["images"].pop(), BundleError, "do not agree on"),
    "no reference": (lambda d: d["images"][0].update(reference="UPPER/case:"), BundleError, "unreadable"),
    "a referrer that is not there": (
        lambda d: d.update(referrers={"sha256:" + "0" * 64: d["images"][0]["digest"]}),
        BundleError,
        "no such blob",
    ),
    "a name of another kind": (lambda d: d.update(name=5), BundleError, "unreadable"),
    "a name of half a character": (lambda d: d.update(name="\\ud800"), BundleError, "damaged"),
    "a tool of another kind": (lambda d: d.update(tool=["airgap"]), BundleError, "unreadable"),
    "half a character": (lambda d: d["blobs"][0].update(mediaType="\\ud800"), BundleError, "damaged"),
    "a member's hash": (lambda d: d["members"].update({"manifest.json": "sha256:0"}), DigestMismatch, "manifest.json"),
    "a member more": (
        lambda d: d["members"].update({"airgap/more": "sha256:0"}),
        BundleError,
        "airgap/more is missing",
    ),
    "a member less": (lambda d: d["members"].pop("manifest.json"), BundleError, "is not in its inventory"),
    "no members": (lambda d: d.update(members={}, resources=[]), BundleError, "is not in its inventory"),
    "a resource out of the folder": (lambda d: d["resources"][0].update(name="../a.yaml"), BundleError, "leads out"),
    "a resource at the root": (lambda d: d["resources"][0].update(name="/etc/a.yaml"), BundleError, "leads out"),
    "a resource on another system": (lambda d: d["resources"][0].update(name="C:\\a.yaml"), BundleError, "leads out"),
    "a resource without name": (lambda d: d["resources"][0].update(name=""), BundleError, "leads out"),
    "a resource that is not there": (
        lambda d: d["resources"][0].update(member="airgap/resources/9.yaml"),
        BundleError,
        "no member for the resource file",
    ),
    "a resource that is none": (
        lambda d: d["resources"][0].update(member="airgap/airgap.pyz"),
        BundleError,
        "no member for the resource file",
    ),
    "a list": (lambda d: d.clear(), BundleError, "unreadable"),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_inventory_that_lies(spoilt: Path, good: bytes, lie: str) -> None:
    edit, kind, says = LIES[lie]
    content = changed(good, edit)
    if lie.endswith("half a character"):
        parts = members_of(content)
        body = next(part for part in parts if part.name == INVENTORY)
        body.content = body.content.replace(b"\\\\ud800", b"\\ud800")
        body.header = header(INVENTORY, len(body.content))
        content = joined(parts)
    error = refused(spoilt, content, kind, says)
    assert error.exit_code in (40, 41, 31)
    if kind is UnsupportedBundle:
        assert "airgap" in str(error)
        assert error.hint


def test_a_forgers_inventory_is_taken_if_it_tells_the_truth(spoilt: Path, good: bytes) -> None:
    """The tests above refuse for what they say, not for having been made by hand; keys unknown to us mean nothing."""
    spoilt.write_bytes(changed(good, lambda d: d.update(more={"x": 1})))
    check(spoilt)


def test_a_name_changed_in_the_inventory_alone(spoilt: Path, good: bytes) -> None:
    """Nothing else in the bundle speaks of these words: the inventory's own check does."""
    for word in (b"deploy/a.yaml", b'"tool":"airgap', b'"platform"', b"linux/arm64"):
        content = flipped(good, good.index(word, good.index(INVENTORY.encode())) + 3)
        refused(spoilt, content, match="airgap/bundle.json is damaged")


def index_with(good: bytes, edit: Callable[[list[dict[str, Any]]], object]) -> bytes:
    document = json.loads(next(part.content for part in members_of(good) if part.name == "index.json"))
    edit(document["manifests"])
    return changed(good, lambda _: None, more={"index.json": json.dumps(document).encode()})


def test_an_index_that_lies(spoilt: Path, good: bytes) -> None:
    def rename(entries: list[dict[str, Any]]) -> None:
        entries[0]["annotations"]["io.containerd.image.name"] = "evil.example/x:1"

    for edit, says in (
        (rename, "do not agree on"),
        (lambda entries: entries.pop(), "do not agree on"),
        (lambda entries: entries.append(entries[0]), "twice"),
        (lambda entries: entries[0].update(digest="sha256:" + "0" * 64), "not in the inventory"),
        (lambda entries: entries[0].update(size=7), "not in the inventory"),
        (lambda entries: entries[0].update(digest=entries[1]["digest"], size=entries[1]["size"]), "do not agree on"),
    ):
        refused(spoilt, index_with(good, edit), BundleError, says)
    refused(spoilt, changed(good, lambda _: None, more={"index.json": b"no JSON"}), ContentError, "not JSON")


def test_deep_and_huge_documents(spoilt: Path, good: bytes) -> None:
    parts = members_of(good)
    number = next(number for number, part in enumerate(parts) if part.name == INVENTORY)
    for content in (b"[" * 100_000, b'{"a":' * 100_000, b"9" * 100_000, b"\xff" * 10, b"", b"null", b"[]", b'"format"'):
        evil = TarMember(INVENTORY, header(INVENTORY, len(content)), content)
        refused(spoilt, joined([*parts[:number], evil, *parts[number + 1 :]]), match="unreadable")
    refused(spoilt, changed(good, lambda _: None, more={"index.json": b"[" * 100_000}), ContentError)
    claims = TarMember(INVENTORY, header(INVENTORY, 1 << 40), b"")
    refused(spoilt, joined([*parts[:number], claims, *parts[number + 1 :]]), match="cut short")


def test_a_member_larger_than_is_read_at_once(spoilt: Path, good: bytes) -> None:
    number = next(number for number, part in enumerate(members_of(good)) if part.name == INVENTORY)
    front = b"".join(part.bytes for part in members_of(good)[:number])
    with spoilt.open("wb") as file:
        file.write(front + header(INVENTORY, 300 << 20))
        file.truncate(len(front) + (400 << 20))
    with pytest.raises(BundleError, match="at most"):
        open_bundle(spoilt)


@given(st.binary(max_size=3000))
@example(b"oci-layout")
def test_arbitrary_bytes(spoilt: Path, content: bytes) -> None:
    refused(spoilt, content)
    refused(spoilt, b"oci-layout\0" + content)


@settings(max_examples=150)
@given(st.data())
def test_arbitrary_changes(spoilt: Path, good: bytes, data: st.DataObject) -> None:
    """Pieces overwritten, cut out, put in or moved: an error of ours or, where nothing was really changed, none."""
    content = good
    for _ in range(data.draw(st.integers(1, 4))):
        block = st.integers(0, len(content) // 512).map(lambda number: number * 512)
        at = data.draw(block | st.integers(0, len(content)))
        length = data.draw(st.sampled_from([1, 8, 512, 1024]))
        piece = data.draw(st.binary(min_size=0, max_size=16) | st.just(good[:512]) | st.just(END))
        content = content[:at] + piece + content[at + (length if data.draw(st.booleans()) else len(piece)) :]
    spoilt.write_bytes(content)
    code = code_of(spoilt)
    assert code in (0, 30, 31, 32, 40, 41)
    if code == 0:
        assert content[: len(good)] == good
        assert not any(content[len(good) :])


@settings(max_examples=100)
@given(st.data())
def test_arbitrary_json_in_the_inventory(spoilt: Path, good: bytes, data: st.DataObject) -> None:
    leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
    anything = st.recursive(
        leaf,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    )

    def edit(document: dict[str, Any]) -> None:
        key = data.draw(st.sampled_from(sorted(document)))
        value = document[key]
        if isinstance(value, list) and value and isinstance(value[0], dict) and data.draw(st.booleans()):
            value[0][data.draw(st.sampled_from(sorted(value[0])))] = data.draw(anything)
        else:
            document[key] = data.draw(anything)

    spoilt.write_bytes(changed(good, edit))
    assert code_of(spoilt) in (0, 30, 31, 32, 40, 41)


COMMANDS = (("inspect",), ("verify",), ("import", "--to", "127.0.0.1:1/x"), ("serve", "--listen", "127.0.0.1:0"))


@pytest.mark.parametrize(
    ("name", "code"), [("cut", 40), ("text", 40), ("newer", 41), ("flipped head", 31), ("folder", 40), ("link", 40)]
)
def test_commands_end_with_the_code_and_leave_nothing(airgap: Airgap, good: bytes, name: str, code: int) -> None:
    parts = members_of(good)
    bad = {
        "cut": good[:-2000],
        "text": b"no bundle",
        "newer": changed(good, lambda d: d.update(format=2)),
        "flipped head": flipped(good, good.index(b'"schemaVersion":2') + 16),
        "link": joined([parts[0], EVIL["symbolic link"][0], *parts[1:]]),
    }
    if name == "folder":
        (airgap.folder / "b.tar").mkdir()
    else:
        airgap.write("b.tar", bad[name])
    before = airgap.files()
    for command, *more in COMMANDS if name in ("cut", "newer") else COMMANDS[1:3]:
        if (name, command) == ("folder", "serve"):
            continue
        result = airgap.fails(code, command, "b.tar", *more)
        assert "b.tar" in result.errors[0]
    assert {key: value for key, value in airgap.files().items() if not key.startswith("airgap-out")} == before
    assert not any(path.is_file() for path in (airgap.folder / "airgap-out").rglob("*"))


def test_verify_names_the_image_of_a_flipped_bit(airgap: Airgap, good: bytes) -> None:
    layer = next(part for part in reversed(members_of(good)) if part.content.startswith(b"\x1f\x8b"))
    airgap.write("b.tar", flipped(good, good.index(layer.content) + 40))
    error = airgap.fails(31, "verify", "b.tar").errors[0]
    assert digests.of(layer.content) in error
    assert "quay.io/a/" in error
