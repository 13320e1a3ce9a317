# SPDX-License-Identifier: Apache-2.0
"""A client that knows how to push, in as few words as the tests need; answers are returned as they came."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import httpx

from airgap.server import Server

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def describe(content: bytes, media_type: str, algorithm: str = "sha256", **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content, algorithm), "size": len(content), **more}


def document(**parts: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, **parts}, indent=1).encode()


class Client:
    def __init__(self, http: httpx.Client, repository: str = "some/app") -> None:
        self.http = http
        self.repository = repository

    def path(self, rest: str) -> str:
        return f"/v2/{self.repository}/{rest}"

    def begin(self) -> str:
        answer = self.http.post(self.path("blobs/uploads/"))
        assert answer.status_code == 202, answer.text
        return answer.headers["Location"]

    def blob(self, content: bytes, algorithm: str = "sha256") -> str:
        digest = digest_of(content, algorithm)
        answer = self.http.put(self.begin(), params={"digest": digest}, content=content)
        assert answer.status_code == 201, answer.text
        return digest

    def put(self, content: bytes, reference: str | None = None, media_type: str = OCI_MANIFEST) -> httpx.Response:
        return self.http.put(
            self.path(f"manifests/{reference or digest_of(content)}"),
            content=content,
            headers={"Content-Type": media_type},
        )

    def image(self, tag: str | None = None, text: str = "layer", **more: Any) -> bytes:
        """Push an image with one layer and return its manifest."""
        config, layer = json.dumps({"os": "linux", "for": text}).encode(), text.encode() * 100
        self.blob(config)
        self.blob(layer)
        manifest = document(
            mediaType=OCI_MANIFEST, config=describe(config, OCI_CONFIG), layers=[describe(layer, OCI_LAYER)], **more
        )
        answer = self.put(manifest, tag)
        assert answer.status_code == 201, answer.text
        return manifest

    def index(self, children: list[bytes], tag: str | None = None, **more: Any) -> bytes:
        manifest = document(
            mediaType=OCI_INDEX,
            manifests=[describe(child, json.loads(child)["mediaType"]) for child in children],
            **more,
        )
        answer = self.put(manifest, tag, OCI_INDEX)
        assert answer.status_code == 201, answer.text
        return manifest

    def artifact(self, subject: bytes | None = None, kind: str = "application/vnd.example.sbom", **more: Any) -> bytes:
        """Push an artifact manifest (image-spec manifest.md, "Guidelines for Artifact Usage")."""
        self.blob(b"{}")
        parts = {"artifactType": kind, "config": describe(b"{}", EMPTY), "layers": [describe(b"{}", EMPTY)], **more}
        if subject is not None:
            parts["subject"] = describe(subject, json.loads(subject)["mediaType"])
        manifest = document(mediaType=OCI_MANIFEST, **parts)
        answer = self.put(manifest)
        assert answer.status_code == 201, answer.text
        return manifest


def code(answer: httpx.Response) -> str:
    """The first error code of an answer; fails if it is not the body that the specification asks for."""
    assert answer.headers["Content-Type"] == "application/json"
    errors = answer.json()["errors"]
    assert all(set(error) <= {"code", "message", "detail"} and error["message"] for error in errors)
    return str(errors[0]["code"])


def open_http(server: Server, **more: Any) -> httpx.Client:
    """An HTTP client for a server, without the environment's proxies and, unless told, without a trust store."""
    return httpx.Client(base_url=server.url, trust_env=False, **{"verify": False, **more})
