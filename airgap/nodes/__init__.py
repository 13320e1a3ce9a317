# SPDX-License-Identifier: Apache-2.0
"""What nodes need so that they can pull from a target: the files of each container runtime, as pure functions.

A runtime's ``setup`` makes of an :class:`Endpoint` and the :class:`Moved` images a :class:`Setup`: files with their
place on the node, how each is merged with what is there, and what must be restarted. The room reads no disk, asks no
registry and starts nothing; ``flows.hosts`` does the writing.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from airgap.nodes.model import Endpoint, Moved, NodeFile, Setup, moved_by

#: The runtimes that can be configured, each with the module that knows it.
RUNTIMES = {
    "containerd": "containerd",
    "docker": "docker",
    "podman": "containers",
    "crio": "containers",
    "k3s": "k3s",
    "rke2": "k3s",
}


def setup_for(runtime: str, endpoint: Endpoint, moved: Sequence[Moved]) -> Setup:
    """The configuration of ``runtime``; raises :class:`airgap.errors.TargetError` where it cannot follow ``moved``."""
    module = importlib.import_module(f"airgap.nodes.{RUNTIMES[runtime]}")
    made: Setup = module.setup(endpoint, moved, runtime)
    return made


__all__ = ["RUNTIMES", "Endpoint", "Moved", "NodeFile", "Setup", "moved_by", "setup_for"]
