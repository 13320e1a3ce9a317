# SPDX-License-Identifier: Apache-2.0
"""What ``airgap prove`` prints at the end, and its exit code."""

from __future__ import annotations

from collections.abc import Sequence

from airgap.cli.formatting.proof import node_lines, proof_lines
from airgap.cli.printing import note, say, say_json
from airgap.errors import NotReady
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.prove.nodes.on_nodes import NodeAnswer
from airgap.prove.proof import Proof


def report(proof: Proof, *, as_json: bool) -> None:
    """Print the proof of one node. Raises :class:`NotReady` if an image would not be pulled."""
    if as_json:
        say_json(proof.to_json())
    else:
        for line in proof_lines(proof):
            say(*line)
        note(tr("{count} sent", count=counted(proof.requests, "request")))
    if not proof.ready:
        causes = proof.causes
        more = tr(", and {count} more", count=len(causes) - 1) if len(causes) > 1 else ""
        raise NotReady(
            tr("{missing} of {images} would not be pulled: {what}{more}", missing=len(proof.missing),
               images=counted(len(proof.verdicts), "image"), what=causes[0].fault.what, more=more),
            where=proof.target,
        )  # fmt: skip


def report_nodes(target: str, answers: Sequence[NodeAnswer], *, as_json: bool) -> None:
    """Print the answers of all nodes. Raises :class:`NotReady` if one of them would not get every image."""
    not_ready = [answer.node for answer in answers if not answer.ready]
    if as_json:
        nodes = [{"node": answer.node, "error": answer.trouble, "proof": answer.proof} for answer in answers]
        say_json({"target": target, "ready": bool(answers) and not not_ready, "nodes": nodes})
    else:
        for line in node_lines(answers):
            say(*line)
    if not answers:
        raise NotReady(
            tr("no node has answered"), where=target, hint=tr("kubectl get nodes shows whether there is one for pods")
        )
    if not_ready:
        raise NotReady(
            tr("{missing} of {nodes} would not get every image: {names}", missing=len(not_ready),
               nodes=counted(len(answers), "node"), names=", ".join(not_ready[:10])),
            where=target,
        )  # fmt: skip
