# SPDX-License-Identifier: Apache-2.0
"""Runs the check on every node and collects the answers; what it made is removed, also after Ctrl-C."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airgap import bounded_json, limits
from airgap.errors import ContentError
from airgap.events import Noted, Sink
from airgap.i18n import tr
from airgap.prove.needs import Needs
from airgap.prove.nodes.daemonset import CONTAINER, FAILURE, NAMESPACE, PROOF, Check, objects
from airgap.prove.nodes.kubectl import MAX_DEPTH, MAX_VALUES, Kubectl, KubectlError
from airgap.prove.nodes.pods import container_states, trouble_of
from airgap.records import Record, replace

#: Seconds between two looks at the pods, and for which trouble of a pod may still pass.
_INTERVAL, _PATIENCE = 1.0, 15.0
_MAX_ERROR = 1000


class NodeAnswer(Record):
    """What one node said: the document of ``airgap prove --json``, or why there is none."""

    node: str
    proof: Mapping[str, Any] | None = None
    trouble: str = ""

    @property
    def ready(self) -> bool:
        """Whether the node would get every image."""
        return self.proof is not None and bool(self.proof.get("ready"))


def check_for(image: str, arguments: Sequence[str], ca: bytes) -> Check:
    """Return a check with a name of its own."""
    return Check(f"airgap-prove-{secrets.token_hex(4)}", image, tuple(arguments), ca)


def check_nodes(
    kubectl: Kubectl, check: Check, needs: Needs, emit: Sink, *, sleep: Callable[[float], None] = time.sleep
) -> list[NodeAnswer]:
    """Run ``check`` on every node and return the answers, sorted by node.

    Raises :class:`KubectlError` if the cluster does not take the objects.
    """
    kubectl = replace(kubectl, namespace=NAMESPACE)
    document = {"apiVersion": "v1", "kind": "List", "items": objects(check, needs)}
    try:
        kubectl.run("create", "-f", "-", stdin=json.dumps(document).encode())
        emit(Noted(tr("checking on the nodes, as DaemonSet {name} in {namespace}", name=check.name,
                      namespace=NAMESPACE)))  # fmt: skip
        return _collect(kubectl, check, emit, sleep)
    finally:
        kinds = "daemonset,configmap,secret"
        kubectl.run("delete", kinds, "-l", check.selector, "--wait=false", "--ignore-not-found", seconds=120)


def _collect(kubectl: Kubectl, check: Check, emit: Sink, sleep: Callable[[float], None]) -> list[NodeAnswer]:
    answers: dict[str, NodeAnswer] = {}
    troubles: dict[str, tuple[float, str]] = {}
    begun = time.monotonic()
    while True:
        wanted = _wanted(kubectl, check)
        elapsed = time.monotonic() - begun
        pods = [pod for pod in kubectl.items("pods", "-l", check.selector) if _node_of(pod)]
        for pod in pods:
            node = _node_of(pod)
            if node in answers:
                continue
            if _has_answered(pod):
                answers[node] = _answer(kubectl, node, str(pod["metadata"]["name"]))
                emit(Noted(tr("{node} has answered", node=node)))
                continue
            trouble = trouble_of(pod)
            if not trouble:
                troubles.pop(node, None)
            elif elapsed - troubles.setdefault(node, (elapsed, trouble))[0] > _PATIENCE:
                answers[node] = NodeAnswer(node, None, trouble)
        if wanted is not None and len(answers) >= wanted:
            break
        if elapsed > limits.value("nodes-time"):
            late = tr("no answer after {seconds} s", seconds=limits.value("nodes-time"))
            missing = {_node_of(pod) for pod in pods} - set(answers)
            answers |= {node: NodeAnswer(node, None, troubles.get(node, (0, late))[1]) for node in missing}
            break
        sleep(_INTERVAL)
    return [answers[node] for node in sorted(answers)]


def _wanted(kubectl: Kubectl, check: Check) -> int | None:
    """How many nodes the DaemonSet is for; ``None`` until its controller has counted."""
    daemonset = kubectl.get(f"daemonset/{check.name}")
    status, metadata = daemonset.get("status") or {}, daemonset.get("metadata") or {}
    if status.get("observedGeneration") != metadata.get("generation") or "desiredNumberScheduled" not in status:
        return None
    return int(status["desiredNumberScheduled"])


def _has_answered(pod: Mapping[str, Any]) -> bool:
    return any(name == CONTAINER and "terminated" in state for name, state in container_states(pod))


def _node_of(pod: Mapping[str, Any]) -> str:
    spec = pod.get("spec")
    return str(spec.get("nodeName") or "") if isinstance(spec, dict) else ""


def _answer(kubectl: Kubectl, node: str, pod: str) -> NodeAnswer:
    try:
        log = kubectl.run("logs", pod, "-c", CONTAINER).decode("utf-8", "replace")
    except KubectlError as error:
        return NodeAnswer(node, None, str(error))
    if PROOF in log:
        try:
            document = bounded_json.loads(log.partition(PROOF)[2].encode(), values=MAX_VALUES, depth=MAX_DEPTH)
        except ContentError:
            document = None
        if isinstance(document, dict):
            return NodeAnswer(node, document)
    said = log.partition(FAILURE)[2].strip() or log.strip()
    return NodeAnswer(node, None, said[-_MAX_ERROR:] or tr("it printed nothing"))
