# SPDX-License-Identifier: Apache-2.0
"""A repository of Nexus, with a second look before a failure is reported.

HEAD of a manifest may return 404 or 500 where GET returns 200. With ALLOW_ONCE, two uploads of the same blob end with
201 and 400. A gateway may time out while a commit succeeds. Final errors are explained in Nexus's terms.
"""

from __future__ import annotations

from airgap.errors import AirgapError, ContentMissing, NotFound, RegistryError
from airgap.i18n import tr
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.registry import Repository
from airgap.registry.client import RegistryClient
from airgap.registry.http.errors import Transient
from airgap.store.protocols import Opener
from airgap.targets.nexus.refusals import RedeployForbidden, explain


class ServerBehavior:
    """What was observed of a server in this run; its repositories share it."""

    #: Whether HEAD finds tags; ``None`` before it was asked for a tag that exists.
    head_finds_tags: bool | None = None
    #: GET has found a tag, so that HEAD is worth a try.
    has_tags = False


class NexusRepository(Repository):
    """A repository for pushing. Thread-safe, like its base class."""

    def __init__(self, client: RegistryClient, name: str, behavior: ServerBehavior) -> None:
        super().__init__(client, name, push=True)
        self._behavior = behavior
        #: Tags that this run has pushed: HEAD must find them.
        self._pushed_tags: set[str] = set()

    def resolve(self, name: str) -> Descriptor:
        """Return the descriptor of a tag or digest.

        HEAD is smaller, but some servers answer it with 404 for tags that exist. So tags are asked for by GET until one
        was found or pushed, and HEAD counts once it has found one.
        """
        is_tag = bool(digests.problem(name))
        finds = self._behavior.head_finds_tags
        may_find = self._behavior.has_tags or name in self._pushed_tags
        if is_tag and (finds is False or (finds is None and not may_find)):
            descriptor = self.manifest(name).descriptor  # raises NotFound if the tag does not exist
            self._behavior.has_tags = True
            return descriptor
        try:
            descriptor = super().resolve(name)
        except NotFound:
            if finds or not is_tag:
                raise
            descriptor = self.manifest(name).descriptor  # raises NotFound if the tag does not exist
            self._behavior.head_finds_tags = False
            return descriptor
        if is_tag:
            self._behavior.head_finds_tags = True
        return descriptor

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the repository has the content. For a manifest, errors of HEAD are checked with GET."""
        if not manifests.is_manifest_type(descriptor.media_type):
            return super().exists(descriptor)
        response = self.client.request(
            "HEAD",
            self._content_path(descriptor),
            scopes=self._scopes,
            headers={"Accept": manifests.ACCEPT},
            ok=(200, 404, 405, 500, 501),
        )
        return response.status == 200 or (response.status != 404 and self._can_get(descriptor))

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        """Push a blob or a manifest. Raises errors explained by :func:`explain`."""
        if manifests.is_manifest_type(descriptor.media_type):
            super().push(descriptor, opener)  # calls push_manifest
            return
        try:
            super().push(descriptor, opener)
        except (RegistryError, RedeployForbidden) as error:
            explained = explain(error)
            # Another upload of this blob may have finished first, or a gateway hid the success of this one.
            may_exist = isinstance(explained, RedeployForbidden) or isinstance(error, Transient)
            if may_exist and self._has_blob(descriptor):
                return
            raise explained from error

    def push_manifest(self, descriptor: Descriptor, content: bytes, name: str) -> None:
        """Push a manifest under a tag or digest; one that exists already under this name is a success.

        Raises :class:`RedeployForbidden` if the tag has another digest and may not be moved.
        """
        is_tag = bool(digests.problem(name))
        try:
            super().push_manifest(descriptor, content, name)
            if is_tag:
                self._pushed_tags.add(name)
        except RedeployForbidden as error:
            if not is_tag:
                if self._can_get(descriptor):
                    return
                raise
            try:
                existing = self.resolve(name).digest
            except RegistryError:
                existing = ""
            if existing == descriptor.digest:
                return
            prefix = tr("the tag is there with {existing}, and ", existing=existing) if existing else ""
            raise RedeployForbidden(f"{prefix}{error.what}", where=f"{self}:{name}", hint=error.hint) from error

    def _can_get(self, descriptor: Descriptor) -> bool:
        try:
            self._manifest_content(descriptor)
        except (NotFound, ContentMissing):
            return False
        return True

    def _has_blob(self, descriptor: Descriptor) -> bool:
        try:
            return super().exists(descriptor)
        except AirgapError:
            return False
