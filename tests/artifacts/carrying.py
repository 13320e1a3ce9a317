# SPDX-License-Identifier: Apache-2.0
"""A project with artifacts, the commands that carry them, and a Nexus on the far side."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from tests.cli.command import Airgap, Result
from tests.doubles.nexus import ADMIN, Nexus, Repository, Settings, User, nexus
from tests.doubles.registry import Answer, Double, Request

#: A hosted repository for each format that is asked for by name.
HOSTED = {"maven": "maven2"}


def write_project(airgap: Airgap, artifacts: Mapping[str, object], **more: object) -> None:
    """An ``airgap.yaml`` (JSON is YAML)."""
    airgap.write("airgap.yaml", json.dumps({"name": "demo", "artifacts": artifacts, **more}))


def export(airgap: Airgap, *more: str, code: int = 0) -> Result:
    """Export the artifacts of the project to ``demo.tar``."""
    command = ["export", "--only-artifacts", "--force", *more]
    return airgap.run(*command) if code == 0 else airgap.fails(code, *command)


def carry(airgap: Airgap, *more: str, code: int = 0, user: User | None = ADMIN, bundle: str = "demo.tar") -> Result:
    """Import the artifacts of ``demo.tar`` as a user of Nexus, whose password comes by the environment."""
    words = {"AIRGAP_USERNAME": user.name, "AIRGAP_PASSWORD": user.password} if user else {}
    command = ["import", bundle, "--only-artifacts", "--force", *more]
    if code == 0:
        return airgap.run(*command, environment=words)
    return airgap.fails(code, *command, environment=words)


@contextlib.contextmanager
def far_nexus(*formats: str, **settings: Any) -> Iterator[Nexus]:
    """A Nexus with a hosted repository ``FORMAT-hosted`` for each of airgap's formats, in which nothing is written
    twice. Anybody may read."""
    hosted = tuple(
        Repository(f"{name}-hosted", format=HOSTED.get(name, name), write_policy="ALLOW_ONCE") for name in formats
    )
    with nexus(Settings(**{"repositories": hosted, "anonymous": True, **settings})) as server:
        yield server


@contextlib.contextmanager
def files_over_http(files: Mapping[str, bytes], *, pages: bool = False, **more: Any) -> Iterator[Double]:
    """A web server with these files, which knows Range and ETag. ``pages`` says that names that end with a slash are
    HTML, and leads there from the name without a slash."""

    def answer(request: Request) -> Answer:
        path = unquote(request.path)
        content = files.get(path.lstrip("/"))
        if content is None and pages and f"{path}/".lstrip("/") in files:
            return Answer(301, b"", {"Location": f"{request.path}/"})
        if content is None:
            return Answer(404)
        if pages and request.path.endswith("/"):
            return Answer(200, content, {"Content-Type": "text/html"})
        etag = f'"{hash(content)}"'
        span = request.headers.get("Range", "").removeprefix("bytes=").partition("-")
        if span[0] and request.headers.get("If-Range", etag) == etag:
            begin = int(span[0])
            headers = {"ETag": etag, "Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"}
            return Answer(206, content[begin:], headers)
        return Answer(200, content, {"ETag": etag})

    server = Double(answer, **more)
    try:
        yield server
    finally:
        server.stop()


def bundle_json(airgap: Airgap, bundle: str = "demo.tar") -> dict[str, Any]:
    """The inventory as ``inspect --json`` shows it."""
    document: dict[str, Any] = airgap.run("inspect", bundle, "--json").json
    return document


def uploads(server: Nexus) -> int:
    """How many requests brought files so far."""
    return len(server.asked("POST", "/components?")) + len(server.asked("PUT", "/repository/"))
