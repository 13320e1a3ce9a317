# SPDX-License-Identifier: Apache-2.0
"""Plain files, from airgap.yaml into Nexus, servers that take a PUT, and folders; and what all formats share."""

from __future__ import annotations

import hashlib
import json
import os

import pytest

from tests.artifacts.carrying import bundle_json, carry, export, far_nexus, files_over_http, uploads, write_project
from tests.cli.command import Airgap
from tests.doubles.nexus import ADMIN, PUSHER, READER, Repository
from tests.doubles.registry import Answer, Double, Request

MANUAL = b"manual of the machine\n"


def project(airgap: Airgap) -> None:
    airgap.write("docs/manual.pdf", MANUAL)
    airgap.write("docs/more/notes.txt", b"notes\n")
    entries = [{"path": "docs/manual.pdf", "directory": "manuals"}, {"path": "docs", "directory": "all"}]
    write_project(airgap, {"raw": entries})


def test_files_reach_a_hosted_repository_and_nothing_moves_twice(airgap: Airgap) -> None:
    project(airgap)
    said = export(airgap)
    assert "3 artifacts" in said.stderr
    # The empty config of the manifests is nothing that was reused.
    assert "(2 B)" not in said.stderr
    names = [(entry["format"], entry["name"], entry["file"]) for entry in bundle_json(airgap)["artifacts"]]
    assert names == [
        ("raw", "all/manual.pdf", "manual.pdf"),
        ("raw", "all/more/notes.txt", "notes.txt"),
        ("raw", "manuals/manual.pdf", "manual.pdf"),
    ]
    assert "6 blobs" in airgap.run("verify", "demo.tar").text + airgap.run("verify", "demo.tar").stderr
    with far_nexus("raw") as server:
        said = carry(airgap, "--nexus", server.url)
        assert "3 artifacts uploaded" in said.stderr
        assert "(2 B)" not in said.stderr
        assert server.repository("raw-hosted").files == {
            "all/manual.pdf": MANUAL,
            "all/more/notes.txt": b"notes\n",
            "manuals/manual.pdf": MANUAL,
        }
        assert uploads(server) == 3
        said = carry(airgap, "--nexus", server.url)
        assert "0 artifacts uploaded, 3 already there" in said.stderr
        assert uploads(server) == 3
    receipt = json.loads((airgap.folder / "demo.tar.artifacts.receipt.json").read_bytes())
    assert [entry["target"].partition("/repository/")[2] for entry in receipt["artifacts"]] == [
        "raw-hosted/all/manual.pdf",
        "raw-hosted/all/more/notes.txt",
        "raw-hosted/manuals/manual.pdf",
    ]


def test_another_file_of_the_name_is_refused_before_anything_is_sent(airgap: Airgap) -> None:
    project(airgap)
    export(airgap)
    with far_nexus("raw") as server:
        server.repository("raw-hosted").files["manuals/manual.pdf"] = b"another"
        said = carry(airgap, "--nexus", server.url, code=50)
        for content in (b"another", MANUAL):
            assert hashlib.sha256(content).hexdigest() in said.errors[0]
        assert uploads(server) == 0
        assert not (airgap.folder / "demo.tar.artifacts.receipt.json").exists()


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        (Repository("it", format="maven2"), "of the format maven2, not raw"),
        (Repository("it", format="raw", kind="group", members=("raw-hosted",)), "is a group repository"),
        (Repository("it", format="raw", kind="proxy", remote="raw-hosted"), "is a proxy repository"),
        (Repository("it", format="raw", write_policy="DENY"), "Read-only (DENY)"),
        (Repository("it", format="raw", online=False), "switched offline"),
    ],
)
def test_a_repository_that_takes_no_upload_is_named_before_anything_is_sent(
    airgap: Airgap, repository: Repository, expected: str
) -> None:
    project(airgap)
    export(airgap)
    hosted = Repository("raw-hosted", format="raw")
    with far_nexus(repositories=(hosted, repository)) as server:
        said = carry(airgap, "--artifacts-to", f"raw={server.url}/repository/it", code=51)
        assert expected in said.errors[0]
        assert uploads(server) == 0


def test_read_only_mode_and_quota(airgap: Airgap) -> None:
    project(airgap)
    export(airgap)
    with far_nexus("raw", frozen=True) as server:
        assert "read-only mode" in carry(airgap, "--nexus", server.url, code=51).errors[0]
        assert uploads(server) == 0
    with far_nexus("raw", quota_violated=True) as server:
        said = carry(airgap, "--nexus", server.url)
        assert "over its quota" in said.stderr
        assert len(server.repository("raw-hosted").files) == 3


def test_a_user_who_may_not_write_is_told_which_privilege(airgap: Airgap) -> None:
    project(airgap)
    export(airgap)
    with far_nexus("raw") as server:
        target = f"raw={server.url}/repository/raw-hosted"
        said = carry(airgap, "--artifacts-to", target, code=21, user=READER)
        assert "nx-repository-view-raw-raw-hosted-add" in said.stderr
        carry(airgap, "--artifacts-to", target, user=PUSHER)
        assert len(server.repository("raw-hosted").files) == 3


def test_a_wrong_password_is_tried_once(airgap: Airgap) -> None:
    project(airgap)
    export(airgap)
    with far_nexus("raw") as server:
        words = {"AIRGAP_USERNAME": "admin", "AIRGAP_PASSWORD": "wrong"}
        said = airgap.fails(21, "import", "demo.tar", "--only-artifacts", "--nexus", server.url, environment=words)
        assert "wrong" not in said.stderr
        assert server.tries["admin"][1] == 1


def test_the_choice_is_named_where_nexus_has_several_or_no_repositories(airgap: Airgap) -> None:
    project(airgap)
    export(airgap)
    two = (Repository("a", format="raw"), Repository("b", format="raw"))
    with far_nexus(repositories=two) as server:
        said = carry(airgap, "--nexus", server.url, code=50)
        assert "2 hosted repositories for raw: a, b" in said.errors[0]
        assert f"--artifacts-to raw={server.url}/repository/a" in said.stderr
    with far_nexus() as server:
        assert "--create-repositories makes raw-hosted" in carry(airgap, "--nexus", server.url, code=51).stderr
        assert server.contents == {}
        carry(airgap, "--nexus", server.url, "--create-repositories", "--dry-run")
        assert server.contents == {}
        carry(airgap, "--nexus", server.url, "--create-repositories")
        assert len(server.repository("raw-hosted").files) == 3
        assert server.repository("raw-hosted").settings.write_policy == "ALLOW_ONCE"
    said = carry(airgap, code=50)
    assert "--artifacts-to raw=URL" in said.stderr


def test_targets_of_airgap_yaml_and_a_folder(airgap: Airgap) -> None:
    project(airgap)
    export(airgap)
    airgap.write("airgap.yaml", json.dumps({"artifact_targets": {"raw": "file:out/files"}}))
    carry(airgap)
    root = airgap.folder / "out/files"
    assert (root / "all/more/notes.txt").read_bytes() == b"notes\n"
    assert (root / "manuals/manual.pdf").read_bytes() == MANUAL
    (root / "manuals/manual.pdf").write_bytes(b"changed by hand")
    assert "another file is already there" in carry(airgap, code=50).errors[0]


def test_a_link_out_of_the_folder_is_refused(airgap: Airgap) -> None:
    project(airgap)
    export(airgap)
    (airgap.folder / "out").mkdir()
    (airgap.folder / "elsewhere").mkdir()
    (airgap.folder / "out/manuals").symlink_to(airgap.folder / "elsewhere")
    assert "a link leads out" in carry(airgap, "--artifacts-to", "raw=file:out", code=42).errors[0]
    assert not list((airgap.folder / "elsewhere").iterdir())


def test_a_server_that_takes_puts(airgap: Airgap) -> None:
    project(airgap)
    export(airgap)
    files: dict[str, bytes] = {}

    def answer(request: Request) -> Answer:
        if request.method == "PUT":
            files[request.path] = request.read()
            return Answer(201)
        return Answer(200, files[request.path]) if request.path in files else Answer(404)

    server = Double(answer)
    try:
        carry(airgap, "--artifacts-to", f"raw={server.url}/store/", user=None)
        assert set(files) == {"/store/all/manual.pdf", "/store/all/more/notes.txt", "/store/manuals/manual.pdf"}
        sent = server.count("PUT")
        carry(airgap, "--artifacts-to", f"raw={server.url}/store", user=None)
        assert server.count("PUT") == sent
    finally:
        server.stop()


def test_a_file_by_its_address_is_fetched_and_checked(airgap: Airgap) -> None:
    content = os.urandom(300_000)
    digest = hashlib.sha256(content).hexdigest()
    with files_over_http({"get/installer.run": content}) as server:
        entry = {"url": f"{server.url}/get/installer.run", "sha256": digest, "directory": "installers"}
        write_project(airgap, {"raw": [entry]})
        export(airgap)
        [artifact] = bundle_json(airgap)["artifacts"]
        assert artifact["source"] == f"{server.url}/get/installer.run"
        assert artifact["content"] == {"digest": f"sha256:{digest}", "size": len(content)}
        write_project(airgap, {"raw": [{**entry, "sha256": "0" * 64}]})
        said = export(airgap, code=31)
        assert digest in said.errors[0]
        assert "0" * 64 in said.errors[0]
    assert not list(airgap.folder.glob("*.artifacts"))


def test_a_broken_download_goes_on_where_it_stopped(airgap: Airgap) -> None:
    from tests.parts.faulty_line import CLOSE, Break

    content = os.urandom(400_000)
    with files_over_http({"f.bin": content}) as server:
        server.on("GET", "/f.bin", Answer(200, content, {"ETag": f'"{hash(content)}"'}, broken=Break(CLOSE, 250_000)))
        write_project(airgap, {"raw": [{"url": f"{server.url}/f.bin"}]})
        export(airgap)
        ranges = [request.headers.get("Range") for request in server.seen("GET", "/f.bin")]
        assert len(ranges) == 2
        assert ranges[0] is None
        begin = int(str(ranges[1]).removeprefix("bytes=").rstrip("-"))
        assert 0 < begin <= 250_000
        [artifact] = bundle_json(airgap)["artifacts"]
        assert artifact["content"]["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_the_lock_gives_the_same_bytes_and_refuses_changes(airgap: Airgap) -> None:
    project(airgap)
    export(airgap, "--lock", "airgap.lock")
    first = (airgap.folder / "demo.tar").read_bytes()
    lock = json.loads((airgap.folder / "airgap.lock").read_bytes())
    assert lock["artifacts"][0]["name"] == "all/manual.pdf"
    export(airgap, "--lock", "airgap.lock")
    assert (airgap.folder / "demo.tar").read_bytes() == first
    airgap.write("docs/manual.pdf", b"another edition")
    said = export(airgap, "--lock", "airgap.lock", code=31)
    assert "--refresh" in said.stderr
    assert "manual.pdf" in said.errors[0]
    write_project(airgap, {"raw": [{"path": "docs/manual.pdf"}]})
    said = export(airgap, "--lock", "airgap.lock", code=2)
    assert "the raw artifacts of airgap.yaml have changed" in said.errors[0]
    export(airgap, "--lock", "airgap.lock", "--refresh")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{path: docs/manual.pdf, directory: ../up}", "leads out of its folder"),
        ("{path: docs/manual.pdf, file: a/b}", "leads out of its folder"),
        ("{path: docs/gone.pdf}", "there is no such file"),
        ("{path: docs/manual.pdf, sha256: ab}", "'sha256' does not go with 'path'"),
        ("{url: 'ftp://x/y'}", "is no http or https address"),
        ("{url: 'http://h/y', sha256: ab}", "is no sha256"),
        ("{url: 'http://h/'}", "ends without a file name"),
        ("{directory: x}", "one of path, url belongs here"),
        ("{path: a, url: 'http://h/y'}", "only one of path, url belongs here"),
        ("{paht: a}", "unknown key 'paht'"),
    ],
)
def test_mistakes_in_airgap_yaml_have_their_line(airgap: Airgap, entry: str, expected: str) -> None:
    airgap.write("docs/manual.pdf", MANUAL)
    airgap.write("airgap.yaml", f"name: demo\nartifacts:\n  raw:\n    - {entry}\n")
    said = export(airgap, code=2)
    assert expected in said.errors[0]
    assert "airgap.yaml:4" in said.stderr
    assert not (airgap.folder / "demo.tar").exists()


def test_the_path_of_an_export_is_not_read_for_artifacts_alone(airgap: Airgap) -> None:
    project(airgap)
    airgap.write("pod.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: localhost:1/no/such:1}]}\n")
    export(airgap, ".")
    assert bundle_json(airgap)["images"] == []
    assert len(bundle_json(airgap)["artifacts"]) == 3
    said = export(airgap, "--image", "localhost:1/no/such:1", code=2)
    assert "takes no images" in said.errors[0]


def test_nothing_is_said_of_formats_that_do_not_exist(airgap: Airgap) -> None:
    airgap.write("airgap.yaml", "artifacts:\n  pyyp: []\n")
    assert "unknown key 'pyyp'" in export(airgap, code=2).errors[0]
    airgap.write("airgap.yaml", "artifacts: {}\n")
    assert "--only-artifacts takes what artifacts: of airgap.yaml names" in export(airgap, code=2).errors[0]
    project(airgap)
    export(airgap)
    for text in ("raw", "raw=", "pyyp=http://h/x", "raw=ftp://h/x", "raw=file:"):
        assert airgap.run("import", "demo.tar", "--only-artifacts", "--artifacts-to", text, code=2).errors
    said = airgap.fails(2, "import", "demo.tar", "--only-artifacts", "--to", "http://h")
    assert "takes no images" in said.errors[0]


def test_a_broken_upload_is_tried_again_and_the_answer_that_was_lost_is_found(airgap: Airgap) -> None:
    project(airgap)
    export(airgap)
    with far_nexus("raw") as server:
        lost: list[str] = []

        def lose(request: Request) -> Answer | None:
            # The upload arrives, and the gateway in front answers 504.
            answer = server.main.default(request)
            lost.append(str(answer.status if answer else None))
            return Answer(504)

        server.main.on("POST", "/components", lose)
        said = carry(airgap, "--nexus", server.url, "--jobs", "1")
        assert lost == ["204"]
        assert "3 artifacts uploaded" in said.stderr
        assert len(server.repository("raw-hosted").files) == 3


def test_volumes_zstd_and_a_pipe_carry_artifacts(airgap: Airgap) -> None:
    project(airgap)
    export(airgap, "-o", "demo.tar", "--volume-size", "1MiB")
    export(airgap, "-o", "z.tar.zst")
    for bundle in ("demo.tar.001", "z.tar.zst"):
        airgap.run("verify", bundle)
        with far_nexus("raw") as server:
            carry(airgap, "--nexus", server.url, bundle=bundle)
            assert len(server.repository("raw-hosted").files) == 3
    export(airgap, "-o", "whole.tar")
    with far_nexus("raw") as server:
        words = {"AIRGAP_USERNAME": ADMIN.name, "AIRGAP_PASSWORD": ADMIN.password}
        airgap.run(
            "import", "-", "--only-artifacts", "--nexus", server.url, environment=words,
            stdin=(airgap.folder / "whole.tar").read_bytes(),
        )  # fmt: skip
        assert len(server.repository("raw-hosted").files) == 3


def test_base_leaves_out_what_a_receipt_or_bundle_lists(airgap: Airgap) -> None:
    project(airgap)
    export(airgap)
    with far_nexus("raw") as server:
        carry(airgap, "--nexus", server.url)
        airgap.write("docs/new.txt", b"new\n")
        for base in ("demo.tar.artifacts.receipt.json", "demo.tar"):
            export(airgap, "-o", "next.tar", "--base", base)
            document = bundle_json(airgap, "next.tar")
            assert {blob["digest"] for blob in document["requires"]} == {
                f"sha256:{hashlib.sha256(content).hexdigest()}" for content in (MANUAL, b"notes\n")
            }
            airgap.run("verify", "next.tar")
        said = carry(airgap, "--nexus", server.url, bundle="next.tar")
        assert "1 artifact uploaded, 3 already there" in said.stderr
    with far_nexus("raw") as server:
        command = (
            "import",
            "next.tar",
            "--only-artifacts",
            "--artifacts-to",
            f"raw={server.url}/repository/raw-hosted",
        )
        said = airgap.run(*command, code=32)
        assert [line.partition(" at ")[0] for line in said.errors] == [
            "raw all/manual.pdf", "raw all/more/notes.txt", "raw manuals/manual.pdf",
        ]  # fmt: skip
        assert "made with --base" in said.stderr
        assert uploads(server) == 0
