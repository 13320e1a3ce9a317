# SPDX-License-Identifier: Apache-2.0
"""Each sample and its rewritten twin: what may differ, and that the commands of the README make the twin.

The expected changes are written out here by hand, so that neither the files nor airgap is the
judge of itself.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from airgap.kube import rewrite_content, scan
from airgap.targets import Mapping, TargetAddress

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"

QUAY = "quay.io/jetstack/cert-manager-"
CERTS = "10.100.0.102:32415/my-docker-image/cert-manager-"
FALCO = "172.25.0.84:30018/falcosecurity/"
NODEPORT = "172.25.0.84:30443/myimage/nginx:latest"
INGRESS = "repository.dev.eris.go.kr/my-repo/nginx:latest"


@dataclass(frozen=True)
class Twin:
    """``changes`` are ``(line, text before, text after)``, lines counted from 1."""

    source: str
    twin: str
    to: str
    mapping: str
    changes: tuple[tuple[int, str, str], ...]

    @property
    def before(self) -> bytes:
        return (SAMPLES / self.source).read_bytes()

    @property
    def after(self) -> bytes:
        return (SAMPLES / self.twin).read_bytes()

    @property
    def arguments(self) -> list[str]:
        return ["rewrite", f"samples/{self.source}", "--to", self.to, "--mapping", self.mapping]


TWINS = [
    Twin(
        "cert-manager/cert-manager.yaml",
        "cert-manager/rewritten/cert-manager.yaml",
        "http://10.100.0.102:32415/my-docker-image",
        "basename",
        (
            (314, f"{QUAY}cainjector:v1.14.4", f"{CERTS}cainjector:v1.14.4"),
            (364, f"{QUAY}controller:v1.14.4", f"{CERTS}controller:v1.14.4"),
            (370, f"{QUAY}acmesolver:v1.14.4", f"{CERTS}acmesolver:v1.14.4"),
            (428, f"{QUAY}webhook:v1.14.4", f"{CERTS}webhook:v1.14.4"),
        ),
    ),
    Twin(
        "falco/falco.yaml",
        "falco/rewritten/falco.yaml",
        "http://172.25.0.84:30018",
        "path",
        (
            (96, "docker.io/falcosecurity/falcoctl:0.11.2", f"{FALCO}falcoctl:0.11.2"),
            (103, "falcosecurity/falco:0.41.3", f"{FALCO}falco:0.41.3"),
            (130, "docker.io/falcosecurity/falcoctl:0.11.2", f"{FALCO}falcoctl:0.11.2"),
        ),
    ),
    Twin(
        "nginx/nginx.yaml",
        "nginx/rewritten/nodeport/nginx.yaml",
        "https://172.25.0.84:30443/myimage",
        "basename",
        ((19, "nginx", NODEPORT),),
    ),
    Twin(
        "nginx/nginx-crlf.yaml",
        "nginx/rewritten/nodeport/nginx-crlf.yaml",
        "https://172.25.0.84:30443/myimage",
        "basename",
        ((19, "nginx", NODEPORT),),
    ),
    Twin(
        "nginx/nginx.yaml",
        "nginx/rewritten/ingress/nginx.yaml",
        "https://repository.dev.eris.go.kr/my-repo",
        "basename",
        ((19, "nginx", INGRESS),),
    ),
]

each_twin = pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.twin)


def airgap(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[bytes]:
    """The program as a user runs it, without the machine's own settings."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AIRGAP_")}
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.run(
        [sys.executable, "-m", "airgap", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )


@each_twin
def test_a_twin_differs_in_its_images_only(twin: Twin) -> None:
    lines = twin.before.splitlines(keepends=True)
    for number, old, new in twin.changes:
        line = lines[number - 1]
        head, middle, tail = line.rpartition(old.encode())
        assert middle, f"{twin.source}:{number} does not hold {old}"
        lines[number - 1] = head + new.encode() + tail
    assert b"".join(lines) == twin.after


def test_the_lines_that_must_always_work_stand_in_the_twins() -> None:
    certs, falco, nginx, _, ingress = (twin.after for twin in TWINS)
    assert b'\n          image: "10.100.0.102:32415/my-docker-image/cert-manager-cainjector:v1.14.4"\n' in certs
    assert b'\n          image: "quay.io/jetstack/cert-manager-cainjector:v1.14.4"\n' in TWINS[0].before
    assert b"\n        image: 172.25.0.84:30018/falcosecurity/falco:0.41.3\n" in falco
    assert b"\n        image: 172.25.0.84:30443/myimage/nginx:latest\n" in nginx
    assert b"\n        image: repository.dev.eris.go.kr/my-repo/nginx:latest\n" in ingress


def test_the_windows_file_is_one() -> None:
    for path in (SAMPLES / "nginx/nginx-crlf.yaml", SAMPLES / "nginx/rewritten/nodeport/nginx-crlf.yaml"):
        data = path.read_bytes()
        assert data.startswith(b"\xef\xbb\xbf")
        assert data.count(b"\r\n") == data.count(b"\n") > 40
        assert not data.endswith(b"\n")


@each_twin
def test_rewrite_prints_the_twin(twin: Twin) -> None:
    done = airgap(*twin.arguments)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == twin.after


@each_twin
def test_the_scanner_finds_each_site_and_no_other(twin: Twin) -> None:
    """The descriptions and schema properties called ``image`` are not among them."""
    found = scan(twin.before, twin.source).sites
    assert sorted((site.line, site.text) for site in found) == [(line, old) for line, old, _ in twin.changes]
    kinds = {site.kind for site in found if "acmesolver" not in site.text}
    assert kinds == {"field"}
    assert [site.kind for site in found if "acmesolver" in site.text] == ["arg"] * ("cert-manager" in twin.source)


@each_twin
def test_naming_and_splicing_make_the_twin(twin: Twin) -> None:
    """The rooms without the command line: found by kube, named by target, spliced by kube."""
    mapping = Mapping(TargetAddress.parse(twin.to), policy=twin.mapping)
    sites = scan(twin.before, twin.source).sites
    new = [(site, str(mapping.locate(site.reference))) for site in sites]
    assert rewrite_content(twin.before, new).content == twin.after


@each_twin
def test_images_lists_the_sites(twin: Twin) -> None:
    done = airgap("images", f"samples/{twin.source}", "--json")
    assert done.returncode == 0, done.stderr.decode()
    found = sorted((site["line"], site["text"]) for site in json.loads(done.stdout))
    assert found == [(number, old) for number, old, _ in twin.changes]


@each_twin
def test_rewriting_a_twin_again_for_the_same_target_changes_nothing(twin: Twin, tmp_path: Path) -> None:
    """Each of these policies makes a name that it maps to itself: a second run is harmless."""
    copy = tmp_path / "again.yaml"
    copy.write_bytes(twin.after)
    done = airgap("rewrite", str(copy), "--to", twin.to, "--mapping", twin.mapping)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == twin.after


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_readme_gives_the_commands_that_are_tested(name: str) -> None:
    text = (SAMPLES / name).read_text(encoding="utf-8")
    commands = [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("airgap rewrite ")]
    assert commands == [twin.arguments for twin in TWINS]
    for twin in TWINS:
        assert f"`{twin.source}`" in text
        assert f"`{twin.twin}`" in text


KEYS = {
    "name", "version", "notes", "resources", "images", "platforms", "target",
    "mapping", "policy", "overrides",
    "rules", "take", "ignore",
    "registries", "mirror", "plain_http", "endpoint", "ca_file", "insecure", "timeout",
    "artifacts", "artifact_targets", "require", "purpose",
    "redirects", "realms", "limits", "language", "release",
}  # fmt: skip


def test_the_configuration_sample_shows_every_key() -> None:
    import yaml

    config = yaml.load((SAMPLES / "airgap.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    seen = set(config) | set(config["mapping"]) | set(config["rules"])
    for part in config["registries"].values():
        seen |= set(part)
    assert seen == KEYS
    assert config["version"] == "1.10"
    for path in (*config["resources"], config["notes"]):
        assert (SAMPLES / path).exists(), path


def test_the_configuration_sample_is_taken_and_its_mistakes_are_not(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES, tmp_path / "s")
    done = airgap("images", "nginx/nginx.yaml", "--json", cwd=tmp_path / "s")
    assert done.returncode == 0, done.stderr.decode()
    config = tmp_path / "s" / "airgap.yaml"
    config.write_text(re.sub(r"^platforms:", "platfroms:", config.read_text(encoding="utf-8"), flags=re.MULTILINE))
    done = airgap("images", "nginx/nginx.yaml", "--json", cwd=tmp_path / "s")
    assert done.returncode != 0
    assert b"platforms" in done.stderr
    assert b"Traceback" not in done.stderr
