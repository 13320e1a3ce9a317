# SPDX-License-Identifier: Apache-2.0
"""Configuration files with which container runtimes pull from a target.

Each runtime has a module with a ``setup`` function: it takes a :class:`PullEndpoint` and the
:class:`MirroredRegistry` list and returns a :class:`NodeSetup`: the files on a node, how each is merged with an
existing one, and what must be restarted. These modules are pure. ``files`` compares with a folder and writes,
``objects`` makes Kubernetes objects. Nothing here connects to a registry or starts a program.

To add a runtime, write its module and add it to ``RUNTIMES``.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from airgap.nodes.model import Create, MirroredRegistry, NodeFile, NodeSetup, PullEndpoint, mirrored_registries

#: The name of each supported runtime, and the module of this package that configures it.
RUNTIMES = {
    "containerd": "containerd",
    "nerdctl": "containerd",
    "docker": "docker",
    "podman": "containers",
    "crio": "containers",
    "k3s": "k3s",
    "rke2": "k3s",
}


def setup_for(runtime: str, endpoint: PullEndpoint, mirrors: Sequence[MirroredRegistry]) -> NodeSetup:
    """Return the configuration of ``runtime``, a key of :data:`RUNTIMES`.

    Raises :class:`airgap.errors.TargetError` if the runtime cannot mirror one of ``mirrors``.
    """
    module = importlib.import_module(f"airgap.nodes.{RUNTIMES[runtime]}")
    setup: NodeSetup = module.setup(endpoint, mirrors, runtime)
    return setup


__all__ = [
    "RUNTIMES",
    "Create",
    "MirroredRegistry",
    "NodeFile",
    "NodeSetup",
    "PullEndpoint",
    "mirrored_registries",
    "setup_for",
]
