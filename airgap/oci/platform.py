# SPDX-License-Identifier: Apache-2.0
"""Platforms: ``os/architecture[/variant]`` with an optional ``os.version``.

Platforms are normalized as in containerd's platforms package: ``aarch64`` becomes ``arm64``, arm without a variant
becomes ``arm/v7``, and arm64 has no ``v8``. ``--platform`` thus has the same meaning as on a node.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.records import Record

_PART = re.compile(r"[A-Za-z0-9_.-]+")
_OS = {"macos": "darwin"}
_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "armel": "arm",
    "i386": "386",
}


class Platform(Record, order=True):
    """An operating system and architecture. ``variant`` and ``os_version`` may be empty."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Parse ``linux/amd64``, ``linux/arm/v7`` or ``windows(10.0.17763)/amd64``; raise :class:`UsageError`."""
        match = re.fullmatch(r"([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.-]+)\))?/([^/]+)(?:/([^/]+))?", text)
        if not match or not all(_PART.fullmatch(part) for part in match.groups() if part):
            raise UsageError(
                tr("{text!r} is no platform", text=text),
                hint=tr("write it as os/architecture, such as linux/amd64 or linux/arm/v7"),
            )
        os, os_version, architecture, variant = match.groups()
        architecture = architecture.lower()
        if architecture == "armel" and not variant:
            variant = "v6"
        return cls(os.lower(), architecture, (variant or "").lower(), os_version or "").normalized()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Platform:
        """Read the platform of a descriptor or an image config. Missing fields become empty strings."""
        return cls(
            str(value.get("os") or ""),
            str(value.get("architecture") or ""),
            str(value.get("variant") or ""),
            str(value.get("os.version") or ""),
        )

    def to_json(self) -> dict[str, str]:
        """Return the JSON object of a descriptor's ``platform``; empty optional fields are omitted."""
        fields = {
            "architecture": self.architecture,
            "os": self.os,
            "os.version": self.os_version,
            "variant": self.variant,
        }
        return {key: value for key, value in fields.items() if value or key in ("architecture", "os")}

    def normalized(self) -> Platform:
        """Return the normalized platform: two spellings of a platform become equal."""
        architecture = _ARCHITECTURES.get(self.architecture, self.architecture)
        variant = self.variant if self.variant[:1] in ("v", "") else f"v{self.variant}"
        if variant == "" and architecture == "arm":
            variant = "v7"
        if architecture in ("arm64", "amd64") and variant in ("v8", "v1"):
            variant = ""
        return Platform(_OS.get(self.os, self.os), architecture, variant, self.os_version)

    @property
    def is_known(self) -> bool:
        """Whether this is a real platform; BuildKit marks attestations with ``unknown/unknown``."""
        return bool(self.os) and self.os != "unknown"

    def matches(self, requested: Platform) -> bool:
        """Whether content for this platform satisfies ``requested``; an empty ``os_version`` there matches any."""
        own, other = self.normalized(), requested.normalized()
        if (own.os, own.architecture, own.variant) != (other.os, other.architecture, other.variant):
            return False
        return (
            not other.os_version
            or own.os_version == other.os_version
            or own.os_version.startswith(other.os_version + ".")
        )

    def __str__(self) -> str:
        version = f"({self.os_version})" if self.os_version else ""
        variant = f"/{self.variant}" if self.variant else ""
        return f"{self.os}{version}/{self.architecture}{variant}"
