# SPDX-License-Identifier: Apache-2.0
"""Finds the images of a command's resource files with what the project file and the common options say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airgap.cli import options
from airgap.config.airgap_yaml import ProjectSettings
from airgap.config.connections import ConnectionOptions, helm_options
from airgap.flows.images import FoundImages, find_images
from airgap.kube.cluster import ClusterScope
from airgap.kube.render.programs import Rendering
from airgap.oci import Reference


def find_project_images(
    paths: Sequence[str],
    project: ProjectSettings,
    connection: ConnectionOptions,
    rendering: Rendering,
    walking: options.Walking,
    *,
    project_file: str | None,
    cluster: ClusterScope | None,
    images: Sequence[Reference] | None = None,
    download: Callable[[str], bytes] | None = None,
) -> FoundImages:
    """Call :func:`airgap.flows.images.find_images`; ``images`` are the project's unless others are given."""
    return find_images(
        paths,
        images=project.images if images is None else images,
        stdin=options.read_stdin,
        download=download,
        rendering=rendering,
        pull=helm_options(project, connection),
        rules=project.rules,
        project_file=project_file or "",
        walking=walking.options,
        cluster=cluster,
    )
