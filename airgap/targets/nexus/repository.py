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

    #: HEAD of a tag has succeeded before, so that a 404 is trusted.
    head_finds_tags = False


class NexusRepository(Repository):
    """A repository for pushing. Thread-safe, like its base class."""

    def __init__(self, client: RegistryClient, name: str, behavior: ServerBehavior) -> None:
        super().__init__(client, name, push=True)
        self._behavior = behavior

    def resolve(self, name: str) -> Descriptor:
        """Return the descriptor of a tag or digest. A 404 to HEAD is checked with GET until HEAD has found a tag."""
        is_tag = bool(digests.problem(name))
        try:
            descriptor = super().resolve(name)
        except NotFound:
            if self._behavior.head_finds_tags or not is_tag:
                raise
            return self.manifest(name).descriptor  # raises NotFound if the tag does not exist
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
        try:
            super().push_manifest(descriptor, content, name)
        except RedeployForbidden as error:
            is_tag = bool(digests.problem(name))
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
