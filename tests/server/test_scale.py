# SPDX-License-Identifier: Apache-2.0
"""A request takes as many steps among 10,000 tags as among ten. Calls of functions are counted, not seconds."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from pathlib import Path
from types import FrameType

import pytest

from airgap.oci import Descriptor
from airgap.server import PlainNaming
from airgap.server.app import RegistryApp
from airgap.store import ImageLayout
from airgap.store.readers import bytes_opener
from tests.server.client import EMPTY, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, describe, digest_of, document

CONFIG = b'{"os":"linux"}'
MANIFEST = document(mediaType=OCI_MANIFEST, config=describe(CONFIG, OCI_CONFIG), layers=[describe(b"{}", EMPTY)])
INDEX = document(mediaType=OCI_INDEX, manifests=[describe(MANIFEST, OCI_MANIFEST)])


def app_with(folder: Path, tags: int) -> RegistryApp:
    layout = ImageLayout.create(folder)
    for content in (CONFIG, b"{}", MANIFEST, INDEX):
        layout.push(Descriptor("", digest_of(content), len(content)), bytes_opener(content))
    entries = [
        {**describe(INDEX, OCI_INDEX), "annotations": {"org.opencontainers.image.ref.name": f"some/app:v{number}"}}
        for number in range(tags)
    ]
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    os.utime(folder / "index.json", (time.time() - 60,) * 2)
    return RegistryApp(layout, PlainNaming(), writable=True)


def steps(app: RegistryApp, method: str, path: str) -> int:
    """How many functions an answer 200 calls, once what the server remembers is there."""
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "n=5", "wsgi.input": io.BytesIO()}
    statuses: list[str] = []
    count = 0

    def counting(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    for _ in range(2):
        count = 0
        sys.setprofile(counting)
        try:
            app(environ, lambda status, headers: statuses.append(status))
        finally:
            sys.setprofile(None)
    assert statuses == ["200 OK"] * 2
    return count


@pytest.mark.parametrize(
    "path",
    [
        "/v2/some/app/manifests/v7",
        f"/v2/some/app/manifests/{digest_of(MANIFEST)}",
        f"/v2/some/app/blobs/{digest_of(CONFIG)}",
        f"/v2/some/app/referrers/{digest_of(MANIFEST)}",
        "/v2/_catalog",
        "/v2/some/app/tags/list",
    ],
)
def test_a_request_among_ten_thousand_tags(tmp_path: Path, path: str) -> None:
    few, many = app_with(tmp_path / "few", 10), app_with(tmp_path / "many", 10_000)
    assert steps(many, "HEAD", path) <= steps(few, "HEAD", path) + 10
