# SPDX-License-Identifier: Apache-2.0
"""``airgap login`` and ``logout``: try a credential once, then keep it where docker keeps it."""

from __future__ import annotations

from pathlib import Path

from airgap.events import Sink, Warned, ignore
from airgap.registry import Credential, Credentials, Registries


def login(registry: str, credential: Credential, registries: Registries, *, emit: Sink = ignore) -> Path:
    """Sign in, and only then write docker's file. Raises :class:`airgap.errors.Unauthorized` when refused.

    ``registries`` must offer ``credential`` to ``registry``.
    """
    client = registries.client(registry)
    client.ping()
    if not client.credentials_requested:
        emit(Warned(f"{registry} asks for no password now, so whether it takes this one is not known"))
    return Credentials().save(registry, credential)


def logout(registry: str) -> Path | None:
    """Remove what :func:`login` wrote; ``None`` if nothing was there."""
    return Credentials().erase(registry)
