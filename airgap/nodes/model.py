# SPDX-License-Identifier: Apache-2.0
"""The words of this room: the registry as nodes reach it, which images moved where, and files on a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from airgap.errors import TargetError
from airgap.oci import Reference
from airgap.records import Record, field


class Endpoint(Record):
    """``address`` is ``host[:port]`` as it stands in references; ``ca`` are PEM certificates to trust it by."""

    address: str
    plain_http: bool = False
    insecure: bool = False
    ca: bytes = b""

    @property
    def url(self) -> str:
        return f"{'http' if self.plain_http else 'https'}://{self.address}"

    @property
    def unverified(self) -> bool:
        """Whether nodes must be told to do without a certificate that they trust."""
        return self.plain_http or self.insecure


class Moved(Record):
    """The images of one original registry and what they are called at the target.

    ``images`` maps repositories to repositories at the target. ``prefix`` is what stands there before the whole
    original repository, the same for all of them (``""``: nothing), or ``None`` where the path itself changed.
    """

    registry: str
    images: Mapping[str, str]

    @property
    def prefix(self) -> str | None:
        fronts = {_front(source, target) for source, target in self.images.items()}
        return fronts.pop() if len(fronts) == 1 else None

    @property
    def example(self) -> tuple[str, str]:
        """An image that keeps a runtime from going by ``prefix``: its repository before and after."""
        first = _front(*next(iter(self.images.items())))
        for source, target in self.images.items():
            front = _front(source, target)
            if front is None or front != first:
                return source, target
        return next(iter(self.images.items()))


class NodeFile(Record):
    """``content`` is the file where nothing is at ``path``; ``merge`` makes of what is there what it becomes.

    ``node_only``: on a node it is made or merged, into an output folder it is merged where one lies there already
    and never made, since a copy of it over the node's own would undo what that one says. ``merged_only``: there is
    nothing to make, and perhaps something to take out.
    """

    path: str
    content: bytes
    merge: Callable[[bytes], bytes]
    node_only: bool = False
    merged_only: bool = False


class Setup(Record):
    """``restart`` says what must be done on a node before the files count; ``snippets`` are pieces for files that
    only the node has, by file name; ``notes`` is what the user must know; ``warnings`` is what will not work."""

    files: tuple[NodeFile, ...]
    restart: str
    snippets: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def moved_by(images: Iterable[tuple[Reference, Reference]], address: str) -> list[Moved]:
    """Group (source, target) by original registry; images that came from ``address`` itself have not moved.

    Raises :class:`TargetError` where one name went to two, which no runtime could follow.
    """
    found: dict[str, dict[str, str]] = {}
    for source, target in images:
        if source.registry == address:
            continue
        there = found.setdefault(source.registry, {}).setdefault(source.repository, target.repository)
        if there != target.repository:
            raise TargetError(
                f"{source.name} is at the target both as {there} and as {target.repository}",
                hint="nodes go by the name alone: import both tags under one name, or leave --from out",
            )
    return [Moved(registry, dict(sorted(found[registry].items()))) for registry in sorted(found)]


def replaced(content: bytes) -> Callable[[bytes], bytes]:
    """The merge of a file that is wholly ours: what is there gives way."""
    return lambda _: content


def _front(source: str, target: str) -> str | None:
    if source == target:
        return ""
    return target[: -len(source) - 1] if target.endswith(f"/{source}") else None
