# SPDX-License-Identifier: Apache-2.0
"""Options about artifacts: which a bundle carries, and where they go."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.records import Record

if TYPE_CHECKING:
    from airgap.artifacts.publish.addresses import ArtifactTarget
    from airgap.config.airgap_yaml import ProjectSettings

F = TypeVar("F", bound=Callable[..., Any])

#: Documents that ride along.
attach = click.option(
    "--attach",
    "attached",
    multiple=True,
    metavar="FILE",
    help=tr("Put this document into the bundle, such as a scanner's report or an SBOM. Repeatable."),
)


class ArtifactChoice(Record):
    """``only`` artifacts, or with ``none`` everything but artifacts."""

    only: bool
    none: bool


class ArtifactTargets(Record):
    """The options of an import: which part of the bundle, and the repositories as they were given."""

    choice: ArtifactChoice
    given: tuple[str, ...]
    create: bool

    def by_format(self, project: ProjectSettings) -> dict[str, ArtifactTarget]:
        """Return the target of each format; options go before airgap.yaml. Raises :class:`UsageError`."""
        if not self.given and not project.artifact_targets:
            return {}
        from airgap.artifacts.publish.addresses import ArtifactTarget

        targets: dict[str, ArtifactTarget] = {}
        for text in self.given:
            target = ArtifactTarget.parse_option(text)
            if target.format in targets:
                raise UsageError(tr("--artifacts-to is given twice for {format}", format=target.format))
            targets[target.format] = target
        return {**{target.format: target for target in project.artifact_targets}, **targets}


def choice(function: F) -> F:
    """Add ``--only-artifacts`` and ``--no-artifacts``; the command gets them as one argument ``artifact_choice``."""

    @click.option(
        "--only-artifacts", is_flag=True, help=tr("Take the artifacts of airgap.yaml and no images; PATH is not read.")
    )
    @click.option("--no-artifacts", is_flag=True, help=tr("Leave the artifacts of airgap.yaml out."))
    @functools.wraps(function)
    def with_one_argument(only_artifacts: bool, no_artifacts: bool, **others: Any) -> Any:
        return function(artifact_choice=_choice(only_artifacts, no_artifacts), **others)

    return cast("F", with_one_argument)


def targets(function: F) -> F:
    """Add the options of an import; the command gets them as one argument ``artifact_targets``."""

    @click.option(
        "--artifacts-to",
        multiple=True,
        metavar="FORMAT=URL",
        help=tr(
            "Where the artifacts of a format go: a repository's address, or file:///folder. Repeatable. [default: "
            "artifact_targets of airgap.yaml, or the only hosted repository of --nexus]"
        ),
    )
    @click.option("--only-artifacts", is_flag=True, help=tr("Import the artifacts and no images; --to is not needed."))
    @click.option("--no-artifacts", is_flag=True, help=tr("Leave the bundle's artifacts out."))
    @click.option(
        "--create-repositories",
        is_flag=True,
        help=tr("Nexus: make hosted repositories for artifacts that are missing."),
    )
    @functools.wraps(function)
    def with_one_argument(
        artifacts_to: tuple[str, ...],
        only_artifacts: bool,
        no_artifacts: bool,
        create_repositories: bool,
        **others: Any,
    ) -> Any:
        chosen = ArtifactTargets(_choice(only_artifacts, no_artifacts), artifacts_to, create_repositories)
        return function(artifact_targets=chosen, **others)

    return cast("F", with_one_argument)


def places(function: F) -> F:
    """Add the options of a command that looks at artifacts where they are; the command gets them as one argument
    ``artifact_targets``."""

    @click.option(
        "--artifacts-to",
        multiple=True,
        metavar="FORMAT=URL",
        help=tr(
            "Where the artifacts of a format are: a repository's address, or file:///folder. Repeatable. [default: "
            "artifact_targets of airgap.yaml, or where the receipts say]"
        ),
    )
    @click.option("--only-artifacts", is_flag=True, help=tr("Look at artifacts and no images; TARGET is not needed."))
    @click.option("--no-artifacts", is_flag=True, help=tr("Look at images alone."))
    @functools.wraps(function)
    def with_one_argument(
        artifacts_to: tuple[str, ...], only_artifacts: bool, no_artifacts: bool, **others: Any
    ) -> Any:
        chosen = ArtifactTargets(_choice(only_artifacts, no_artifacts), artifacts_to, create=False)
        return function(artifact_targets=chosen, **others)

    return cast("F", with_one_argument)


def require_entries(project: ProjectSettings, chosen: ArtifactChoice) -> Sequence[Any]:
    """Return the entries to export. Raises :class:`UsageError` if only artifacts are wanted and there are none."""
    if chosen.only and not project.artifacts:
        raise UsageError(
            tr("--only-artifacts takes what artifacts: of airgap.yaml names, and there is nothing"),
            hint=tr("add artifacts: to airgap.yaml, or name it with --config"),
        )
    return [] if chosen.none else project.artifacts


def _choice(only: bool, none: bool) -> ArtifactChoice:
    if only and none:
        raise UsageError(tr("--only-artifacts and --no-artifacts exclude each other"))
    return ArtifactChoice(only, none)
