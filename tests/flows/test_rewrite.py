# SPDX-License-Identifier: Apache-2.0
"""``airgap rewrite``: no registry is asked, and every byte but the images' is as it was."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from airgap.kube import Edit, revert_content
from airgap.kube.rewrite import log as rewrite_log
from tests.cli.command import SAMPLES, Airgap, pod
from tests.parts.need import need

TARGET = "10.100.0.102:32415/my-docker-image"
SAMPLE = SAMPLES / "cert-manager/cert-manager.yaml"
REWRITTEN = (SAMPLES / "cert-manager/rewritten/cert-manager.yaml").read_bytes()

#: From samples/README.md.
TWINS = [
    ("cert-manager/cert-manager.yaml", f"http://{TARGET}", "basename", "cert-manager/rewritten/cert-manager.yaml"),
    ("falco/falco.yaml", "http://172.25.0.84:30018", "path", "falco/rewritten/falco.yaml"),
    ("nginx/nginx.yaml", "https://172.25.0.84:30443/myimage", "basename", "nginx/rewritten/nodeport/nginx.yaml"),
    (
        "nginx/nginx-crlf.yaml",
        "https://172.25.0.84:30443/myimage",
        "basename",
        "nginx/rewritten/nodeport/nginx-crlf.yaml",
    ),
    (
        "nginx/nginx.yaml",
        "https://repository.dev.eris.go.kr/my-repo",
        "basename",
        "nginx/rewritten/ingress/nginx.yaml",
    ),
]
LINES = [
    (
        "cert-manager/rewritten/cert-manager.yaml",
        'image: "10.100.0.102:32415/my-docker-image/cert-manager-cainjector:v1.14.4"',
    ),
    ("falco/rewritten/falco.yaml", "image: 172.25.0.84:30018/falcosecurity/falco:0.41.3"),
    ("nginx/rewritten/nodeport/nginx.yaml", "image: 172.25.0.84:30443/myimage/nginx:latest"),
    ("nginx/rewritten/ingress/nginx.yaml", "image: repository.dev.eris.go.kr/my-repo/nginx:latest"),
]


@pytest.mark.parametrize(("original", "to", "policy", "twin"), TWINS)
def test_the_samples(airgap: Airgap, original: str, to: str, policy: str, twin: str) -> None:
    said = airgap.run("rewrite", SAMPLES / original, "--to", to, "--mapping", policy)
    assert said.stdout == (SAMPLES / twin).read_bytes()
    assert said.stderr == ""
    assert airgap.files() == {}


@pytest.mark.parametrize(("twin", "line"), LINES)
def test_the_lines_that_were_asked_for(twin: str, line: str) -> None:
    assert line in (SAMPLES / twin).read_text()


def test_standard_input_to_standard_output(airgap: Airgap) -> None:
    text = b"\xef\xbb\xbf" + pod("nginx").replace("\n", "\r\n").encode()
    said = airgap.run("rewrite", "-", "--to", "t.example/p", stdin=text)
    assert said.stdout == text.replace(b"image: nginx", b"image: t.example/p/nginx:latest")


THING = "apiVersion: x.example/v1\nkind: Thing\nspec: {worker: 'q.example/a/w:1'}\n"


def test_what_is_only_possible_is_left_with_a_warning_and_exit_code_3(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod("a:1") + "---\n" + THING)
    to = ("rewrite", "a.yaml", "--to", "t.example/p")
    left = airgap.run(*to, code=3)
    assert left.text == pod("t.example/p/a:1") + "---\n" + THING
    assert left.errors == ["1 image reference left: only the shape says image: q.example/a/w:1 (a.yaml:11)"]
    assert "--take-possible" in left.stderr
    taken = airgap.run(*to, "--take-possible")
    assert "t.example/p/w:1" in taken.text
    airgap.run(*to, "--in-place", code=3)
    assert "t.example/p/a:1" in (airgap.folder / "a.yaml").read_text()
    refused = airgap.run("rewrite", "a.yaml", "--from", "x", "--take-possible", code=2)
    assert "--take-possible goes with --to" in refused.stderr


def test_several_files_need_a_place(airgap: Airgap) -> None:
    airgap.write("k/a.yaml", pod("a:1"))
    airgap.write("k/sub/b.yaml", pod("b:1"))
    before = airgap.files()
    assert "--output DIR" in airgap.fails(2, "rewrite", "k", "--to", "t.example/p").stderr
    assert airgap.files() == before
    airgap.run("rewrite", "k", "--to", "t.example/p", "--output", "out")
    assert (airgap.folder / "out/a.yaml").read_text() == pod("t.example/p/a:1")
    assert (airgap.folder / "out/sub/b.yaml").read_text() == pod("t.example/p/b:1")


def test_output_is_refused_over_other_content_and_not_over_the_same(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod("a:1"))
    rewrite = ("rewrite", "a.yaml", "--to", "t.example/p", "--output", "out")
    airgap.run(*rewrite)
    before = airgap.files()
    airgap.run(*rewrite)
    assert airgap.files() == before
    airgap.write("out/a.yaml", "mine")
    assert "out/a.yaml" in airgap.fails(42, *rewrite).errors[0]
    assert (airgap.folder / "out/a.yaml").read_text() == "mine"
    airgap.run(*rewrite, "--force")
    assert airgap.files() == before


def records(log: Path, file: str) -> list[Edit]:
    changes = [entry.edit for entry in rewrite_log.read_log(log)]
    return [change for change in changes if change.file == file]


def test_in_place_keeps_mode_and_links_and_can_be_undone(airgap: Airgap, tmp_path: Path) -> None:
    path = airgap.write("real/cert-manager.yaml", SAMPLE.read_bytes())
    path.chmod(0o640)
    link = airgap.folder / "link.yaml"
    link.symlink_to(path)
    airgap.run("rewrite", "link.yaml", "--to", TARGET, "--in-place")
    assert link.is_symlink()
    assert path.read_bytes() == REWRITTEN
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    changes = records(path.parent / ".airgap-rewrite.log", "link.yaml")
    assert revert_content(path.read_bytes(), changes) == SAMPLE.read_bytes()


def test_in_place_twice_leaves_a_record_of_both(airgap: Airgap) -> None:
    path = airgap.write("a.yaml", pod("quay.io/x/a:1"))
    airgap.run("rewrite", "a.yaml", "--to", "one.example/longer/prefix", "--in-place")
    airgap.run("rewrite", "a.yaml", "--to", "two.example", "--in-place")
    assert path.read_text() == pod("two.example/a:1")
    first, second = records(airgap.folder / ".airgap-rewrite.log", "a.yaml")
    assert revert_content(revert_content(path.read_bytes(), [second]), [first]).decode() == pod("quay.io/x/a:1")


def test_in_place_leaves_files_alone_that_do_not_change(airgap: Airgap) -> None:
    path = airgap.write("a.yaml", pod("t.example/p/a:1"))
    before = path.stat().st_mtime_ns, path.stat().st_ino
    airgap.run("rewrite", "a.yaml", "--to", "t.example/p", "--in-place")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    assert airgap.files().keys() == {"a.yaml"}


def test_in_place_on_standard_input(airgap: Airgap) -> None:
    airgap.fails(2, "rewrite", "-", "--to", "t.example/p", "--in-place", stdin=pod("a").encode())


def test_the_diff_is_one_that_patch_takes(airgap: Airgap) -> None:
    need("patch")
    airgap.write("k/cert-manager.yaml", SAMPLE.read_bytes())
    airgap.write("k/crlf.yaml", (SAMPLES / "nginx/nginx-crlf.yaml").read_bytes())
    before = airgap.files()
    said = airgap.run("rewrite", "k", "--to", TARGET, "--diff")
    assert airgap.files() == before
    patch = shutil.which("patch") or ""
    subprocess.run([patch, "-p1", "--binary"], input=said.stdout, cwd=airgap.folder, check=True, capture_output=True)
    assert (airgap.folder / "k/cert-manager.yaml").read_bytes() == REWRITTEN
    crlf = airgap.run("rewrite", SAMPLES / "nginx/nginx-crlf.yaml", "--to", TARGET).stdout
    assert (airgap.folder / "k/crlf.yaml").read_bytes() == crlf


def test_check(airgap: Airgap) -> None:
    airgap.write("k/a.yaml", pod("a:1", "b:1"))
    airgap.write("k/done.yaml", pod("t.example/p/c:1"))
    before = airgap.files()
    said = airgap.fails(4, "rewrite", "k", "--to", "t.example/p", "--check")
    assert "2 images in 1 file" in said.errors[0]
    assert "k/a.yaml" in said.errors[0]
    assert "done.yaml" not in said.errors[0]
    assert airgap.files() == before
    said = airgap.run("rewrite", "k/done.yaml", "--to", "t.example/p", "--check")
    assert (said.stdout, said.stderr) == (b"", "")


def test_rewriting_what_is_rewritten_changes_nothing(airgap: Airgap) -> None:
    once = airgap.run("rewrite", SAMPLE, "--to", TARGET).stdout
    airgap.write("again.yaml", once)
    assert airgap.run("rewrite", "again.yaml", "--to", TARGET).stdout == once


def test_from_a_bundle(airgap: Airgap, bundle: Path) -> None:
    said = airgap.run("rewrite", SAMPLE, "--to", TARGET, "--from", bundle)
    assert said.stdout == REWRITTEN
    airgap.write("k.yaml", pod("quay.io/jetstack/cert-manager-webhook:v1.14.4", "nginx:1", "redis:2"))
    said = airgap.run("rewrite", "k.yaml", "--to", TARGET, "--from", bundle, code=32)
    assert [error.split(": ")[0] for error in said.errors] == ["k.yaml:9", "k.yaml:11"]
    assert "docker.io/library/nginx:1" in said.errors[0]
    assert "--keep-unknown" in said.stderr
    assert said.stdout == b""
    said = airgap.run("rewrite", "k.yaml", "--to", TARGET, "--from", bundle, "--keep-unknown")
    assert said.text == pod(f"{TARGET}/cert-manager-webhook:v1.14.4", "nginx:1", "redis:2")
    warnings = [line for line in said.stderr.splitlines() if line.startswith("warning:")]
    assert len(warnings) == 2
    assert "k.yaml:9" in warnings[0]


def test_a_target_is_needed(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod("a:1"))
    said = airgap.fails(2, "rewrite", "a.yaml")
    assert "--to HOST:PORT/PREFIX" in said.stderr
    airgap.write("airgap.yaml", "target: http://t.example/p\nmapping: {policy: full}\n")
    assert airgap.run("rewrite", "a.yaml").text == pod("t.example/p/docker.io/library/a:1")
    assert airgap.run("rewrite", "a.yaml", "--to", "u.example").text == pod("u.example/docker.io/library/a:1")


def test_an_address_in_brackets_is_quoted_where_yaml_needs_it(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod("a:1"))
    said = airgap.run("rewrite", "a.yaml", "--to", "[fd00::1]:5000/p").text
    assert said == pod("'[fd00::1]:5000/p/a:1'")


def test_an_interrupted_write_leaves_the_old_file(airgap: Airgap) -> None:
    """A folder that cannot be written: the file stays, the message names it."""
    airgap.write("a.yaml", pod("a:1"))
    airgap.write("out", "a file where the folder should be")
    said = airgap.fails(42, "rewrite", "a.yaml", "--to", "t.example/p", "--output", "out")
    assert "out" in said.errors[0]
    assert (airgap.folder / "a.yaml").read_text() == pod("a:1")


def test_two_images_that_would_get_one_name_are_refused(airgap: Airgap) -> None:
    airgap.write("two.yaml", pod("quay.io/a/x:1", "quay.io/b/x:1"))
    said = airgap.fails(50, "rewrite", "two.yaml", "--to", "r.example/p")
    assert "quay.io/a/x:1 and quay.io/b/x:1" in said.errors[0]
    assert "--mapping path" in said.stderr
    assert b"r.example/p/b/x:1" in airgap.run("rewrite", "two.yaml", "--to", "r.example/p", "--mapping", "path").stdout


def test_what_only_looks_like_an_image_stays(airgap: Airgap) -> None:
    airgap.write("guess.yaml", pod("quay.io/a/x:1") + "    args: ['--upstream=git.example.com/org/repo:main']\n")
    said = airgap.run("rewrite", "guess.yaml", "--to", "r.example/p")
    assert b"git.example.com/org/repo:main" in said.stdout
    assert b"r.example/p/x:1" in said.stdout
    (miss,) = airgap.run("images", "guess.yaml", "--json", "--why").json["not_taken"]
    assert "source code" in miss["reason"]


def test_what_was_applied_last_moves_with_what_lives(airgap: Airgap, bundle: Path) -> None:
    """kubectl's three-way merge compares the two; an old image that nothing knows stops nothing."""
    last = "kubectl.kubernetes.io/last-applied-configuration"
    image = "quay.io/jetstack/cert-manager-controller:v1.14.4"
    past = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": image}, {"image": "q.io/old:1"}]}}
    text = pod(image).replace("spec:", f"metadata:\n  annotations:\n    {last}: |\n      {json.dumps(past)}\nspec:", 1)
    text = text.replace("metadata: {name: p}\n", "")
    airgap.write("k.yaml", text)
    new = "t.example/p/cert-manager-controller:v1.14.4"
    for more in ([], ["--from", bundle]):
        said = airgap.run("rewrite", "k.yaml", "--to", "t.example/p", *more)
        assert said.text == text.replace(image, new)
        assert "q.io/old:1" in said.stderr


def test_in_place_says_what_it_did(airgap: Airgap) -> None:
    airgap.write("a.yaml", pod("quay.io/a/x:1"))
    assert "rewrote 1 image in a.yaml" in airgap.run("rewrite", "a.yaml", "--to", "r.example/p", "--in-place").stderr
