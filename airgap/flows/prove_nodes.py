# SPDX-License-Identifier: Apache-2.0
"""``airgap prove --on-nodes`` and ``--from-node``: the nodes of a running cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from airgap.errors import ResourceError
from airgap.events import Sink
from airgap.prove.needs import Needs
from airgap.prove.node_files import NodeFiles
from airgap.prove.nodes.daemonset import objects
from airgap.prove.nodes.debug_pod import files_of_node
from airgap.prove.nodes.kubectl import Kubectl
from airgap.prove.nodes.on_nodes import NodeAnswer, check_for, check_nodes
from airgap.records import Record

#: The runtimes as the kubelet names them.
_RUNTIMES = {"containerd": "containerd", "cri-o": "crio", "docker": "docker"}


class RemoteNode(Record):
    """A node of a cluster: its files, and its platform and runtime as the kubelet reports them.

    ``runtime`` is empty for one that is not known.
    """

    files: NodeFiles
    platform: str
    runtime: str
    version: str


@contextlib.contextmanager
def remote_node(context: str, node: str, image: str) -> Iterator[RemoteNode]:
    """Yield a node of the cluster of ``context``, read through a debug pod of ``image`` that is deleted at the end.

    Raises :class:`ResourceError` if that is not possible.
    """
    kubectl = Kubectl(context, "kube-system")
    info = (kubectl.get(f"node/{node}").get("status") or {}).get("nodeInfo") or {}
    platform = f"{info.get('operatingSystem') or 'linux'}/{info.get('architecture') or 'amd64'}"
    name, _, version = str(info.get("containerRuntimeVersion") or "").partition("://")
    runtime = "k3s" if "k3s" in version else _RUNTIMES.get(name, "")
    with files_of_node(kubectl, node, image) as files:
        yield RemoteNode(files, platform, runtime, version)


def prove_on_nodes(
    context: str, image: str, needs: Needs, arguments: Sequence[str], ca_file: str, emit: Sink
) -> list[NodeAnswer]:
    """Run the check on every node by a DaemonSet of ``image``, and return the answers, sorted by node.

    ``arguments`` are airgap's on the nodes. Raises :class:`ResourceError` if the cluster does not take the objects.
    """
    return check_nodes(Kubectl(context), check_for(image, arguments, _content(ca_file)), needs, emit)


def objects_for_nodes(image: str, needs: Needs, arguments: Sequence[str], ca_file: str) -> list[dict[str, Any]]:
    """Return the objects that :func:`prove_on_nodes` would make, without what is in the Secret."""
    made = objects(check_for(image, arguments, _content(ca_file)), needs)
    return [{**item, "data": {}} if item["kind"] == "Secret" else item for item in made]


def _content(path: str) -> bytes:
    if not path:
        return b""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ResourceError(error.strerror or str(error), where=path) from error
