# SPDX-License-Identifier: Apache-2.0
"""``airgap logout``."""

from __future__ import annotations

import click

from airgap.cli.printing import note
from airgap.flows.login import logout
from airgap.i18n import tr
from airgap.targets import TargetAddress


@click.command("logout")
@click.argument("registry", metavar="REGISTRY")
def command(registry: str) -> None:
    """Remove the credential that `airgap login` saved.

    \b
    airgap logout 10.100.0.102:32415
    """
    address = TargetAddress.parse(registry)
    path = logout(address.registry)
    note(
        tr("removed from {path}", path=path)
        if path
        else tr("no credential for {registry} was kept; nothing to do", registry=address.registry)
    )
