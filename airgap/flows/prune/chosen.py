# SPDX-License-Identifier: Apache-2.0
"""What goes of one repository with the tags that were chosen: signatures, and the manifests that only these lead to."""

from __future__ import annotations

from collections.abc import Callable, Collection

from airgap.flows.prune.brought import Brought
from airgap.flows.prune.contents import RepositoryContents
from airgap.flows.prune.kept import Kept
from airgap.oci import digest as digests
from airgap.oci.signature_tags import subject_digest
from airgap.records import Record, field

Referrers = Callable[[str, Collection[str]], Collection[str]]
"""``referrers(repository, digests)`` returns the digests of the manifests whose subject is one of ``digests``."""


def no_referrers(repository: str, digests: Collection[str]) -> Collection[str]:
    """Ask nobody: the target removes by itself what no tag leads to."""
    return ()


class Selection(Record, frozen=False):
    """What goes of one repository. ``chosen`` are tags of images, and digests of images that have lost their tag;
    ``companions`` are tags of what belongs to them, and ``going`` the digests that nothing else leads to."""

    contents: RepositoryContents
    chosen: set[str] = field(default_factory=set)
    companions: set[str] = field(default_factory=set)
    going: set[str] = field(default_factory=set)

    @property
    def staying_tags(self) -> dict[str, str]:
        """The digests of the tags that stay."""
        gone = self.chosen | self.companions
        return {tag: digest for tag, digest in self.contents.tags.items() if tag not in gone}

    def digest_of(self, name: str) -> str:
        """The digest of a tag; a digest is itself."""
        return name if digests.is_digest(name) else self.contents.tags[name]

    def blobs_staying(self) -> dict[str, int]:
        """The sizes of what stays, by digest: blobs, and manifests."""
        return sizes_of(self.contents, self.contents.manifests.keys() - self.going)


def sizes_of(contents: RepositoryContents, digests: Collection[str]) -> dict[str, int]:
    """Return the sizes of these manifests and their blobs, by digest."""
    sizes: dict[str, int] = {}
    for digest in digests:
        if links := contents.manifests.get(digest):
            sizes[digest] = links.size
            sizes.update(links.blobs)
    return sizes


def follow(selection: Selection, repository: str, brought: Brought, kept: Kept, referrers: Referrers) -> None:
    """Find what goes with the chosen tags: tags of signatures, referrers, and what only these lead to.

    It begins with the least and grows, so that what stays is never taken for what goes.
    """
    contents, tags = selection.contents, selection.contents.tags
    selection.companions, selection.going = set(), set()
    subjects = {
        tag: subject
        for tag in tags.keys() - selection.chosen
        if (subject := subject_digest(tag)) and (repository, tag) not in kept.tags
    }
    others = {tags[tag] for tag in tags.keys() - selection.chosen - subjects.keys()}
    stays = contents.closure({*others, *(contents.untagged - selection.chosen), *kept.digests.get(repository, ())})
    # Signatures that an earlier run has not come to: their image is gone, and airgap had brought it.
    orphaned = brought.digests.get(repository, set()) - contents.manifests.keys() - kept.digests.get(repository, set())
    asked: set[str] = set()
    attached: set[str] = set()
    while True:
        companions = {tag for tag, subject in subjects.items() if subject in selection.going | orphaned}
        needed = stays | contents.closure(tags[tag] for tag in subjects.keys() - companions)
        roots = {selection.digest_of(name) for name in selection.chosen | companions}
        going = (contents.closure(roots) | attached) - needed
        if (companions, going) == (selection.companions, selection.going) and going <= asked:
            return
        selection.companions, selection.going = companions, going
        attached |= set(referrers(repository, sorted(going - asked)))
        asked |= going
