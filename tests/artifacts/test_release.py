# SPDX-License-Identifier: Apache-2.0
"""One bundle with images and artifacts: exported, stopped, continued, cut into volumes, imported twice, and renewed."""

from __future__ import annotations

import json
import signal

from tests.artifacts.carrying import far_nexus, files_over_http, uploads
from tests.artifacts.debian_repository import deb, repository
from tests.artifacts.maven_repository import artifact, dependency
from tests.artifacts.npm_packages import lock, registry
from tests.artifacts.npm_packages import package as npm_package
from tests.artifacts.nuget_packages import package
from tests.artifacts.nuget_packages import source as feed
from tests.artifacts.test_helm import CHART, TEMPLATE
from tests.artifacts.wheels import index, wheel
from tests.cli.command import Airgap, Registry
from tests.doubles.nexus import ADMIN
from tests.doubles.nexus.settings import HOSTED, Repository
from tests.doubles.registry import Answer
from tests.parts.faulty_line import STALL, Break
from tests.parts.waiting import wait_until

WORDS = {"AIRGAP_USERNAME": ADMIN.name, "AIRGAP_PASSWORD": ADMIN.password}


def test_a_release_with_everything(prepared: Airgap, quay: Registry) -> None:
    airgap = prepared
    airgap.write("shop/Chart.yaml", CHART)
    airgap.write("shop/templates/a.yaml", TEMPLATE)
    big = bytes(range(256)) * 8000
    packages = dict([wheel("demo_app", "1.0", requires=["demo-lib>=1"]), wheel("demo_lib", "1.5")])
    formats = ("raw", "helm", "pypi", "npm", "maven2", "apt", "nuget")
    hosted = tuple(
        Repository(f"{name}-hosted", format=name, write_policy="ALLOW_ONCE", distribution="demo") for name in formats
    )
    app, lib = deb("demo-app", "1:1.0", Depends="demo-lib"), deb("demo-lib", "1.5", architecture="all")
    debian = repository([app, lib])
    nupkgs = {**package("Demo.App", "1.0.0", flat=[("Demo.Lib", "1.0.0")]), **package("Demo.Lib", "1.0.0")}
    jars = artifact("org.demo", "app", "1.0", dependencies=[dependency("org.demo", "lib", "1.5")])
    jars |= artifact("org.demo", "lib", "1.5")
    tarballs = {**npm_package("demo-app", "1.0.0"), **npm_package("@corp/demo-lib", "1.0.0")}
    with (
        index(packages) as source,
        files_over_http(debian) as mirror,
        files_over_http(jars) as maven,
        feed(nupkgs) as nuget,
        registry(tarballs) as npm,
        files_over_http({"big.run": big}) as web,
        far_nexus(repositories=(HOSTED, *hosted)) as far,
    ):
        project = {
            "name": "demo",
            "resources": ["cert-manager.yaml"],
            "registries": {"quay.io": {"mirror": quay.url}},
            "artifacts": {
                "raw": [{"url": f"{web.url}/big.run", "directory": "run"}],
                "helm": [{"path": "shop"}],
                "pypi": [{"package": "demo-app", "index": f"{source.url}/simple"}],
                "npm": [{"lockfile": "package-lock.json", "registry": f"{npm.url}/npm"}],
                "maven": [{"coordinates": "org.demo:app:1.0", "repositories": [maven.url]}],
                "nuget": [{"package": "Demo.App", "version": "1.0.0", "source": f"{nuget.url}/feed/v3/index.json"}],
                "apt": [
                    {
                        "packages": ["demo-app"], "suites": ["demo"], "architectures": ["amd64"], "mirror": mirror.url,
                        "trusted": "yes",
                    }
                ],
            },
        }  # fmt: skip
        airgap.write("package-lock.json", json.dumps(lock(tarballs)))
        airgap.write("airgap.yaml", json.dumps(project))
        # Killed in the middle of a file: the next run goes on there.
        stalled = Answer(200, big, {"ETag": f'"{hash(big)}"'}, broken=Break(STALL, 1_500_000))
        web.on("GET", "/big.run", stalled)
        part = airgap.folder / "demo.tar.artifacts/files"
        process = airgap.started("export", "--volume-size", "1MiB", "--lock", "airgap.lock")
        try:
            wait_until(lambda: sum(file.stat().st_size for file in part.glob("*.part")) >= 1_000_000, seconds=30)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        airgap.run("export", "--volume-size", "1MiB", "--lock", "airgap.lock")
        assert [request.headers.get("Range", "")[:7] for request in web.seen("GET", "/big.run")] == ["", "bytes=1"]
        assert not part.exists()
        first = {path.name: path.read_bytes() for path in airgap.folder.glob("demo.tar.0*")}
        assert len(first) >= 2
        airgap.run("verify", "demo.tar.001")
        command = ["import", "demo.tar.001", "--to", f"http://{far.connector().address}/p", "--nexus", far.url]
        said = airgap.run(*command, environment=WORDS)
        assert "pypi at" in said.stderr
        assert far.repository("raw-hosted").files == {"run/big.run": big}
        assert set(far.repository("helm-hosted").files) == {"shop-1.10.0.tgz"}
        counts = {name: len(far.repository(f"{name}-hosted").files) for name in formats}
        assert counts == {"raw": 1, "helm": 1, "pypi": 2, "npm": 2, "maven2": 4, "apt": 2, "nuget": 2}
        receipt = json.loads(next(airgap.folder.glob("*.receipt.json")).read_bytes())
        assert len(receipt["artifacts"]) == sum(counts.values())
        assert receipt["images"]
        sent = uploads(far), len(far.asked("PUT"))
        airgap.run(*command, "--force", environment=WORDS)
        assert (uploads(far), len(far.asked("PUT"))) == sent
        # The next release carries only what changed.
        packages.update(dict([wheel("demo_lib", "2.0")]))
        debian.update(repository([app, deb("demo-lib", "1.6", architecture="all")]))
        name = next(airgap.folder.glob("*.receipt.json")).name
        airgap.run("export", "-o", "next.tar", "--base", name)
        document = airgap.run("inspect", "next.tar", "--json").json
        assert (airgap.folder / "next.tar").stat().st_size < 200_000
        assert any(layer["size"] == len(big) for layer in document["requires"])
        command = ["import", "next.tar", "--to", f"http://{far.connector().address}/p", "--nexus", far.url, "--force"]
        said = airgap.run(*command, environment=WORDS)
        assert "pypi at" in said.stderr
        assert uploads(far) == sent[0] + 2
        assert len(far.repository("pypi-hosted").files) == 3
        assert set(far.repository("apt-hosted").files) == {
            "pool/d/demo-app/demo-app_1:1.0_amd64.deb", "pool/d/demo-lib/demo-lib_1.5_all.deb",
            "pool/d/demo-lib/demo-lib_1.6_all.deb",
        }  # fmt: skip
        lines = [" ".join(line.split()[:6]) for line in airgap.run("diff", name, "next.tar").text.splitlines()]
        assert "~ apt demo-lib 1.5 -> 1.6" in lines
        assert any(line.startswith("= nuget Demo.Lib 1.0.0") for line in lines)
        assert "nuget: 2 artifacts" in airgap.run("inspect", "next.tar").text
