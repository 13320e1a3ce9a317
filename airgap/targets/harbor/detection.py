# SPDX-License-Identifier: Apache-2.0
"""Recognizes Harbor by its answer to ``GET /v2/``."""

from __future__ import annotations

from airgap.targets.probe import Probe, challenges_of


def is_harbor(probe: Probe) -> bool:
    """Whether Harbor answers at the address: its tokens are for the service ``harbor-registry``."""
    return probe.response is not None and any(
        challenge.scheme == "bearer" and challenge.parameters.get("service", "") == "harbor-registry"
        for challenge in challenges_of(probe.response)
    )
