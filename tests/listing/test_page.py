# SPDX-License-Identifier: Apache-2.0
"""The page of a server as its users meet it: searched, read, its lines run, in both languages."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airgap.flows.serve import create_server
from airgap.listing.entries import Entry
from airgap.listing.page import to_bytes
from tests.cli.command import Airgap, Registry, settings
from tests.parts import axe
from tests.parts.browser import Browser, browser
from tests.parts.images import Images
from tests.parts.need import need

HOSTILE = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "a\u202eb\u200bc", "\x1b[31m", "'\"&"]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images, one of them used by a resource file, and a plain file."""
    folder, images = tmp_path_factory.mktemp("bundle"), Images(5)
    airgap = Airgap(folder, folder)
    with Registry() as registry:
        registry.fill(images, {"a/x:1": images.two_platforms(size=3_000), "a/y:2": images.image(size=3_000)})
        (folder / "manual.pdf").write_bytes(b"%PDF")
        airgap.write(
            "airgap.yaml",
            settings(
                {"quay.io": {"mirror": registry.url}},
                name="plant",
                version="1.10",
                artifacts={"raw": [{"path": "manual.pdf", "directory": "manuals"}]},
            ),
        )
        airgap.write("pod.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 'quay.io/a/x:1'}]}\n")
        airgap.run("export", "pod.yaml", "--image", "quay.io/a/y:2", "-o", "b.tar")
    return folder / "b.tar"


@pytest.fixture(scope="module")
def url(bundle: Path) -> Iterator[str]:
    with create_server(bundle, "127.0.0.1", 0) as server:
        yield server.url


def held(page: bytes) -> list[dict[str, object]]:
    """The entries in the data of the page."""
    found = re.search(rb'<script type="application/json" id="held">(.*?)</script>', page, re.DOTALL)
    assert found
    entries: list[dict[str, object]] = json.loads(found[1])["entries"]
    return entries


def saved(folder: Path, page: bytes) -> Path:
    path = folder / "page.html"
    path.write_bytes(page)
    return path


def test_it_lists_what_the_server_holds(url: str) -> None:
    answer = httpx.get(f"{url}/")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert "<h1><bdi>plant 1.10</bdi></h1>" in answer.text
    entries = {str(entry["name"]): entry for entry in held(answer.content)}
    assert list(entries) == ["quay.io/a/x:1", "quay.io/a/y:2", "raw manuals/manual.pdf", "pod.yaml"]
    assert entries["quay.io/a/x:1"]["files"] == ["pod.yaml"]
    assert entries["quay.io/a/x:1"]["platforms"] == ["linux/amd64", "linux/arm64"]
    assert httpx.get(f"{url}/index.html").content == answer.content
    assert httpx.head(f"{url}/").headers["ETag"] == answer.headers["ETag"]
    assert httpx.post(f"{url}/").status_code == 405
    assert httpx.get(f"{url}/nothing").status_code == 404


def test_its_lines_fetch_what_they_say(url: str, tmp_path: Path) -> None:
    need("skopeo")
    need("curl")
    host = url.removeprefix("http://")
    entries = {str(entry["name"]): dict(entry["lines"]) for entry in held(httpx.get(f"{url}/").content)}  # type: ignore[call-overload]
    for name, client in (("quay.io/a/y:2", "skopeo"), ("raw manuals/manual.pdf", "curl")):
        line = re.sub(r"\{plain ([^{}]*)\}", r"\1", entries[name][client])
        line = line.replace("{host}", host).replace("{url}", url)
        done = subprocess.run(shlex.split(line), cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stderr)
    assert (tmp_path / "manual.pdf").read_bytes() == b"%PDF"
    assert (tmp_path / "y.tar").exists()


def test_a_layout_shows_what_was_pushed_meanwhile(tmp_path: Path) -> None:
    images = Images(6)
    with create_server(tmp_path / "layout", "127.0.0.1", 0, writable=True) as server:
        assert held(httpx.get(f"{server.url}/").content) == []
        root = images.image(size=2_000)
        for digest, content in images.content.items():
            if digest != root.digest:
                where = f"{server.url}/v2/a/z/blobs/uploads/?digest={digest}"
                assert httpx.post(where, content=content).status_code == 201
        answer = httpx.put(
            f"{server.url}/v2/a/z/manifests/3", content=images.content[root.digest],
            headers={"Content-Type": root.media_type},
        )  # fmt: skip
        assert answer.status_code == 201
        assert [entry["name"] for entry in held(httpx.get(f"{server.url}/").content)] == ["a/z:3"]


def test_search_and_language(chromium: Browser, url: str, tmp_path: Path) -> None:
    chromium.open(saved(tmp_path, httpx.get(f"{url}/").content))
    assert chromium.problems() == []
    chromium.click("#ko")
    assert "이 서버에 있는 것" in chromium.text()
    assert "4개 중 4개" in chromium.text()
    chromium.click("#en")
    for text, names in (("Y:2", ["quay.io/a/y:2"]), ("pod.yaml", ["quay.io/a/x:1", "pod.yaml"]), ("none", [])):
        chromium.evaluate(
            f"search.value = {json.dumps(text)}; search.dispatchEvent(new Event('input', {{bubbles: true}}))"
        )
        assert f"{len(names)} of 4" in chromium.text()
        found = chromium.evaluate("[...document.querySelectorAll('summary bdi')].map(one => one.textContent)")
        assert found == names
    assert "What this server holds" in chromium.text()


def test_it_can_be_read_by_everybody(chromium: Browser, url: str, tmp_path: Path) -> None:
    chromium.open(saved(tmp_path, httpx.get(f"{url}/").content))
    chromium.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    for language in ("#ko", "#en"):
        chromium.click(language)
        assert axe.violations(chromium) == []


def test_hostile_names_are_text(chromium: Browser, tmp_path: Path) -> None:
    entries = [Entry("image", name, name, platforms=(name,), files=(name,), lines=((name, name),)) for name in HOSTILE]
    page = to_bytes(HOSTILE[0], entries)
    chromium.open(saved(tmp_path, page))
    assert chromium.problems() == []
    assert chromium.evaluate("document.images.length + document.scripts.length") == 2
    shown = chromium.evaluate("[...document.querySelectorAll('summary bdi')].map(one => one.textContent)")
    assert shown == [HOSTILE[0], HOSTILE[1], "a\\u202eb\\u200bc", "\\x1b[31m", HOSTILE[4]]


def test_five_thousand_images(chromium: Browser, tmp_path: Path) -> None:
    """Only a part of them is drawn; all of them are found."""
    entries = [Entry("image", f"quay.io/a/app-{number}:1", "sha256:" + f"{number:064x}") for number in range(5_000)]
    chromium.open(saved(tmp_path, to_bytes("many", entries)))
    assert chromium.evaluate("document.querySelectorAll('summary').length") == 100
    chromium.click("#more")
    assert chromium.evaluate("document.querySelectorAll('summary').length") == 200
    chromium.evaluate("search.value = 'app-4999'; search.dispatchEvent(new Event('input'))")
    assert chromium.evaluate("document.querySelector('summary bdi').textContent") == "quay.io/a/app-4999:1"
    assert chromium.evaluate("document.getElementById('more').hidden") is True
