# SPDX-License-Identifier: Apache-2.0
"""Python packages: resolved by pip, carried as the wheels and source archives that an index has.

pypi:
  - {requirements: requirements.txt, python: ["3.11"], platforms: [manylinux2014_x86_64]}
  - {package: "requests==2.32.3", index: "https://…/simple"}
"""

from __future__ import annotations

from airgap.artifacts.format import Format
from airgap.artifacts.formats.pypi.client import PipSettings
from airgap.artifacts.formats.pypi.collector import PypiCollector
from airgap.artifacts.formats.pypi.layout import PypiLayout
from airgap.artifacts.formats.pypi.publisher import PypiPublisher

FORMAT = Format("pypi", "pypi-hosted", PypiCollector(), PypiPublisher(), PypiLayout(), PipSettings())
