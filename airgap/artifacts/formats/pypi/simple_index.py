# SPDX-License-Identifier: Apache-2.0
"""The simple repository API: pages of projects, read and written (PyPA specification "Simple repository API")."""

from __future__ import annotations

import html
from collections.abc import Sequence
from html.parser import HTMLParser
from urllib.parse import quote, unquote, urljoin, urlsplit

from airgap import bounded_json
from airgap.artifacts.artifact import Artifact
from airgap.errors import ContentError
from airgap.i18n import tr
from airgap.records import Record

#: What is asked for: HTML, which every server has, before JSON.
ACCEPT = "application/vnd.pypi.simple.v1+html, text/html;q=0.2, application/vnd.pypi.simple.v1+json;q=0.1"
_JSON = "application/vnd.pypi.simple.v1+json"


class IndexFile(Record):
    """A file of a project's page: its name, absolute address and sha256 digest, empty if the page does not say it."""

    file: str
    url: str
    digest: str


def parse_page(content: bytes, media_type: str, base_url: str) -> list[IndexFile]:
    """Return the files of a project's page. An HTML page that is unreadable has none.

    Raises :class:`airgap.errors.ContentError` for JSON that is unreadable, or that is larger than the limits.
    """
    if media_type == _JSON:
        return _parse_json(content, base_url)
    parser = _Links()
    parser.feed(content.decode("utf-8", "replace"))
    files = []
    for href in parser.links:
        url = urljoin(base_url, href)
        parts = urlsplit(url)
        digest = parts.fragment.removeprefix("sha256=") if parts.fragment.startswith("sha256=") else ""
        name = unquote(parts.path.rpartition("/")[2])
        files.append(IndexFile(name, parts._replace(fragment="").geturl(), f"sha256:{digest}" if digest else ""))
    return files


def project_page(name: str, artifacts: Sequence[Artifact]) -> bytes:
    """Return the page of a project whose files lie beside it."""
    lines = []
    for artifact in sorted(artifacts, key=lambda artifact: artifact.file):
        href = f"{quote(artifact.file)}#{artifact.digest.replace(':', '=')}"
        requires = artifact.properties.get("requires-python", "")
        attribute = f' data-requires-python="{html.escape(requires)}"' if requires else ""
        lines.append(f'<a href="{href}"{attribute}>{html.escape(artifact.file)}</a><br>')
    return _page(f"Links for {name}", lines)


def root_page(names: Sequence[str]) -> bytes:
    """Return the list of projects."""
    return _page("Simple index", [f'<a href="{quote(name)}/">{html.escape(name)}</a><br>' for name in sorted(names)])


def _page(title: str, lines: Sequence[str]) -> bytes:
    head = f'<meta name="pypi:repository-version" content="1.0"><title>{html.escape(title)}</title>'
    return "\n".join(["<!DOCTYPE html>", f"<html><head>{head}</head><body>", *lines, "</body></html>", ""]).encode()


def _parse_json(content: bytes, base_url: str) -> list[IndexFile]:
    where = base_url[:200]
    document = bounded_json.parse(content, "download", where=where)
    try:
        files = document["files"]
        return [
            IndexFile(
                str(file["filename"]), urljoin(base_url, str(file["url"])),
                f"sha256:{file['hashes']['sha256']}" if file["hashes"].get("sha256") else "",
            )
            for file in files
        ]  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise ContentError(tr("this is no page of a project ({error!r})", error=error), where=where) from error


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for key, value in attrs if key == "href" and value]
