# SPDX-License-Identifier: Apache-2.0
"""``--cluster`` by the real kubectl, against a server that answers the few paths that it asks as Kubernetes does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.cli.command import Airgap
from tests.cli.fixtures import airgap  # noqa: F401 - a fixture
from tests.flows.test_cluster import workload
from tests.parts.need import need

pytestmark = [pytest.mark.interop, pytest.mark.requires("kubectl")]


def resources(group_version: str, *entries: tuple[str, str, bool]) -> dict[str, Any]:
    """An APIResourceList: name, kind, and whether its objects are in namespaces."""
    listed = [
        {"name": name, "singularName": "", "kind": kind, "namespaced": namespaced, "verbs": ["get", "list"]}
        for name, kind, namespaced in entries
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def group(name: str, version: str) -> dict[str, Any]:
    known = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [known], "preferredVersion": known}


def items(kind: str, *objects: dict[str, Any]) -> dict[str, Any]:
    api = objects[0]["apiVersion"] if objects else "v1"
    return {"kind": f"{kind}List", "apiVersion": api, "metadata": {"resourceVersion": "1"}, "items": list(objects)}


NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "one"},
    "status": {"images": [{"names": ["quay.io/e/held:1"], "sizeBytes": 1}]},
}
DATABASE = {
    "apiVersion": "example.com/v1",
    "kind": "Database",
    "metadata": {"name": "db", "namespace": "shop"},
    "spec": {"image": "quay.io/e/database:3"},
}
ANSWERS: dict[str, Any] = {
    "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [group("apps", "v1"), group("batch", "v1"), group("example.com", "v1")],
    },
    "/api/v1": resources("v1", ("pods", "Pod", True), ("nodes", "Node", False), ("secrets", "Secret", True)),
    "/apis/apps/v1": resources("apps/v1", ("deployments", "Deployment", True)),
    "/apis/batch/v1": resources("batch/v1", ("cronjobs", "CronJob", True)),
    "/apis/example.com/v1": resources("example.com/v1", ("databases", "Database", True), ("keys", "Key", True)),
    "/api/v1/pods": items("Pod", workload("Pod", "alone", "nginx")),
    "/api/v1/nodes": items("Node", NODE),
    "/apis/apps/v1/deployments": items("Deployment", workload("Deployment", "web", "quay.io/e/web:2", replicas=1)),
    "/apis/batch/v1/cronjobs": items("CronJob"),
    "/apis/example.com/v1/databases": items("Database", DATABASE),
    "/apis/example.com/v1/keys": items("Key"),
}


class Api:
    """The server; ``forbidden`` are paths that answer 403, and ``asked`` are the paths that were asked for."""

    def __init__(self) -> None:
        self.forbidden: set[str] = set()
        self.asked: list[str] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0].rstrip("/")
                api.asked.append(path)
                # All namespaces have the same objects here.
                answer = ANSWERS.get(path.replace("/namespaces/shop", ""))
                status = 403 if path in api.forbidden else 404 if answer is None else 200
                if status != 200:
                    reason = {403: "Forbidden", 404: "NotFound"}[status]
                    answer = {
                        "kind": "Status",
                        "apiVersion": "v1",
                        "status": "Failure",
                        "reason": reason,
                        "code": status,
                    }
                    answer |= {"message": f"{path} is {reason.lower()}"}
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def api(airgap: Airgap) -> Iterator[Api]:  # noqa: F811
    need("kubectl")
    made = Api()
    made.thread.start()
    contexts = [{"name": name, "context": {"cluster": name, "user": "u"}} for name in ("here", "nowhere")]
    servers = {"here": made.url, "nowhere": "http://127.0.0.1:9"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "nowhere",
        "contexts": contexts,
        "clusters": [{"name": name, "cluster": {"server": server}} for name, server in servers.items()],
        "users": [{"name": "u", "user": {}}],
    }
    airgap.environment["KUBECONFIG"] = str(airgap.write("config", json.dumps(config)))
    try:
        yield made
    finally:
        made.server.shutdown()
        made.thread.join()
        made.server.server_close()


def test_what_the_cluster_needs(airgap: Airgap, api: Api) -> None:  # noqa: F811
    said = airgap.run("images", "--cluster", "--context", "here", "--refs")
    assert said.text.split() == [
        "docker.io/library/nginx:latest",
        "quay.io/e/database:3",
        "quay.io/e/held:1",
        "quay.io/e/web:2",
    ]
    assert "/api/v1/secrets" not in api.asked


def test_one_namespace_and_no_right_to_one_type(airgap: Airgap, api: Api) -> None:  # noqa: F811
    api.forbidden = {"/apis/example.com/v1/namespaces/shop/keys"}
    said = airgap.run("images", "--cluster", "--context", "here", "-n", "shop", "--refs", code=3)
    assert "quay.io/e/held:1" not in said.text
    assert "quay.io/e/database:3" in said.text
    (warning,) = [line for line in said.stderr.splitlines() if line.startswith("warning:")]
    assert "skipped 1 type of objects: " in warning
    assert "keys" in warning


def test_a_cluster_that_does_not_answer(airgap: Airgap, api: Api) -> None:  # noqa: F811
    said = airgap.fails(10, "images", "--cluster")
    assert "kubectl" in said.errors[0]
    assert "127.0.0.1:9" in said.errors[0]
