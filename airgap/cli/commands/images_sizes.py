# SPDX-License-Identifier: Apache-2.0
"""``airgap images --sizes``. Separate from the other outputs, since only this one needs registries."""

from __future__ import annotations

from airgap.cli.formatting.columns import right
from airgap.cli.printing import say
from airgap.cli.progress.display import open_display
from airgap.config.airgap_yaml import ProjectSettings
from airgap.config.connections import ConnectionOptions, open_registries
from airgap.errors import raise_all
from airgap.flows.images import FoundImages
from airgap.flows.steps.resolve import resolve_images
from airgap.formatting import human
from airgap.i18n import tr
from airgap.transfer import CancelToken, Context, Jobs
from airgap.transfer.sizes import measure


def print_sizes(
    found_images: FoundImages, project: ProjectSettings, options: ConnectionOptions, jobs: int | None, progress: str
) -> None:
    """Resolve all images without pulling their layers, and print the bytes of each platform and of everything."""
    with open_display(progress) as emit, open_registries(project, options, emit) as registries:
        context = Context(Jobs.of(jobs), emit, CancelToken(registries.abort))
        plan = resolve_images(found_images, registries, context, named=project.registries).plan
        raise_all([error for _, error in plan.failures])
    sizes = measure(plan)
    for platform, size in sizes.platforms.items():
        say(f"{right(human(size), 10)}  {platform}")
    say(f"{right(human(sizes.total), 10)}  {tr('everything')}")
