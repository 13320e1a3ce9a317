# SPDX-License-Identifier: Apache-2.0
"""Debian packages: with everything that they depend on, resolved by apt-get in a folder of its own.

apt:
  - {packages: [curl], suites: [bookworm], architectures: [amd64], mirror: "https://…/debian", components: [main]}
"""

from __future__ import annotations

from airgap.artifacts.format import Format
from airgap.artifacts.formats.apt.client import AptSources, client_addresses
from airgap.artifacts.formats.apt.collector import AptCollector
from airgap.artifacts.formats.apt.index_check import check_index
from airgap.artifacts.formats.apt.layout import AptLayout, joined
from airgap.artifacts.formats.apt.publisher import AptPublisher, warning
from airgap.i18n import tr

FORMAT = Format(
    "apt", "apt-hosted", AptCollector(), AptPublisher(), AptLayout(), client=AptSources(), joined=joined,
    client_addresses=client_addresses, warning=warning, index_check=check_index, creation=None,
    creation_hint=tr(
        "an apt repository of Nexus signs its index with your key, so it is made in Nexus: Settings > Repositories > "
        "Create repository > apt (hosted), with the suite as Distribution and a key of gpg --armor "
        "--export-secret-keys as Signing key; then --artifacts-to apt=URL"
    ),
)  # fmt: skip
