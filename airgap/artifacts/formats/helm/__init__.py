# SPDX-License-Identifier: Apache-2.0
"""Helm charts: from chart repositories, OCI registries and folders, into chart repositories and registries.

    helm:
      - {repository: "https://charts.example", chart: shop, version: 1.2.3}
      - {oci: "oci://registry.example/charts/shop", version: 1.2.3}
      - {path: charts/shop}

airgap reads the repository's index itself; helm is not needed.
"""

from __future__ import annotations

from airgap.artifacts.format import Format
from airgap.artifacts.formats.helm.client import HelmSettings
from airgap.artifacts.formats.helm.collector import HelmCollector
from airgap.artifacts.formats.helm.layout import HelmLayout
from airgap.artifacts.formats.helm.publisher import HelmPublisher

FORMAT = Format("helm", "helm-hosted", HelmCollector(), HelmPublisher(), HelmLayout(), HelmSettings())
