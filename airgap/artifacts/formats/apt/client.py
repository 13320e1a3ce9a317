# SPDX-License-Identifier: Apache-2.0
"""apt's settings: a source in ``/etc/apt/sources.list.d`` (sources.list(5), deb822 style)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.formats.apt.control import format_paragraph, parse_paragraphs
from airgap.artifacts.formats.apt.names import INDEXES, check_word
from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.nodes.model import NodeFile, NodeSetup

_PATH = "/etc/apt/sources.list.d/airgap.sources"
_SUITE_IN_URL = re.compile(r"/dists/(.+?)/?$")


class AptSources:
    """One source. Without a key that it is signed by, it is trusted for its address."""

    client = "apt"

    def setup(self, repository_url: str) -> NodeSetup:
        """Write a file of its own. ``URL/dists/SUITE`` names the suite; without it, it is that of this machine.

        A source with a key (``Signed-By``) keeps it. Raises :class:`UsageError` if the suite is not known.
        """
        match = _SUITE_IN_URL.search(repository_url)
        url = repository_url[: match.start()] if match else repository_url
        suite = check_word("suite", match[1], where=repository_url) if match else _own_suite(url)
        fields = {"Types": "deb", "URIs": f"{url}/", "Suites": suite, "Components": "main", "Trusted": "yes"}

        def merge(content: bytes) -> bytes:
            return _merged(content.decode("utf-8", "surrogateescape"), fields).encode("utf-8", "surrogateescape")

        return NodeSetup(
            (NodeFile(_PATH, merge(b""), merge),),
            "",
            notes=(
                tr("next: apt-get update; other sources in /etc/apt that cannot be reached make it slow or fail"),
                tr(
                    "Trusted: yes takes packages without a signature; with Nexus's public key in /etc/apt/keyrings, "
                    "write Signed-By: FILE instead, which a later run keeps"
                ),
            ),
        )


def client_addresses(url: str, artifacts: Sequence[Artifact]) -> list[str]:
    """Return the address of each suite that has one of the packages, unless ``url`` names the repository's suite."""
    if _SUITE_IN_URL.search(url):
        return [url]
    suites = {index.rpartition("/")[0] for one in artifacts for index in one.properties.get(INDEXES, "").split()}
    return [f"{url}/dists/{suite}" for suite in sorted(suites)]


def _merged(old: str, fields: dict[str, str]) -> str:
    """Set the fields of the paragraph with this address, or of none yet; other paragraphs stay as they are."""
    blocks = re.split(r"\n(?:[ \t]*\n)+", old.strip("\n")) if old.strip() else []
    for number, block in enumerate(blocks):
        known = next(parse_paragraphs(block), {})
        if known.get("URIs") != fields["URIs"]:
            continue
        suites = dict.fromkeys((*known.get("Suites", "").split(), fields["Suites"]))
        kept = {name: value for name, value in fields.items() if name != "Trusted" or "Signed-By" not in known}
        merged = {**known, **kept, "Suites": " ".join(suites)}
        if merged == known:
            return old
        comments = "".join(f"{line}\n" for line in block.split("\n") if line.startswith("#"))
        blocks[number] = f"{comments}{format_paragraph(merged)}".rstrip("\n")
        break
    else:
        blocks.append(format_paragraph(fields).rstrip("\n"))
    return "\n\n".join(blocks) + "\n"


def _own_suite(url: str) -> str:
    """The suite of this machine (os-release(5))."""
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    match = re.search(r'^VERSION_CODENAME="?([A-Za-z0-9._-]+)"?$', text, re.MULTILINE)
    if match is None:
        raise UsageError(
            tr("it is not known which suite this repository has"),
            where=url,
            hint=tr("write it behind the address: {url}/dists/bookworm", url=url),
        )
    return match[1]
