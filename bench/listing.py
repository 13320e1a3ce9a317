# SPDX-License-Identifier: Apache-2.0
"""The page of ``airgap serve`` with 5,000 images: its first and its next answer, its size, and a search in Chromium.

    python bench/listing.py

Answers are measured over HTTP on loopback, the minimum of each over five rounds; the first one makes the page. A search
is from the keystroke to the drawn list, by the browser's own clock. Needs chromium or chromium-headless-shell.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import httpx

from airgap.listing.commands import image_lines
from airgap.listing.entries import Entry
from airgap.listing.page import to_bytes
from airgap.server import Server
from airgap.server.site import SiteFile
from airgap.store import MemoryStore
from tests.parts.browser import browser

COUNT, ROUNDS = 5_000, 5
SEARCH = """(() => {
  const field = document.getElementById("search");
  const start = performance.now();
  field.value = "%s";
  field.dispatchEvent(new Event("input"));
  document.body.getBoundingClientRect();
  return performance.now() - start;
})()"""


def entries() -> list[Entry]:
    return [
        Entry(
            "image", f"quay.io/team-{number % 40}/app-{number}:v1.{number % 9}", f"sha256:{number:064x}", 1_000_000,
            ("linux/amd64", "linux/arm64"), (f"deploy/{number % 300}.yaml",),
            image_lines(f"quay.io/team-{number % 40}/app-{number}", f"v1.{number % 9}"),
        )
        for number in range(COUNT)
    ]  # fmt: skip


class Page:
    """A site whose page is made at the first request of a round."""

    def __init__(self) -> None:
        self.page: bytes | None = None
        self.entries = entries()

    def find(self, path: str, base_url: str) -> SiteFile | None:
        if self.page is None:
            self.page = to_bytes("bench", self.entries)
        return SiteFile("text/html; charset=utf-8", content=self.page)


def main() -> None:
    site, first, following, content = Page(), [], [], b""
    with Server(MemoryStore(), site=site) as server, httpx.Client(base_url=server.url) as client:
        client.get("/v2/")
        for _ in range(ROUNDS):
            site.page = None
            for times in (first, following):
                started = time.perf_counter()
                content = client.get("/").content
                times.append(time.perf_counter() - started)
    with tempfile.TemporaryDirectory() as folder, browser(Path(folder)) as chromium:
        file = Path(folder) / "page.html"
        file.write_bytes(content)
        chromium.open(file)
        searches = [float(chromium.evaluate(SEARCH % text)) for text in ("app-49", "team-7 v1.3", "arm64", "none", "")]
    print(
        f"{COUNT} images, {len(content) / 1e6:.1f} MB: first answer {min(first) * 1e3:.0f} ms, next "
        f"{min(following) * 1e3:.0f} ms; searches {', '.join(f'{one:.0f}' for one in searches)} ms"
    )


if __name__ == "__main__":
    main()
