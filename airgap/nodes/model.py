# SPDX-License-Identifier: Apache-2.0
"""The types of this package: the registry that nodes pull from, what it mirrors, and the files on a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum

from airgap.errors import TargetError
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.records import Record, field

#: The home folder of root on a node, who runs its container runtime.
ROOT_HOME = "/root"


class PullEndpoint(Record):
    """The registry that nodes pull from, as they reach it.

    ``address`` is ``host[:port]`` as written in references. ``ca`` holds the PEM certificates that nodes must trust;
    it is empty if the system's own are enough.
    """

    address: str
    plain_http: bool = False
    insecure: bool = False
    ca: bytes = b""

    @property
    def url(self) -> str:
        """``http://ADDRESS`` or ``https://ADDRESS``."""
        return f"{'http' if self.plain_http else 'https'}://{self.address}"

    @property
    def unverified(self) -> bool:
        """Whether nodes connect without a certificate that they can verify."""
        return self.plain_http or self.insecure


class MirroredRegistry(Record):
    """An original registry whose images are also at the target.

    ``repositories`` maps each original repository to its repository at the target.
    """

    registry: str
    repositories: Mapping[str, str]

    @property
    def prefix(self) -> str | None:
        """The path that the target puts before every original repository (``""`` for none).

        ``None`` if the repositories do not share one prefix, or if their paths themselves changed.
        """
        prefixes = {_added_prefix(source, target) for source, target in self.repositories.items()}
        return prefixes.pop() if len(prefixes) == 1 else None

    @property
    def example(self) -> tuple[str, str]:
        """A repository before and after: one that shows why ``prefix`` is ``None``, else the first one."""
        first = next(iter(self.repositories.items()))
        first_prefix = _added_prefix(*first)
        for source, target in self.repositories.items():
            prefix = _added_prefix(source, target)
            if prefix is None or prefix != first_prefix:
                return source, target
        return first


class Create(Enum):
    """When a :class:`NodeFile` is created if it does not exist yet. A file that exists is always merged."""

    ALWAYS = "always"
    #: Only on the node itself. In an output folder it would later be copied over the node's own file.
    ON_NODE = tr("on the node")
    #: Never: there is nothing to add, but an existing file may hold outdated entries to remove.
    NEVER = "never"


class NodeFile(Record):
    """A file at the absolute ``path`` on a node.

    ``content`` is the whole file if none exists. ``merge`` takes the existing content and returns the new one.
    """

    path: str
    content: bytes
    merge: Callable[[bytes], bytes]
    create: Create = Create.ALWAYS


class NodeSetup(Record):
    """The configuration of one container runtime.

    ``restart`` tells the user what to restart on a node. ``snippets`` maps file names to additions for files that
    exist only on the node. ``notes`` are for the user to know; ``copying_notes`` too, where the files are copied to
    nodes, whose other settings are not changed then; ``warnings`` list what will not work.
    """

    files: tuple[NodeFile, ...]
    restart: str
    snippets: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    copying_notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def mirrored_registries(images: Iterable[tuple[Reference, Reference]], address: str) -> list[MirroredRegistry]:
    """Group (source, target) references by source registry, sorted. Sources that are at ``address`` are skipped.

    Raises :class:`TargetError` if one source repository has two target repositories: no runtime can follow that.
    """
    repositories: dict[str, dict[str, str]] = {}
    for source, target in images:
        if source.registry == address:
            continue
        known_target = repositories.setdefault(source.registry, {}).setdefault(source.repository, target.repository)
        if known_target != target.repository:
            raise TargetError(
                tr(
                    "{name} is at the target both as {known_target} and as {repository}",
                    name=source.name,
                    known_target=known_target,
                    repository=target.repository,
                ),
                hint=tr("nodes go by the name alone: import both tags under one name, or leave --from out"),
            )
    return [
        MirroredRegistry(registry, dict(sorted(repositories[registry].items()))) for registry in sorted(repositories)
    ]


def replace_with(content: bytes) -> Callable[[bytes], bytes]:
    """A ``merge`` function for files that airgap owns: it ignores the existing content."""
    return lambda _: content


def _added_prefix(source: str, target: str) -> str | None:
    """What ``target`` has before ``source``; ``None`` if it does not end with ``source``."""
    if source == target:
        return ""
    return target[: -len(source) - 1] if target.endswith(f"/{source}") else None
