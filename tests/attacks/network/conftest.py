# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tests.cli.fixtures import airgap  # noqa: F401
from tests.registry.conftest import images, network, peer, shelf  # noqa: F401
