# SPDX-License-Identifier: Apache-2.0
"""``airgap hosts URL --for CLIENT``: what a client of another format than images is told."""

from __future__ import annotations

from airgap.artifacts.formats import CLIENTS, format_named
from airgap.artifacts.web import Address
from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.nodes import NodeSetup


def client_setup(client: str, url: str) -> NodeSetup:
    """Return the settings by which ``client`` uses the repository at ``url``.

    Raises :class:`UsageError` for what is no address, and for one with a password, which the files would show.
    """
    address = Address.parse(url)
    if address.credential is not None:
        raise UsageError(
            tr("every user could read this password in the settings file"),
            where=str(address),
            hint=tr("leave it out of the address; each user's ~/.netrc may hold it"),
        )
    settings = format_named(CLIENTS[client]).client
    assert settings is not None
    return settings.setup(str(address))
