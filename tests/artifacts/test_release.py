# SPDX-License-Identifier: Apache-2.0
"""One bundle with images and artifacts: exported, stopped, continued, cut into volumes, imported twice, and renewed."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.artifacts.carrying import HOSTED as KINDS
from tests.artifacts.carrying import far_nexus, files_over_http, uploads
from tests.artifacts.debian_repository import deb
from tests.artifacts.debian_repository import repository as debian
from tests.artifacts.maven_repository import artifact, dependency
from tests.artifacts.npm_packages import lock, package, registry
from tests.artifacts.nuget_packages import package as nupkg
from tests.artifacts.nuget_packages import source as nuget
from tests.artifacts.test_helm import CHART, TEMPLATE
from tests.artifacts.wheels import index, wheel
from tests.cli.command import Airgap, Registry
from tests.doubles.nexus import ADMIN
from tests.doubles.nexus.settings import HOSTED, Repository
from tests.doubles.registry import Answer, Double
from tests.parts.faulty_line import STALL, Break
from tests.parts.waiting import wait_until

WORDS = {"AIRGAP_USERNAME": ADMIN.name, "AIRGAP_PASSWORD": ADMIN.password}
BIG = bytes(range(256)) * 8000
PACKAGES = package("demo-app", "1.2.0", dependencies={"@corp/demo-lib": "^1.0.0"}) | package("@corp/demo-lib", "1.5.0")
JARS = artifact("g", "app", "1", dependencies=[dependency("g", "lib", "[1,2)")]) | artifact("g", "lib", "1.5")
JARS["g/lib/maven-metadata.xml"] = (
    b"<metadata><versioning><versions><version>1.5</version></versions></versioning></metadata>"
)
NUPKGS = nupkg("Demo.App", "2.0.0", {"net8.0": [("Demo.Lib", "1.2.0")]}) | nupkg("Demo.Lib", "1.2.0")
DEBS = (deb("demo-app", "1.0", Depends="demo-lib"), deb("demo-lib", "1.5"))
#: How many files of each format the first release has.
COUNTS = {"raw": 2, "helm": 1, "pypi": 2, "npm": 2, "maven": 4, "nuget": 2, "apt": 2}


@contextmanager
def project(airgap: Airgap, quay: Registry, wheels: dict[str, bytes], formats: Sequence[str]) -> Iterator[Double]:
    """A project with images and an artifact of these formats with what it needs; the server of its big file."""
    airgap.write("docs/first.txt", "first")
    airgap.write("shop/Chart.yaml", CHART)
    airgap.write("shop/templates/a.yaml", TEMPLATE)
    with ExitStack() as stack:
        python = stack.enter_context(index(wheels))
        web = stack.enter_context(files_over_http({"big.run": BIG}))
        npm = stack.enter_context(registry(PACKAGES))
        maven = stack.enter_context(files_over_http(JARS))
        dotnet = stack.enter_context(nuget(dict(NUPKGS)))
        apt = stack.enter_context(files_over_http(debian(DEBS)))
        airgap.write("package-lock.json", json.dumps(lock(PACKAGES, f"{npm.url}/npm")))
        debian_entry = {"packages": ["demo-app"], "suites": ["demo"], "architectures": ["amd64"], "trusted": "yes"}
        artifacts = {
            "raw": [{"url": f"{web.url}/big.run", "directory": "run"}, {"path": "docs", "directory": "docs"}],
            "helm": [{"path": "shop"}],
            "pypi": [{"package": "demo-app", "index": f"{python.url}/simple"}],
            "npm": [{"lockfile": "package-lock.json"}],
            "maven": [{"coordinates": "g:app:1", "repositories": [maven.url]}],
            "nuget": [{"package": "Demo.App", "version": "2.0.0", "source": f"{dotnet.url}/feed/v3/index.json"}],
            "apt": [{**debian_entry, "mirror": apt.url}],
        }
        document = {
            "name": "demo", "resources": ["cert-manager.yaml"], "registries": {"quay.io": {"mirror": quay.url}},
            "artifacts": {name: artifacts[name] for name in formats},
        }  # fmt: skip
        airgap.write("airgap.yaml", json.dumps(document))
        yield web


def hosted() -> tuple[Repository, ...]:
    """A repository for each format beside the one for images."""
    kinds = {name: KINDS.get(name, name) for name in COUNTS}
    made = [Repository(f"{name}-hosted", format=kind, write_policy="ALLOW_ONCE") for name, kind in kinds.items()]
    return (HOSTED, *(replace(own, distribution="demo") if own.format == "apt" else own for own in made))


@pytest.mark.long
@pytest.mark.requires("apt-get", "dpkg-deb", "npm")
def test_a_release_with_everything(prepared: Airgap, quay: Registry) -> None:
    check_release(prepared, quay, tuple(COUNTS))


def test_a_release(prepared: Airgap, quay: Registry) -> None:
    """The formats that need no other program."""
    check_release(prepared, quay, ("raw", "helm", "maven"))


def received(folder: Path) -> int:
    """How many bytes of unfinished files lie in ``folder``, while a program writes, renames and removes them."""
    size = 0
    for file in folder.glob("*.part"):
        with contextlib.suppress(FileNotFoundError):
            size += file.stat().st_size
    return size


def check_release(airgap: Airgap, quay: Registry, formats: Sequence[str]) -> None:
    """Carry a release with artifacts of these formats and the next one, all the way."""
    counts = {name: COUNTS[name] for name in formats}
    wheels = dict([wheel("demo_app", "1.0", requires=["demo-lib>=1"]), wheel("demo_lib", "1.5")])
    with project(airgap, quay, wheels, formats) as web, far_nexus(repositories=hosted()) as far:
        # Killed in the middle of a file: the next run goes on there.
        web.on("GET", "/big.run", Answer(200, BIG, {"ETag": f'"{hash(BIG)}"'}, broken=Break(STALL, 1_500_000)))
        part = airgap.folder / "demo.tar.artifacts/files"
        process = airgap.started("export", "--volume-size", "1MiB", "--lock", "airgap.lock")
        try:
            wait_until(lambda: received(part) >= 1_000_000, seconds=30)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        airgap.run("export", "--volume-size", "1MiB", "--lock", "airgap.lock")
        assert [request.headers.get("Range", "")[:7] for request in web.seen("GET", "/big.run")] == ["", "bytes=1"]
        assert not part.exists()
        assert len(list(airgap.folder.glob("demo.tar.0*"))) >= 2
        airgap.run("verify", "demo.tar.001")
        command = ["import", "demo.tar.001", "--to", f"http://{far.connector().address}/p", "--nexus", far.url]
        said = airgap.run(*command, environment=WORDS)
        assert {name: len(far.repository(f"{name}-hosted").files) for name in formats} == counts
        assert far.repository("raw-hosted").files == {"run/big.run": BIG, "docs/first.txt": b"first"}
        for name in {"helm", "maven", "npm", "nuget"} & set(formats):
            assert f"airgap hosts {far.url}/repository/{name}-hosted --for {name}" in said.stderr
        receipt = json.loads(next(airgap.folder.glob("*.receipt.json")).read_bytes())
        assert len(receipt["artifacts"]) == sum(counts.values())
        assert receipt["images"]
        sent = uploads(far), len(far.asked("PUT"))
        airgap.run(*command, "--force", environment=WORDS)
        assert (uploads(far), len(far.asked("PUT"))) == sent
        # The next release carries only what changed.
        wheels.update(dict([wheel("demo_lib", "2.0")]))
        airgap.write("docs/second.txt", "second")
        expected = [["+", "raw", "docs/second.txt"]] + ([["~", "pypi", "demo-lib"]] if "pypi" in formats else [])
        name = next(airgap.folder.glob("*.receipt.json")).name
        airgap.run("export", "-o", "next.tar", "--base", name)
        document = airgap.run("inspect", "next.tar", "--json").json
        assert (airgap.folder / "next.tar").stat().st_size < 250_000
        assert any(layer["size"] == len(BIG) for layer in document["requires"])
        lines = airgap.run("diff", name, "next.tar").text.splitlines()
        assert sorted(line.split()[:3] for line in lines if line[0] in "+-~") == expected
        command = ["import", "next.tar", "--to", f"http://{far.connector().address}/p", "--nexus", far.url, "--force"]
        airgap.run(*command, environment=WORDS)
        assert uploads(far) == sent[0] + len(expected)
        assert far.repository("raw-hosted").files["docs/second.txt"] == b"second"
