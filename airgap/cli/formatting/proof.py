# SPDX-License-Identifier: Apache-2.0
"""A proof as lines for people: what is ready, then each cause with its images and what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airgap.cli.formatting.columns import display_width, left
from airgap.cli.printing import Line, Styled
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.prove.model import Cause
from airgap.prove.nodes.on_nodes import NodeAnswer
from airgap.prove.proof import Proof

#: Images that are listed for one cause; --json lists all.
_MOST_IMAGES = 10
_INDENT = " " * 12


def _mark(word: str) -> str:
    return left(word, 10)


def proof_lines(proof: Proof) -> Iterator[Line]:
    """Yield the lines of a proof."""
    ready = len(proof.verdicts) - len(proof.missing)
    summary = tr(
        "{ready} of {images} would be pulled by {runtime} ({root}, {platform})",
        ready=ready, images=counted(len(proof.verdicts), "image"), runtime=proof.runtime, root=proof.node,
        platform=proof.platform,
    )  # fmt: skip
    yield (
        Styled(_mark(tr("ready")), "green") if proof.ready else Styled(_mark(tr("NOT READY")), "red", True),
        summary,
    )
    for host, images in proof.other_sources.items():
        count = counted(len(images), "image")
        yield Styled(_mark(tr("note"))), tr("{count} would come from {host}, not from {target}", count=count,
                                             host=host, target=proof.target)  # fmt: skip
    for cause in proof.causes:
        yield from _cause_lines(cause, Styled(_mark(tr("PROBLEM")), "red", bold=True))
    for cause in proof.warnings:
        yield from _cause_lines(cause, Styled(_mark(tr("warning")), "yellow"))


def _cause_lines(cause: Cause, mark: Styled) -> Iterator[Line]:
    yield mark, cause.fault.what
    for image, detail in cause.images[:_MOST_IMAGES]:
        yield (_INDENT + image + (f"   {detail}" if detail else ""),)
    if more := cause.images[_MOST_IMAGES:]:
        yield (_INDENT + tr("and {count} more; --json lists all", count=len(more)),)
    for step in cause.fault.fix:
        yield " " * 10, Styled(step, bold=True)


def node_lines(answers: Sequence[NodeAnswer]) -> Iterator[Line]:
    """Yield a table of images and nodes: each node has a column. Then the causes, with the nodes that have them."""
    proofs = {answer.node: answer.proof for answer in answers if answer.proof is not None}
    width = max((display_width(answer.node) for answer in answers), default=0) + 2
    for answer in answers:
        if answer.proof is None:
            yield Styled(left(answer.node, width), bold=True), Styled(tr("no answer"), "red"), f": {answer.trouble}"
            continue
        images = _list(answer.proof, "images")
        ready = sum(1 for image in images if image.get("ready"))
        mark = Styled(tr("ready"), "green") if answer.ready else Styled(tr("NOT READY"), "red", bold=True)
        yield Styled(left(answer.node, width), bold=True), f"{ready}/{len(images)}  ", mark
    yield from _table(proofs)
    causes: dict[tuple[str, str], tuple[Mapping[str, Any], list[str]]] = {}
    for node, proof in proofs.items():
        for found in _list(proof, "causes"):
            causes.setdefault((str(found.get("kind")), str(found.get("subject"))), (found, []))[1].append(node)
    for cause, nodes in causes.values():
        yield Styled(left(tr("PROBLEM"), 10), "red", bold=True), str(cause.get("what"))
        yield (_INDENT + tr("on {nodes}", nodes=", ".join(nodes)),)
        for step in cause.get("fix") or ():
            yield " " * 10, Styled(str(step), bold=True)


def _table(proofs: Mapping[str, Mapping[str, Any]]) -> Iterator[Line]:
    """The images that a node would not get, each with its state on every node."""
    states: dict[str, dict[str, bool]] = {}
    for node, proof in proofs.items():
        for image in _list(proof, "images"):
            states.setdefault(str(image.get("text")), {})[node] = bool(image.get("ready"))
    missing = {image: state for image, state in states.items() if not all(state.values())}
    if not missing:
        return
    width = max(map(display_width, missing))
    columns = [max(display_width(node), display_width(tr("ok")), display_width(tr("no"))) for node in proofs]
    yield (Styled("  ".join([left("", width), *map(left, proofs, columns)]), bold=True),)
    for name, state in missing.items():
        cells = [tr("ok") if state.get(node) else tr("no") for node in proofs]
        yield ("  ".join([left(name, width), *map(left, cells, columns)]).rstrip(),)


def _list(proof: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The objects in a list of a document that a node has sent."""
    value = proof.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
