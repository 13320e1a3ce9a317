# SPDX-License-Identifier: Apache-2.0
"""Maven artifacts: files with the poms that they need, resolved from the poms of repositories.

maven:
  - {pom: pom.xml, repositories: ["https://…/maven2"]}
  - {coordinates: "org.springframework:spring-core:5.3.21"}
"""

from __future__ import annotations

from airgap.artifacts.format import Format
from airgap.artifacts.formats.maven.client import MavenSettingsFile
from airgap.artifacts.formats.maven.collector import MavenCollector
from airgap.artifacts.formats.maven.layout import MavenLayout
from airgap.artifacts.formats.maven.publisher import MavenPublisher

FORMAT = Format(
    "maven", "maven-hosted", MavenCollector(), MavenPublisher(), MavenLayout(), client=MavenSettingsFile(),
    creation={"maven": {"versionPolicy": "RELEASE", "layoutPolicy": "STRICT", "contentDisposition": "ATTACHMENT"}},
)  # fmt: skip
