# SPDX-License-Identifier: Apache-2.0
"""NuGet packages: those of a lock file, or one with everything that it depends on, from a source of NuGet's V3 API.

nuget:
  - {lockfile: packages.lock.json}
  - {package: Newtonsoft.Json, version: 13.0.3, source: "https://…/v3/index.json", framework: net8.0}
"""

from __future__ import annotations

from airgap.artifacts.format import Format
from airgap.artifacts.formats.nuget.client import NugetSettingsFile
from airgap.artifacts.formats.nuget.collector import NugetCollector
from airgap.artifacts.formats.nuget.layout import NugetLayout
from airgap.artifacts.formats.nuget.names import listed_path
from airgap.artifacts.formats.nuget.publisher import NugetPublisher

FORMAT = Format(
    "nuget", "nuget-hosted", NugetCollector(), NugetPublisher(), NugetLayout(), client=NugetSettingsFile(),
    realm="NuGetApiKey", listed_path=listed_path,
)  # fmt: skip
