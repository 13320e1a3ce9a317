# SPDX-License-Identifier: Apache-2.0
"""What ``airgap images --sizes`` prints."""

from __future__ import annotations

import click

from airgap.cli.progress.display import display
from airgap.config.airgap_yaml import Project
from airgap.config.connections import Network, connect
from airgap.errors import raise_all
from airgap.flows.images import Found
from airgap.flows.steps.resolve import resolve
from airgap.formatting import human
from airgap.transfer import CancelToken, Context, Jobs
from airgap.transfer.sizes import measure


def show(found: Found, read: Project, network: Network, jobs: int | None, progress: str) -> None:
    """Resolve everything, pull nothing, print a line a platform."""
    with display(progress) as emit, connect(read, network, emit) as registries:
        context = Context(Jobs.of(jobs), emit, CancelToken(registries.abort))
        planned = resolve(found, registries, context, named=read.registries).plan
        raise_all([error for _, error in planned.failures])
    sizes = measure(planned)
    for platform, count in sizes.platforms.items():
        click.echo(f"{human(count):>10}  {platform}")
    click.echo(f"{human(sizes.total):>10}  everything")
