# SPDX-License-Identifier: Apache-2.0
"""A store over HTTP: the client side of the OCI distribution specification.

One :class:`Registries` is made per run and hands out a :class:`Repository` for each name. Connections,
TLS, proxies, credentials, tokens, retries and the translation of failures live here, once, for small
requests and blob bodies alike. The room knows no YAML, no tar and no product: what Nexus or Harbor do
differently belongs to ``target``.
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

_HOMES = {
    "Credential": "auth.credentials",
    "Credentials": "auth.credentials",
    "Registries": "registries",
    "Repository": "repository",
    "RegistrySettings": "settings",
    "SessionJournal": "upload_sessions",
}


def __getattr__(name: str) -> object:
    # Reading airgap.yaml needs the settings alone; http.client and ssl would cost a command that asks no
    # registry some 40 ms.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
