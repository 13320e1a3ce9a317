# SPDX-License-Identifier: Apache-2.0
"""npm packages: what a lock file pins, or a package with what npm resolves for it.

npm:
  - {lockfile: web/package-lock.json, registry: "https://…"}
  - {package: "left-pad@1.3.0"}
"""

from __future__ import annotations

from airgap.artifacts.format import Format
from airgap.artifacts.formats.npm.client import NpmSettingsFile
from airgap.artifacts.formats.npm.collector import NpmCollector
from airgap.artifacts.formats.npm.layout import NpmLayout
from airgap.artifacts.formats.npm.publisher import NpmPublisher

FORMAT = Format(
    "npm", "npm-hosted", NpmCollector(), NpmPublisher(), NpmLayout(), client=NpmSettingsFile(), realm="NpmToken"
)
