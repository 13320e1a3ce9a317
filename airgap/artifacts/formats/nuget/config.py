# SPDX-License-Identifier: Apache-2.0
"""What NuGet keeps in ``NuGet.Config`` ("nuget.config reference"): sources, and users and passwords by a source's name.

Files are only read. Passwords that Windows has encrypted are left to it.
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

#: The source of everybody who has named none.
DEFAULT_SOURCE = "https://api.nuget.org/v3/index.json"
_VARIABLE = re.compile(r"%([A-Za-z_]\w*)%")


class NugetConfig:
    """The settings of an ``environment``; ``sources`` are addresses that may have a user and password in them."""

    def __init__(self, environment: Mapping[str, str], sources: Sequence[str] = ()) -> None:
        self._sources: dict[str, str] = {}
        self._users: dict[str, Credential] = {}
        self._disabled: set[str] = set()
        self._own: dict[str, Credential] = {}
        for path in reversed(_files(environment)):
            for root in read_settings(path):
                self._add(root, environment)
        for name in self._sources:
            variable = environment.get(f"NuGetPackageSourceCredentials_{name}", "")
            if match := re.fullmatch(r"\s*Username=([^;]*);\s*Password=([^;]*)(?:;.*)?", variable):
                self._users[name] = Credential(match[1], match[2])
        for url in sources:
            address = address_or_none(url)
            if address is not None and address.credential is not None:
                self._own[address.origin] = address.credential

    def default_source(self) -> str:
        """Return the first source of the V3 API that is not disabled."""
        enabled = (url for name, url in self._sources.items() if name not in self._disabled)
        return next((url for url in enabled if url.endswith(".json") and address_or_none(url)), DEFAULT_SOURCE)

    def find(self, url: str) -> Credential | None:
        """Return the credential of an address: its own, or that of a source of the same host."""
        address = address_or_none(url)
        if address is None or address.credential is not None:
            return address.credential if address is not None else None
        if address.origin in self._own:
            return self._own[address.origin]
        for name, source in self._sources.items():
            known = address_or_none(source)
            if known is not None and known.origin == address.origin and name in self._users:
                return self._users[name]
        return None

    def _add(self, root: ElementTree.Element, environment: Mapping[str, str]) -> None:
        def entries(section: ElementTree.Element) -> dict[str, str]:
            return {
                entry.get("key", ""): _VARIABLE.sub(
                    lambda match: environment.get(match[1], match[0]), entry.get("value", "")
                )
                for entry in section
                if entry.tag == "add"
            }

        for section in root:
            if section.tag in ("packageSources", "disabledPackageSources") and section.find("clear") is not None:
                (self._sources if section.tag == "packageSources" else self._disabled).clear()
            if section.tag == "packageSources":
                self._sources |= entries(section)
            elif section.tag == "disabledPackageSources":
                self._disabled |= {name for name, value in entries(section).items() if value.lower() == "true"}
            elif section.tag == "packageSourceCredentials":
                for source in section:
                    words = entries(source)
                    if words.get("Username") and "ClearTextPassword" in words:
                        # A blank in a source's name stands as _x0020_ in the name of an element.
                        name = re.sub(r"_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), source.tag)
                        self._users[name] = Credential(words["Username"], words["ClearTextPassword"])


def _files(environment: Mapping[str, str]) -> list[Path]:
    """The user's file, and before it those of the machine, which it goes before."""
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    everyone = Path(environment.get("NUGET_COMMON_APPLICATION_DATA") or "/etc/opt") / "NuGet/Config"
    try:
        machine = sorted(path for path in everyone.iterdir() if path.suffix.lower() == ".config")
    except OSError:
        machine = []
    return [home / ".nuget/NuGet/NuGet.Config", home / ".config/NuGet/NuGet.Config", *machine]
