# SPDX-License-Identifier: Apache-2.0
"""Each limit of the table has a test at the limit and one past it: here, or a test of its own that is named here."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from airgap import limits
from airgap.artifacts.workspace import Workspace
from airgap.config.airgap_yaml import load_project
from airgap.dossier import packages
from airgap.durable import Journal
from airgap.errors import AirgapError
from airgap.flows.steps.attached_documents import read_attached
from airgap.kube.cluster import ClusterScope, _Kubectl
from airgap.kube.render.programs import kustomize
from airgap.kube.rewrite.log import read_log
from airgap.nodes.files import new_file
from airgap.prove.node_files import NodeFiles
from airgap.prove.nodes.kubectl import Kubectl
from airgap.registry import Registries
from airgap.transfer import Context, Jobs

TESTS = Path(__file__).resolve().parents[1]
#: Reads something that is exactly at the limit; the number is the limit.
Attempt = tuple[int, Callable[[], object]]
BY_KIND = {"bytes": "test_bytes_of_documents", "values": "test_values_of_documents"}
#: Kinds of JSON that one test each takes at the limit and past it.
KINDS = (
    "manifest", "config", "list-page", "rest", "download", "index", "lockfile", "needs", "dossier",
    "scan-result",
)  # fmt: skip
ELSEWHERE = {
    **{f"{kind}-{unit}": BY_KIND[unit] for kind in KINDS for unit in BY_KIND},
    **{f"document-{what}": "test_the_limits_of_a_document" for what in ("bytes", "values", "entry-bytes", "memory")},
    "document-entry-values": "test_the_limits_of_an_entry",
    "list-pages": "test_fresh_pages_without_end",
    "list-entries": "test_entries_without_end",
    "list-characters": "test_characters_and_time",
    "list-time": "test_characters_and_time",
    "token-bytes": "test_tokens",
    "error-bytes": "test_bodies_of_errors",
    "helper-bytes": "test_credential_helpers",
    "helper-time": "test_a_credential_helper_that_does_not_answer",
    "header-bytes": "test_the_length_of_headers",
    "answer-time": "test_a_registry_that_falls_silent_is_asked_twice",
    "minimum-rate": "test_a_blob_at_the_minimum_rate",
    "rate-period": "test_a_blob_that_crawls",
    "plan-bytes": "test_the_memory_of_a_plan",
    "plan-image-bytes": "test_the_memory_of_a_plan",
    "transfer-failures": "test_failures_of_one_transfer",
    "resource-bytes": "test_the_limit_of_bytes",
    "resources-bytes": "test_all_files_together",
    "resource-memory": "test_the_limit_of_images",
    "resource-work": "test_the_limit_of_work",
    "json-depth": "test_the_depth_of_documents",
    "credentials-bytes": "test_files_with_credentials",
    "image-signatures": "test_more_signatures_than_are_read",
    "package-metadata-bytes": "test_packages_and_documents_within_limits",
    "package-database-bytes": "test_a_database_beyond_its_limit_is_not_read",
    "package-entries": "test_a_database_beyond_its_limit_is_not_read",
    "kept-files": "test_a_folder_of_more_files_than_are_read",
    "attached-bytes": "test_what_cannot_be_attached",
    "attached-files": "test_so_many_files",
    "archive-entries": "test_extended_headers_have_limits",
    "archive-name-bytes": "test_extended_headers_have_limits",
    "archive-bytes": "test_bombs_are_refused",
    "archive-ratio": "test_ratios_are_limited",
    "archive-memory": "test_a_window_that_is_too_large_is_refused",
    "scan-depth": "test_verdicts_are_kept_for_the_same_database",
    "scan-file-bytes": "test_large_files_are_not_given_to_a_command",
    "scan-time": "test_a_command_that_does_not_end",
    "recoded-layer-bytes": "test_sizes_that_are_declared_have_limits",
    "recoded-prefix-bytes": "test_sizes_that_are_declared_have_limits",
    "nodes-time": "test_a_node_on_which_the_check_does_not_run_is_not_ready",
}


def project_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    path = folder / "airgap.yaml"
    path.write_text("name: x\nversion: 1\n")
    return path.stat().st_size, lambda: load_project(str(path))


def project_values(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    path = folder / "airgap.yaml"
    path.write_text("name: x\nimages: [a/b:1, c/d:1]\n")
    return 7, lambda: load_project(str(path))  # the mapping, two keys, a value, the list and two in it


def node_settings_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    (folder / "config.toml").write_bytes(b"x" * 10)
    return 10, lambda: new_file(folder, "config.toml", b"y")


def journal_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    path = folder / "a.journal"
    path.write_bytes(b'{"a":1}\n' * 3)

    def read() -> None:
        assert len(Journal.read(path)) == 3
        Journal.open(path).close()

    return 24, read


def record_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    path = folder / ".airgap-rewrite.log"
    path.write_bytes(b"\n" * 10)
    return 10, lambda: read_log(path)


def node_file_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    (folder / "hosts.toml").write_bytes(b"x" * 10)
    return 10, lambda: NodeFiles.below(str(folder)).read("/hosts.toml")


def node_folder_entries(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    for name in "abc":
        (folder / "certs.d" / name).mkdir(parents=True)
    return 3, lambda: NodeFiles.below(str(folder)).names("/certs.d")


def kubectl_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    program(folder, "kubectl", "printf 0123456789", monkeypatch)
    return 10, lambda: Kubectl().run("version")


def cluster_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    nothing = '{"kind":"List","items":[]}'
    program(folder, "kubectl", f"printf '%s' '{nothing}'", monkeypatch)
    return len(nothing), lambda: _Kubectl(ClusterScope()).get("pods")


def program_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    program(folder, "kubectl", "printf 0123456789", monkeypatch)
    return 10, lambda: kustomize(str(folder))


def resolver_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    workspace = Workspace(folder, Registries(), Context(Jobs.of(1)), {})
    return 10, lambda: workspace.run(["/bin/sh", "-c", "printf 01234; printf 56789 >&2"], where="x")


def attached(folder: Path) -> list[str]:
    paths = [folder / name for name in ("a.json", "b.json")]
    for path in paths:
        path.write_bytes(b"12345")
    return list(map(str, paths))


def attached_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    return 10, lambda: read_attached(attached(folder))


def attached_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    return 2, lambda: read_attached(attached(folder))


PAIRS: dict[str, Callable[[Path, pytest.MonkeyPatch], Attempt]] = {
    made.__name__.replace("_", "-"): made
    for made in (
        project_bytes, project_values, node_settings_bytes, journal_bytes, record_bytes, node_file_bytes,
        node_folder_entries, kubectl_bytes, attached_bytes, attached_files, cluster_bytes, program_bytes,
        resolver_bytes,
    )
}  # fmt: skip
#: Seconds within which another program has to do something: a test here runs one that sleeps.
PROGRAMS = {"rpm-time": "test_rpm_that_does_not_answer", "node-pod-time": "test_kubectl_is_told_how_long_to_wait"}


def program(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "bin").mkdir()
    path = folder / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}/bin:/usr/bin:/bin")


def test_each_limit_has_a_test() -> None:
    tests = "".join(path.read_text("utf-8") for path in TESTS.rglob("test_*.py"))
    named = {**ELSEWHERE, **PROGRAMS}
    without = [
        limit.name
        for limit in limits.TABLE
        if limit.name not in PAIRS
        and not ((name := named.get(limit.name)) and re.search(rf"^def {name}\(", tests, re.MULTILINE))
    ]
    assert without == []


@pytest.mark.parametrize("name", PAIRS)
def test_at_the_limit_and_past_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    at, attempt = PAIRS[name](tmp_path, monkeypatch)
    with limits.changed({name: at}):
        attempt()
    with limits.changed({name: at - 1}), pytest.raises((AirgapError, OSError)) as caught:
        attempt()
    assert name in (getattr(caught.value, "hint", None) or str(caught.value))


@pytest.mark.parametrize("seconds", [0.2, 20])
def test_rpm_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Its packages are then not read, as without the program."""
    program(tmp_path, "rpm", "exec sleep 60" if seconds < 1 else r"printf 'a\t1\tx\tMIT\n'", monkeypatch)
    with limits.changed({"rpm-time": seconds}):  # type: ignore[dict-item] # as long as this test can wait
        found = packages._rpm({})
    assert (found is None) == (seconds < 1)


def test_kubectl_is_told_how_long_to_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airgap.prove.nodes import debug_pod

    program(tmp_path, "kubectl", f'printf "%s\\n" "$*" >> {tmp_path}/asked', monkeypatch)
    with limits.changed({"node-pod-time": 7}):
        debug_pod._wait(Kubectl(), "a", "image")
    assert "--timeout=7s" in (tmp_path / "asked").read_text()
