# SPDX-License-Identifier: Apache-2.0
"""A node in a folder, a registry that it is configured for, and what ``airgap prove`` says of it."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cli.command import Airgap, Result
from tests.doubles.registry import Double, Shelf
from tests.parts.certificates import Pair

#: The target as images name it. Its node files lead to a registry on loopback, which a name is not.
TARGET = "nexus.test:5000"
CERTS = "/etc/containerd/certs.d"


@dataclass
class Node:
    """A node below ``root``, and the double of its registry."""

    airgap: Airgap
    root: Path
    shelf: Shelf
    registry: Double
    tls: bool
    options: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.registry.port}"

    def lay(self, path: str, content: str | bytes) -> Path:
        """A file of the node."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        return place

    def containerd(self, hosts: Mapping[str, str]) -> None:
        """containerd with ``config_path``, and a ``hosts.toml`` for each registry."""
        self.lay(
            "/etc/containerd/config.toml",
            f'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "{CERTS}"\n',
        )
        for host, text in hosts.items():
            self.lay(f"{CERTS}/{host}/hosts.toml", text)

    def run(self, yaml: str, *more: str | Path, code: int | None) -> Result:
        self.airgap.write("all.yaml", yaml)
        words = ["all.yaml", "--against", TARGET, "--root", self.root, "--platform", "linux/amd64"]
        return self.airgap.run("prove", *words, *self.options, *more, "--json", code=code)

    def prove(self, yaml: str, *more: str | Path, code: int = 51) -> dict[str, Any]:
        """The answer, and one cause for each kind."""
        return dict(self.run(yaml, *more, code=code).json)

    def kinds(self, yaml: str, *more: str | Path) -> list[str]:
        """The kinds of the causes, sorted; nothing if all is ready."""
        answer = self.run(yaml, *more, code=None)
        found = sorted(cause["kind"] for cause in answer.json["causes"])
        assert answer.code == (51 if found else 0), answer.stderr
        return found


def hosts_toml(url: str, more: str = "") -> str:
    """A ``hosts.toml`` that leads to one address."""
    return f'[host."{url}"]\n  capabilities = ["pull", "resolve"]\n{more}'


@contextlib.contextmanager
def node(airgap: Airgap, root: Path, tls: Pair | None = None) -> Iterator[Node]:
    """A node without files, and an empty registry; ``airgap`` itself reaches it by ``--via``."""
    root.mkdir()
    shelf = Shelf()
    with contextlib.ExitStack() as stack:
        registry = Double(shelf, tls.context() if tls else None)
        stack.callback(registry.stop)
        started = Node(airgap, root, shelf, registry, tls is not None)
        started.options = ["--via", started.url]
        yield started


def workload(image: str, *, namespace: str = "shop", secrets: tuple[str, ...] = (), name: str = "web") -> str:
    """A Deployment with one container."""
    pull = f"\n      imagePullSecrets: {json.dumps([{'name': s} for s in secrets])}" if secrets else ""
    return f"""---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  template:
    spec:{pull}
      containers:
      - name: main
        image: {image}
"""


def pull_secret(name: str, namespace: str, host: str, user: str, password: str) -> str:
    """A Secret as ``kubectl create secret docker-registry`` makes it."""
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    document = json.dumps({"auths": {host: {"auth": auth}}})
    return f"""---
apiVersion: v1
kind: Secret
metadata: {{name: {name}, namespace: {namespace}}}
type: kubernetes.io/dockerconfigjson
data:
  .dockerconfigjson: {base64.b64encode(document.encode()).decode()}
"""
