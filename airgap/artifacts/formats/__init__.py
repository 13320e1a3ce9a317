# SPDX-License-Identifier: Apache-2.0
"""The formats, one module or package each, which has ``FORMAT``. None of them knows another."""

from __future__ import annotations

import importlib
from typing import cast

from airgap.artifacts.format import Format
from airgap.errors import UsageError
from airgap.i18n import tr

#: The module of each format, in the order in which they are collected and published.
MODULES = {
    "raw": "airgap.artifacts.formats.raw",
    "helm": "airgap.artifacts.formats.helm",
    "pypi": "airgap.artifacts.formats.pypi",
    "npm": "airgap.artifacts.formats.npm",
    "maven": "airgap.artifacts.formats.maven",
    "apt": "airgap.artifacts.formats.apt",
    "nuget": "airgap.artifacts.formats.nuget",
}

#: The format of each client that ``airgap hosts --for`` knows, by the client's name.
CLIENTS = {"apt": "apt", "helm": "helm", "maven": "maven", "npm": "npm", "nuget": "nuget", "pip": "pypi"}


def format_named(name: str) -> Format:
    """Return a format by its name. Raises :class:`UsageError` for one that airgap does not know."""
    if name not in MODULES:
        raise UsageError(
            tr("{name!r} is no format of artifacts", name=name[:60]),
            hint=tr("known are {known}", known=", ".join(MODULES)),
        )
    return cast("Format", importlib.import_module(MODULES[name]).FORMAT)
