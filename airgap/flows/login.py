# SPDX-License-Identifier: Apache-2.0
"""``airgap login`` and ``logout``: check a credential, and keep it where docker keeps its own."""

from __future__ import annotations

from pathlib import Path

from airgap.events import Sink, Warned, ignore
from airgap.i18n import tr
from airgap.registry import Credential, Credentials, Registries


def login(registry: str, credential: Credential, registries: Registries, *, emit: Sink = ignore) -> Path:
    """Sign in and save ``credential``; return the file that it was saved in. ``registries`` must already offer it.

    Warns if the registry asks for no password. Raises :class:`airgap.errors.Unauthorized` if it refuses this one.
    """
    client = registries.client(registry)
    client.ping()
    if not client.credentials_requested:
        emit(
            Warned(
                tr("{registry} asks for no password now, so whether it takes this one is not known", registry=registry)
            )
        )
    return Credentials().save(registry, credential)


def logout(registry: str) -> Path | None:
    """Remove the credential that :func:`login` saved; return its file, or ``None`` if there was none."""
    return Credentials().erase(registry)
