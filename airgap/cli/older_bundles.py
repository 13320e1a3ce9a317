# SPDX-License-Identifier: Apache-2.0
"""The option that names older bundles, which recoded layers are restored from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click

from airgap.i18n import tr

if TYPE_CHECKING:
    from airgap.bundle import BundleReader
    from airgap.bundle.media.sealed import Unseal

option = click.option(
    "--base",
    "bases",
    multiple=True,
    metavar="BUNDLE",
    help=tr("An older bundle, for recoded layers that are restored from its layers. Repeatable."),
)


@contextmanager
def open_all(paths: Sequence[str], unseal: Unseal | None = None) -> Iterator[list[BundleReader]]:
    """Open the bundles of ``--base``, while the block runs."""
    from airgap.bundle import open_bundle

    with ExitStack() as stack:
        yield [stack.enter_context(open_bundle(path, unseal=unseal)) for path in paths]
