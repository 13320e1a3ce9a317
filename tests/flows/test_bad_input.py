# SPDX-License-Identifier: Apache-2.0
"""What goes wrong every day: one clear message with its exit code, and nothing left behind.

Each test holds ``Airgap.fails`` to it: exactly one ``error:`` line, no traceback, nothing on standard output; and the
working folder is as it was.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.command import Airgap, Registry, Result, pod, settings
from tests.parts.certificates import Authority, Pair
from tests.parts.dockerregistry import docker_registry
from tests.parts.images import Images
from tests.parts.need import need_privilege
from tests.parts.service import clean_environment, free_port

X = "quay.io/a/x:1"


class Unchanged:
    """A command that fails and leaves the folder as it was."""

    def __init__(self, airgap: Airgap) -> None:
        self.airgap = airgap

    def fails(self, code: int, *arguments: str | Path, **more: object) -> Result:
        before = sorted(str(path) for path in self.airgap.folder.rglob("*")), self.airgap.files()
        said = self.airgap.fails(code, *arguments, **more)
        assert (sorted(str(path) for path in self.airgap.folder.rglob("*")), self.airgap.files()) == before
        return said


@pytest.fixture
def unchanged(airgap: Airgap) -> Unchanged:
    return Unchanged(airgap)


def export(
    unchanged: Unchanged, code: int, registries: dict[str, dict[str, object]], *more: str, **most: object
) -> Result:
    unchanged.airgap.write("airgap.yaml", settings(registries))
    return unchanged.fails(code, "export", "--image", X, "-o", "b.tar", *more, **most)


# Resource files


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a: b\nc: {\n", 3),
        ("a: b\n\tc: d\n", 2),
        ("a: 'open\n", 2),
        ('{"a": [1, 2}', 1),
    ],
)
@pytest.mark.parametrize("command", [("images",), ("export", "-o", "b.tar"), ("rewrite", "--to", "t.example")])
def test_yaml_that_does_not_parse(unchanged: Unchanged, content: str, line: int, command: tuple[str, ...]) -> None:
    unchanged.airgap.write("k/bad.yaml", content)
    said = unchanged.fails(10, command[0], "k/bad.yaml", *command[1:])
    assert said.errors[0].startswith(f"k/bad.yaml:{line}: ")


def test_every_file_that_does_not_parse_is_named(airgap: Airgap) -> None:
    airgap.write("k/a.yaml", "a: {")
    airgap.write("k/b.yaml", "b: [")
    said = airgap.run("images", "k/a.yaml", "k/b.yaml", code=10)
    assert [error.split(":")[0] for error in said.errors] == ["k/a.yaml", "k/b.yaml"]
    said = airgap.run("images", "k", code=10)
    assert said.errors[0] == "no image is named in what was read (k)"
    assert "skipped 2 files" in said.errors[1]
    assert "k/a.yaml:1 (" in said.errors[1]
    assert "k/b.yaml:1 (" in said.errors[1]


def test_no_image_in_it(unchanged: Unchanged) -> None:
    unchanged.airgap.write("empty.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n")
    for command in (("images", "empty.yaml"), ("export", "empty.yaml", "-o", "b.tar")):
        said = unchanged.fails(10, *command)
        assert "no image" in said.errors[0]
        assert "empty.yaml" in said.errors[0]
        assert "standard input" in said.stderr


@pytest.mark.parametrize(("path", "code"), [("gone.yaml", 2), ("gone/", 2), ("folder", 10)])
def test_paths_that_lead_to_nothing(unchanged: Unchanged, path: str, code: int) -> None:
    (unchanged.airgap.folder / "folder").mkdir()
    said = unchanged.fails(code, "images", path)
    assert said.errors[0].startswith(path)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("quay.io/Upper/x:1", "lower case"),
        ("quay.io/a//x:1", "empty"),
        ("quay.io/a/x@sha256:abc", "sha256"),
        (f"quay.io/{'a/' * 140}x", "longer than 255"),
        ("0" * 64, "image's ID"),
    ],
)
def test_references_that_no_registry_would_take(unchanged: Unchanged, image: str, says: str) -> None:
    unchanged.airgap.write("a.yaml", pod(f"'{image}'"))
    said = unchanged.fails(10, "images", "a.yaml")
    assert said.errors[0].startswith("a.yaml:7: ")
    assert says in said.errors[0]
    said = unchanged.fails(11, "export", "--image", image, "-o", "b.tar")
    assert says in said.errors[0]


# Registries


def test_an_unknown_tag(unchanged: Unchanged, quay: Registry) -> None:
    images = Images(1)
    quay.fill(images, {"a/x:2": images.image()})
    said = export(unchanged, 22, {"quay.io": {"mirror": quay.url}})
    assert X in said.errors[0]
    assert len(said.stderr.splitlines()) == 2  # and a hint


def test_a_registry_that_is_not_there(unchanged: Unchanged) -> None:
    port = free_port()
    said = export(unchanged, 24, {"quay.io": {"mirror": f"http://127.0.0.1:{port}"}})
    assert f"127.0.0.1:{port}" in said.stderr
    assert "refused" in said.errors[0]
    said = export(unchanged, 24, {"quay.io": {"mirror": "https://registry.invalid"}})
    assert "registry.invalid" in said.errors[0]
    assert "DNS" in said.stderr


def test_a_target_that_is_not_there(unchanged: Unchanged, bundle: Path) -> None:
    """Nothing was pushed, so the output folder is not made either."""
    said = unchanged.fails(24, "import", bundle, "--to", f"127.0.0.1:{free_port()}/p")
    assert "refused" in said.errors[0]


def test_plain_http_where_https_was_expected(unchanged: Unchanged, nexus: Registry, bundle: Path) -> None:
    port = nexus.address.rpartition(":")[2]
    for command in (
        ("import", bundle, "--to", f"https://{nexus.address}/p"),
        ("import", bundle, "--to", "nexus.corp:32415/p", "--via", f"https://127.0.0.1:{port}"),
    ):
        said = unchanged.fails(24, *command)
        for part in (
            "plain HTTP",
            "http://",
            "--plain-http",
            "server gave HTTP response to HTTPS client",
            "hosts.toml",
        ):
            assert part in said.stderr, part


def test_https_where_plain_http_was_asked_for(
    unchanged: Unchanged, bundle: Path, authority: Authority, tmp_path: Path
) -> None:
    with docker_registry(tmp_path / "registry", tls=authority.good()) as registry:
        said = unchanged.fails(24, "import", bundle, "--to", f"http://{registry.address}/p")
    assert "HTTPS" in said.stderr
    assert "http://" in said.stderr


@contextlib.contextmanager
def secured(pair: Pair) -> Iterator[Registry]:
    with Registry(tls=(pair.certificate, pair.key)) as registry:
        yield registry


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (Authority.expired, "expired"),
        (Authority.not_yet, "not yet valid"),
        (Authority.wrong_host, "elsewhere.example"),
        (Authority.self_signed, "self-signed"),
    ],
)
def test_certificates(
    unchanged: Unchanged, bundle: Path, authority: Authority, kind: Callable[[Authority], Pair], says: str
) -> None:
    with secured(kind(authority)) as registry:
        to = ("import", bundle, "--to", f"https://{registry.address}/p")
        said = unchanged.fails(24, *to, "--ca-file", authority.ca)
        assert says in said.errors[0]
        assert registry.requests() == []
        names = "elsewhere.example" if kind is Authority.wrong_host else "127.0.0.1, localhost"
        assert f"the certificate is for {names}" in said.errors[0]
        unchanged.airgap.run(*to, "--insecure", "--dry-run")


def test_a_private_authority(unchanged: Unchanged, bundle: Path, authority: Authority) -> None:
    with secured(authority.good()) as registry:
        to = ("import", bundle, "--to", f"https://{registry.address}/p", "--dry-run")
        assert "--ca-file" in unchanged.fails(24, *to).stderr
        unchanged.airgap.run(*to, "--ca-file", authority.ca)


def test_a_ca_file_that_is_none(unchanged: Unchanged, bundle: Path) -> None:
    (unchanged.airgap.folder / "x.pem").write_text("nothing")
    for name in ("x.pem", "gone.pem"):
        said = unchanged.fails(2, "import", bundle, "--to", "https://127.0.0.1:1/p", "--ca-file", name)
        assert name in said.errors[0]


# Bundles


@pytest.fixture(params=["inspect", "verify", "import", "serve"])
def reading(request: pytest.FixtureRequest) -> tuple[str, ...]:
    more: dict[str, tuple[str, ...]] = {"import": ("--to", "http://127.0.0.1:1/p")}
    return (request.param, *more.get(request.param, ()))


def test_no_bundle_at_all(unchanged: Unchanged, reading: tuple[str, ...]) -> None:
    airgap = unchanged.airgap
    airgap.write("text.tar", "hello\n" * 400)
    airgap.write("empty.tar", "")
    other = io.BytesIO()
    with tarfile.open(fileobj=other, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("something"), io.BytesIO())
    airgap.write("other.tar", other.getvalue())
    for name in ("text.tar", "empty.tar", "other.tar"):
        said = unchanged.fails(40, reading[0], name, *reading[1:])
        assert said.errors[0].startswith(f"{name}: "), said.stderr


def test_a_bundle_cut_short(unchanged: Unchanged, bundle: Path, reading: tuple[str, ...]) -> None:
    content = bundle.read_bytes()
    for keep in (700, 5000, len(content) - 4000):
        unchanged.airgap.write("cut.tar", content[:keep])
        said = unchanged.fails(40, reading[0], "cut.tar", *reading[1:])
        assert said.errors[0].startswith("cut.tar: ")


def member(name: str, **more: object) -> bytes:
    """A tar's one header (and no content)."""
    info = tarfile.TarInfo(name)
    for key, value in more.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(
    "trick",
    [
        member("../../etc/passwd"),
        member("/etc/passwd"),
        member("blobs/sha256/../../../x"),
        member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("hard", type=tarfile.LNKTYPE, linkname="index.json"),
        member("index.json"),
        member("device", type=tarfile.CHRTYPE),
    ],
    ids=["up", "absolute", "up-inside", "symlink", "hardlink", "duplicate", "device"],
)
def test_path_tricks(unchanged: Unchanged, bundle: Path, nexus: Registry, trick: bytes) -> None:
    content = bundle.read_bytes()
    with tarfile.open(bundle) as tar:
        first, last = tar.getmembers()[1].offset, tar.getmembers()[-1]
        end = last.offset_data + (last.size + 511) // 512 * 512
    for position, where in ((first, "front"), (end, "back")):
        unchanged.airgap.write("trick.tar", content[:position] + trick + content[position:])
        said = unchanged.fails(40, "verify", "trick.tar")
        assert said.errors[0].startswith("trick.tar: "), where
        unchanged.fails(40, "import", "trick.tar", "--to", f"{nexus.address}/p")
    assert nexus.names() == []


def test_a_resource_name_that_leads_out(airgap: Airgap, bundle: Path, nexus: Registry) -> None:
    content = bundle.read_bytes()
    old, new = b'"name":"cert-manager.yaml"', b'"name":"../t-manager.yaml"'
    assert len(old) == len(new)
    assert content.count(old) == 1
    airgap.write("b.tar", content.replace(old, new))
    said = airgap.fails(40, "import", "b.tar", "--to", f"{nexus.address}/p")
    assert said.errors[0].startswith("b.tar: ")
    assert nexus.names() == []


def test_one_flipped_bit_in_a_layer_ends_an_import_before_its_tag(
    airgap: Airgap, bundle: Path, nexus: Registry
) -> None:
    content = bytearray(bundle.read_bytes())
    with tarfile.open(bundle) as tar:
        content[tar.getmembers()[-1].offset_data + 5] ^= 4
    airgap.write("bad.tar", bytes(content))
    said = airgap.fails(31, "import", "bad.tar", "--to", f"{nexus.address}/p", "--jobs", "1")
    assert re.match(r"bad\.tar: sha256:\w+ is damaged where it lies: content hashes to sha256:", said.errors[0])
    assert "copy the bundle once more" in said.stderr
    assert "trying again" not in said.stderr, "what is damaged on this disk is so the next time"
    assert len([line for line in nexus.requests() if line.startswith("PUT") and line.endswith(" 400")]) == 1
    assert nexus.names() != ["p/x"]
    assert len(nexus.names()) < 4
    assert not (airgap.folder / "airgap-out/cert-manager.yaml").exists()


# Output


def test_a_disk_that_is_too_small(airgap: Airgap, tmp_path: Path) -> None:
    need_privilege("make namespaces")
    import subprocess

    images = Images(31)
    with Registry() as registry:
        registry.fill(images, {"a/x:1": images.image(size=3_000_000)})
        small = tmp_path / "small"
        small.mkdir()
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": registry.url}}))
        command = airgap.command("export", "--image", X, "-o", small / "b.tar")
        program = f'mount -t tmpfs -o size=1m tmpfs {small} && "$@"; code=$?; ls -A {small}; exit $code'
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", program, "sh", *command],
            capture_output=True,
            text=True,
            cwd=airgap.folder,
            env=airgap.whole_environment(),
            check=False,
        )
        assert done.returncode == 42, done.stderr
        assert done.stderr.count("error:") == 1
        assert "b.tar" in done.stderr
        assert done.stdout == ""
        assert not [line for line in registry.requests() if "/blobs/" in line and "GET" in line][1:]


def test_an_output_folder_that_does_not_exist(unchanged: Unchanged, quay: Registry) -> None:
    unchanged.airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
    image = "quay.io/jetstack/cert-manager-webhook:v1.14.4"
    said = unchanged.fails(42, "export", "--image", image, "-o", "gone/b.tar")
    assert "gone" in said.errors[0]


def test_an_output_that_is_a_folder_or_a_file(unchanged: Unchanged, quay: Registry, bundle: Path) -> None:
    airgap = unchanged.airgap
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
    airgap.write("file", "x")
    (airgap.folder / "folder").mkdir()
    image = ("--image", "quay.io/jetstack/cert-manager-webhook:v1.14.4")
    assert "folder" in unchanged.fails(42, "export", *image, "-o", "folder", "--force").errors[0]
    assert "file" in unchanged.fails(42, "export", *image, "-o", "file/b.tar").errors[0]
    assert "file" in unchanged.fails(42, "import", bundle, "--to", "127.0.0.1:1/p", "--output", "file").errors[0]


def test_a_read_only_output_folder(unchanged: Unchanged, quay: Registry, nexus: Registry, bundle: Path) -> None:
    """Root may write anywhere, so a file system without room for anything stands for it: /proc."""
    airgap = unchanged.airgap
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
    image = ("--image", "quay.io/jetstack/cert-manager-webhook:v1.14.4")
    assert "/proc/b.tar" in unchanged.fails(42, "export", *image, "-o", "/proc/b.tar").errors[0]
    said = unchanged.fails(42, "import", bundle, "--to", f"{nexus.address}/p", "--output", "/proc/out")
    assert "/proc/out" in said.errors[0]
    assert nexus.names() == []


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("nexus/p", "Docker Hub"),
        ("http://admin:hunter2@nexus:8082/p", "AIRGAP_PASSWORD"),
        ("nexus:8082/Upper", "lower case"),
    ],
)
def test_targets_that_are_none(unchanged: Unchanged, bundle: Path, to: str, says: str) -> None:
    for command in (("import", bundle, "--to"), ("rewrite", bundle, "--to"), ("verify", bundle, "--against")):
        said = unchanged.fails(2, *command, to)
        assert says in said.stderr
        assert "hunter2" not in said.stderr


def test_a_via_that_is_none(unchanged: Unchanged, bundle: Path) -> None:
    for via in ("ftp://x", "http://", "http://u:hunter2@127.0.0.1:1"):
        said = unchanged.airgap.run("import", bundle, "--to", "nexus:8082/p", "--via", via, code=None)
        assert said.code in (2, 24), said.stderr
        assert len(said.errors) == 1
        assert "hunter2" not in said.stderr


def test_the_environment_of_these_tests_is_clean() -> None:
    """Else a proxy of the machine would answer instead of the parts."""
    assert not [name for name in clean_environment(Path("/")) if "proxy" in name.lower()]
    assert os.environ.get("HTTPS_PROXY") is None
