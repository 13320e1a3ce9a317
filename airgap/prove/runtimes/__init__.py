# SPDX-License-Identifier: Apache-2.0
"""How each container runtime finds an image: one module for each way of doing it.

A module has a function ``runtime(files, name, version)`` that returns a :class:`Runtime`. Its ``plan`` says which
addresses are asked for an image, in which order, with which trust, and ``logins`` which logins of the node itself are
used for it. These modules read the node's files and send nothing.
"""

from __future__ import annotations

import importlib
from typing import Protocol

from airgap.i18n import tr
from airgap.oci import Reference
from airgap.prove.model import Fault, Login, PullPlan
from airgap.prove.node_files import NodeFileError, NodeFiles
from airgap.records import Record

#: The name of each runtime, and the module of this package that knows it.
RUNTIMES = {
    "containerd": "containerd",
    "docker": "docker",
    "podman": "containers",
    "crio": "containers",
    "k3s": "k3s",
}


class Runtime(Protocol):
    """A container runtime with the configuration of one node."""

    @property
    def uses_pull_secrets(self) -> bool:
        """Whether pods are pulled for by the kubelet, with their pull secrets."""

    def plan(self, reference: Reference, text: str) -> PullPlan:
        """Return what the runtime does for an image, which is written as ``text``."""

    def logins(self, reference: Reference) -> list[Login]:
        """Return the logins of the node itself for an image, in the order in which they are tried."""


def runtime_for(name: str, files: NodeFiles, version: str = "") -> Runtime:
    """Return the runtime ``name``, a key of :data:`RUNTIMES`, as the node's ``files`` configure it.

    ``version`` is the runtime's, if it is known. With a configuration that it could not use, it pulls nothing.
    """
    module = importlib.import_module(f"airgap.prove.runtimes.{RUNTIMES[name]}")
    try:
        runtime: Runtime = module.runtime(files, name, version)
    except NodeFileError as error:
        where = error.where or files.label
        what = tr("{runtime} does not work with {where}: {what}", runtime=name, where=where, what=error.what)
        return Unusable(Fault("node-file", where, what, (error.hint or tr("correct that file"),)))
    return runtime


class Unusable(Record):
    """A runtime that pulls nothing, since its configuration is damaged."""

    fault: Fault
    uses_pull_secrets: bool = False

    def plan(self, reference: Reference, text: str) -> PullPlan:
        """Return why nothing is asked."""
        return PullPlan(faults=(self.fault,))

    def logins(self, reference: Reference) -> list[Login]:
        """Return none."""
        return []
