# SPDX-License-Identifier: Apache-2.0
"""What Maven keeps in ``settings.xml`` ("Settings Reference"): mirrors, and users and passwords by a repository's id.

Files are only read. Passwords that Maven has encrypted are left to it.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from pathlib import Path

from airgap.artifacts.web import address_or_none
from airgap.artifacts.xml_text import read_settings
from airgap.registry import Credential

#: Where repositories are that nobody has named (the super POM's "central").
CENTRAL_ID, CENTRAL = "central", "https://repo.maven.apache.org/maven2"
_VARIABLE = re.compile(r"\$\{env\.([^{}]+)\}")


class MavenSettings:
    """The settings of an ``environment``; ``repositories`` are addresses that may have a user and password in them."""

    def __init__(self, environment: Mapping[str, str], repositories: Sequence[str] = ()) -> None:
        self._users: dict[str, Credential] = {}
        self._ids: dict[str, str] = {}
        self._mirrors: list[tuple[str, str]] = []
        self._own: dict[str, Credential] = {}
        for path in _files(environment):
            for root in read_settings(path):
                self._add(root, environment)
        for url in repositories:
            address = address_or_none(url)
            if address is not None and address.credential is not None:
                self._own[str(address)] = address.credential

    def default_repositories(self) -> tuple[str, ...]:
        """Return the repositories of an entry that names none: the mirror of central, or central itself."""
        for pattern, url in self._mirrors:
            if {"*", "external:*", CENTRAL_ID} & set(pattern.split(",")) and f"!{CENTRAL_ID}" not in pattern.split(","):
                return (url,)
        return (CENTRAL,)

    def find(self, url: str) -> Credential | None:
        """Return the credential of an address: its own, or that of the repository that it is in."""
        address = address_or_none(url)
        if address is None:
            return None
        if address.credential is not None:
            return address.credential
        known = {**{place: self._users[name] for place, name in self._ids.items() if name in self._users}, **self._own}
        inside = [place for place in known if f"{address}/".startswith(f"{place}/")]
        return known[max(inside, key=len)] if inside else None

    def _add(self, root: ElementTree.Element, environment: Mapping[str, str]) -> None:
        def text(element: ElementTree.Element, name: str) -> str:
            found = next((child.text or "" for child in element if _name(child) == name), "").strip()
            return _VARIABLE.sub(lambda match: environment.get(match[1], ""), found)

        for element in root.iter():
            kind = _name(element)
            if kind == "server" and (user := text(element, "username")):
                password = text(element, "password")
                if not (password.startswith("{") and password.endswith("}")):
                    self._users.setdefault(text(element, "id"), Credential(user, password))
            if kind in ("mirror", "repository", "pluginRepository"):
                address = address_or_none(text(element, "url"))
                if address is not None:
                    self._ids.setdefault(str(address), text(element, "id"))
                    if kind == "mirror" and text(element, "blocked") != "true":
                        self._mirrors.append((text(element, "mirrorOf"), str(address)))
        self._ids.setdefault(CENTRAL, CENTRAL_ID)


def _files(environment: Mapping[str, str]) -> list[Path]:
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    everyone = [
        Path(folder) / "conf/settings.xml" for name in ("MAVEN_HOME", "M2_HOME") if (folder := environment.get(name))
    ]
    return [home / ".m2/settings.xml", *everyone, Path("/etc/maven/settings.xml")]


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
