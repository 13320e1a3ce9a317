# SPDX-License-Identifier: Apache-2.0
"""Python packages: from an index by pip, into Nexus, pypiserver and folders, out of which the real pip installs."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from airgap import limits
from airgap.artifacts.formats.pypi.simple_index import parse_page
from airgap.errors import ContentError
from tests.artifacts.carrying import bundle_json, carry, export, far_nexus, files_over_http, uploads, write_project
from tests.artifacts.wheels import index, pip_install, wheel
from tests.cli.command import Airgap
from tests.parts.network import closed_network
from tests.parts.service import LOOPBACK, accepts, clean_environment, free_port, running

APP = wheel("demo_app", "1.0", requires=["demo-lib>=1"])
LIB = wheel("demo_lib", "1.5")
OLD = wheel("demo_lib", "0.9")
FILES = dict([APP, LIB, OLD])


def names(airgap: Airgap) -> list[str]:
    return [entry["file"] for entry in bundle_json(airgap)["artifacts"]]


def exported(airgap: Airgap) -> None:
    with index(FILES) as server:
        write_project(airgap, {"pypi": [{"package": "demo-app==1.0", "index": f"{server.url}/simple"}]})
        export(airgap)


def test_dependencies_come_along_and_pip_installs_from_nexus(airgap: Airgap, tmp_path: Path) -> None:
    exported(airgap)
    assert names(airgap) == [APP[0], LIB[0]]
    first = bundle_json(airgap)["artifacts"][0]
    assert (first["name"], first["version"]) == ("demo-app", "1.0")
    assert first["source"].endswith(f"/files/{APP[0]}")
    with far_nexus("pypi") as server:
        carry(airgap, "--nexus", server.url)
        stored = server.repository("pypi-hosted").files
        assert stored == {f"packages/demo-app/1.0/{APP[0]}": APP[1], f"packages/demo-lib/1.5/{LIB[0]}": LIB[1]}
        url = f"{server.url}/repository/pypi-hosted/simple"
        assert pip_install(tmp_path, url, "demo-app") == {"demo_app": "1.0", "demo_lib": "1.5"}
        carry(airgap, "--nexus", server.url)
        assert uploads(server) == 2


def test_pip_installs_from_a_folder_that_a_web_server_serves(airgap: Airgap, tmp_path: Path) -> None:
    exported(airgap)
    carry(airgap, "--artifacts-to", "pypi=file:out")
    root = airgap.folder / "out"
    assert (root / "simple/demo-lib" / LIB[0]).read_bytes() == LIB[1]
    assert 'data-requires-python="&gt;=3.8"' in (root / "simple/demo-lib/index.html").read_text()
    # A second release adds to the indexes.
    with index({**FILES, **dict([wheel("demo_lib", "2.0")])}) as server:
        write_project(airgap, {"pypi": [{"package": "demo-lib", "index": f"{server.url}/simple"}]})
        export(airgap)
    carry(airgap, "--artifacts-to", "pypi=file:out")
    page = (root / "simple/demo-lib/index.html").read_text()
    assert "demo_lib-1.5" in page
    assert "demo_lib-2.0" in page
    assert "demo-app/" in (root / "simple/index.html").read_text()
    site = {
        path.relative_to(root).as_posix().removesuffix("index.html"): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
    with files_over_http(site, pages=True) as web:
        installed = pip_install(tmp_path, f"http://{LOOPBACK}:{web.port}/simple", "demo-app")
        assert installed == {"demo_app": "1.0", "demo_lib": "2.0"}


def test_pypiserver_takes_the_form_and_pip_installs_from_it(airgap: Airgap, tmp_path: Path) -> None:
    exported(airgap)
    store = tmp_path / "store"
    store.mkdir()
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "pypiserver",
        "run",
        "-i",
        LOOPBACK,
        "-p",
        str(port),
        "-P",
        ".",
        "-a",
        ".",
        str(store),
    ]
    environment = clean_environment(tmp_path)
    with running(command, log=tmp_path / "log", ready=lambda: accepts(port), environment=environment):
        url = f"http://{LOOPBACK}:{port}"
        carry(airgap, "--artifacts-to", f"pypi={url}/", user=None)
        assert {path.name: path.read_bytes() for path in store.iterdir()} == dict([APP, LIB])
        assert pip_install(tmp_path, f"{url}/simple/", "demo-app") == {"demo_app": "1.0", "demo_lib": "1.5"}
        said = carry(airgap, "--artifacts-to", f"pypi={url}", user=None)
        assert "0 artifacts uploaded, 2 already there" in said.stderr
        (store / LIB[0]).write_bytes(b"another")
        assert (
            "another file is already there" in carry(airgap, "--artifacts-to", f"pypi={url}", user=None, code=50).stderr
        )


def test_in_a_network_that_has_only_the_target(airgap: Airgap, tmp_path: Path) -> None:
    exported(airgap)
    carry(airgap, "--artifacts-to", "pypi=file:out")
    with closed_network(tmp_path / "net", "10.66.0.2", names={"pypi.corp": "10.66.0.2"}) as network:
        command = [
            *network.prefix,
            sys.executable,
            "-m",
            "http.server",
            "8000",
            "--directory",
            str(airgap.folder / "out"),
        ]
        environment = clean_environment(tmp_path)
        with running(command, log=tmp_path / "log", ready=lambda: network.accepts(8000), environment=environment):
            more = ("--trusted-host", "pypi.corp")
            installed = pip_install(tmp_path, "http://pypi.corp:8000/simple", "demo-app", *more, prefix=network.prefix)
    assert installed == {"demo_app": "1.0", "demo_lib": "1.5"}


def test_an_index_of_another_program_is_not_replaced(airgap: Airgap) -> None:
    exported(airgap)
    airgap.write("out/simple/index.html", "<html>mine</html>")
    said = carry(airgap, "--artifacts-to", "pypi=file:out", code=42)
    assert "an index that airgap has not written" in said.errors[0]
    assert (airgap.folder / "out/simple/index.html").read_text() == "<html>mine</html>"


def test_a_requirements_file_with_hashes_for_another_python_and_machine(airgap: Airgap) -> None:
    linux = wheel("demo_lib", "1.5", tag="cp311-cp311-manylinux2014_x86_64", value="x86")
    arm = wheel("demo_lib", "1.5", tag="cp311-cp311-manylinux2014_aarch64", value="arm")
    files = dict([linux, arm])
    hashes = " ".join(f"--hash=sha256:{hashlib.sha256(data).hexdigest()}" for data in files.values())
    airgap.write("requirements.txt", f"demo-lib==1.5 {hashes}\n")
    platforms = ["manylinux2014_x86_64", "manylinux2014_aarch64"]
    with index(files) as server:
        entry = {"requirements": "requirements.txt", "index": f"{server.url}/simple", "python": ["3.11"]}
        write_project(airgap, {"pypi": [{**entry, "platforms": platforms}]})
        export(airgap)
        assert names(airgap) == [arm[0], linux[0]]
        write_project(airgap, {"pypi": [{**entry, "platforms": ["win_amd64"]}]})
        said = export(airgap, code=10)
        assert "only wheels are taken" in said.stderr
        assert "airgap.yaml:1" in said.errors[0]
    airgap.write("requirements.txt", f"demo-lib==1.5 --hash=sha256:{'0' * 64}\n")
    with index(files) as server:
        write_project(airgap, {"pypi": [{**entry, "index": f"{server.url}/simple", "platforms": platforms}]})
        assert "the requirements' hashes" in export(airgap, code=10).stderr


def test_a_file_that_is_not_what_the_index_says(airgap: Airgap) -> None:
    with index(dict([LIB]), lie={LIB[0]: "0" * 64}) as server:
        write_project(airgap, {"pypi": [{"package": "demo-lib", "index": f"{server.url}/simple"}]})
        said = airgap.run("export", "--only-artifacts", code=None)
        assert said.code in (10, 31)
        assert not (airgap.folder / "demo.tar").exists()


def test_the_lock_gives_the_same_bytes_after_a_newer_version(airgap: Airgap) -> None:
    files = dict([LIB])
    with index(files) as server:
        write_project(airgap, {"pypi": [{"package": "demo-lib", "index": f"{server.url}/simple"}]})
        export(airgap, "--lock", "airgap.lock")
        first = (airgap.folder / "demo.tar").read_bytes()
        files.update(dict([wheel("demo_lib", "9.0")]))
        server.requests.clear()
        export(airgap, "--lock", "airgap.lock")
        assert (airgap.folder / "demo.tar").read_bytes() == first
        assert server.count("GET", "/simple/") == 0
        export(airgap)
        assert names(airgap) == ["demo_lib-9.0-py3-none-any.whl"]
        # The locked file was replaced at the index.
        files[LIB[0]] = wheel("demo_lib", "1.5", value="another")[1]
        said = export(airgap, "--lock", "airgap.lock", code=31)
        assert "--refresh" in said.stderr
        files.clear()
        assert LIB[0] in export(airgap, "--lock", "airgap.lock", code=22).errors[0]


@pytest.mark.parametrize("place", ["config", "netrc", "address"])
def test_credentials_are_those_of_pip_and_appear_nowhere(airgap: Airgap, place: str) -> None:
    with index(dict([LIB]), user="reader:pass-word") as server:
        plain = f"{server.url}/simple"
        secret = plain.replace("http://", "http://reader:pass-word@")
        write_project(airgap, {"pypi": [{"package": "demo-lib", "index": secret if place == "address" else plain}]})
        if place == "config":
            (airgap.home / ".config/pip").mkdir(parents=True)
            (airgap.home / ".config/pip/pip.conf").write_text(f"[global]\nindex-url = {secret}\n")
        if place == "netrc":
            (airgap.home / ".netrc").write_text("machine 127.0.0.1 login reader password pass-word\n")
            (airgap.home / ".netrc").chmod(0o600)
        said = export(airgap, "--lock", "airgap.lock")
        for content in (said.stderr.encode(), (airgap.folder / "demo.tar").read_bytes(),
                        (airgap.folder / "airgap.lock").read_bytes()):  # fmt: skip
            assert b"pass-word" not in content
        export(airgap, "--lock", "airgap.lock")
        # Nothing of the user's was written.
        assert not (airgap.home / ".cache").exists()
    airgap.environment["PIP_RETRIES"] = "0"  # the index is gone
    said = export(airgap, "-o", "other.tar", code=10)
    assert "pass-word" not in said.stderr


def test_a_page_in_json_is_read_within_limits() -> None:
    entry = {"filename": LIB[0], "url": f"../../files/{LIB[0]}", "hashes": {"sha256": "0" * 64}}
    page = json.dumps({"meta": {"api-version": "1.0"}, "files": [entry, {**entry, "hashes": {}}]}).encode()
    kind = "application/vnd.pypi.simple.v1+json"
    with_digest, without = parse_page(page, kind, "http://h/simple/demo-lib/")
    assert (with_digest.file, with_digest.url) == (LIB[0], f"http://h/files/{LIB[0]}")
    assert (with_digest.digest, without.digest) == (f"sha256:{'0' * 64}", "")
    for content, expected in ((b"[" * 100, "levels deep"), (b"{", "not JSON"), (b"[]", "no page of a project")):
        with pytest.raises(ContentError, match=expected):
            parse_page(content, kind, "http://h/simple/demo-lib/")
    with limits.changed({"download-values": 10}), pytest.raises(ContentError, match="values") as raised:
        parse_page(page, kind, "http://h/simple/demo-lib/")
    assert "AIRGAP_LIMITS=download-values=NUMBER" in str(raised.value.hint)


def test_what_is_no_python_package_is_refused(airgap: Airgap) -> None:
    with far_nexus("pypi") as server:
        exported(airgap)
        server.repository("pypi-hosted").files[f"packages/demo-lib/1.5/{LIB[0]}"] = b"another"
        said = carry(airgap, "--nexus", server.url, code=50)
        assert hashlib.sha256(b"another").hexdigest() in said.errors[0]
        assert uploads(server) == 0


def test_an_option_is_no_requirement(airgap: Airgap) -> None:
    write_project(airgap, {"pypi": [{"package": "--evil"}]})
    assert "is no requirement" in export(airgap, code=2).errors[0]
