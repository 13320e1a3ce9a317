# SPDX-License-Identifier: Apache-2.0
"""Registries as stores: the client side of the OCI distribution specification.

A run makes one :class:`Registries`, which returns a :class:`Repository` for each name. Connections, TLS, proxies,
credentials, tokens, retries and the translation of errors are in this room only, for small requests and for blobs. The
room knows neither YAML nor tar, and no products: Nexus and Harbor are the subject of ``targets``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airgap.registry.auth.credentials import Credential, Credentials
    from airgap.registry.registries import Registries
    from airgap.registry.repository import Repository
    from airgap.registry.settings import RegistrySettings
    from airgap.registry.upload_sessions import SessionJournal

__all__ = ["Credential", "Credentials", "Registries", "RegistrySettings", "Repository", "SessionJournal"]

_MODULES = {
    "Credential": "auth.credentials",
    "Credentials": "auth.credentials",
    "Registries": "registries",
    "Repository": "repository",
    "RegistrySettings": "settings",
    "SessionJournal": "upload_sessions",
}


def __getattr__(name: str) -> object:
    # Import on first use: http.client and ssl take some 40 ms, and reading airgap.yaml needs only the settings.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
