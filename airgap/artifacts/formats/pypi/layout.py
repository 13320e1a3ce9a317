# SPDX-License-Identifier: Apache-2.0
"""Python packages as a folder that pip reads: ``simple/PROJECT/FILE`` with an index in each folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.formats.pypi.simple_index import project_page, root_page


class PypiLayout:
    """The simple repository API in files. Links are relative, so that any address serves them."""

    def path(self, artifact: Artifact) -> str:
        """The file lies beside its project's page."""
        return f"simple/{artifact.name}/{artifact.file}"

    def documents(self, artifacts: Sequence[Artifact], base_url: str) -> Mapping[str, bytes]:
        """The list of projects, and a page for each."""
        by_name: dict[str, list[Artifact]] = {}
        for artifact in artifacts:
            by_name.setdefault(artifact.name, []).append(artifact)
        pages = {f"simple/{name}/index.html": project_page(name, own) for name, own in sorted(by_name.items())}
        return {"simple/index.html": root_page(list(by_name)), **pages}
