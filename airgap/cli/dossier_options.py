# SPDX-License-Identifier: Apache-2.0
"""The options of ``airgap export`` about what is written beside the bundle."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from airgap.i18n import tr
from airgap.records import Record

if TYPE_CHECKING:
    from airgap.config.airgap_yaml import ProjectSettings
    from airgap.flows.steps.beside_bundle import BesideBundle

F = TypeVar("F", bound=Callable[..., Any])


class DossierOptions(Record):
    """The options, as :func:`dossier_options` passes them."""

    folder: str | None
    sha256: bool

    def beside(self, project: ProjectSettings, base: str | None) -> BesideBundle:
        """Return what to write. A ``base`` is also what the dossier compares the bundle with."""
        from airgap.flows.dossier import DossierRequest
        from airgap.flows.steps.beside_bundle import BesideBundle

        folder = Path(self.folder) if self.folder else None
        request = DossierRequest(
            Path(base) if base else None,
            project.purpose or "",
            project.rules,
            None,
            (Path(), *([folder] if folder else [])),
        )
        return BesideBundle(folder, self.sha256, request)


def dossier_options(function: F) -> F:
    """Add the options; the command gets them as one argument ``dossier``."""

    @functools.wraps(function)
    def with_one_argument(dossier_folder: str | None, sha256: bool, **others: Any) -> Any:
        return function(dossier=DossierOptions(dossier_folder, sha256), **others)

    decorated = cast("F", with_one_argument)
    for option in (
        click.option(
            "--sha256", is_flag=True, help=tr("Write BUNDLE.sha256 and BUNDLE.sha256.csv (name,size,sha256) too.")
        ),
        click.option(
            "--dossier",
            "dossier_folder",
            metavar="DIR",
            help=tr("Write what an office reads before it approves, as airgap dossier does. Also with --dry-run."),
        ),
    ):
        decorated = option(decorated)
    return decorated
