# SPDX-License-Identifier: Apache-2.0
"""A repository of Nexus: what is there is looked at twice before a failure is believed.

HEAD of a manifest may say 404 or 500 where GET says 200; two uploads of one blob under ALLOW_ONCE end in 201 and 400;
a gateway may give up on a commit that succeeds. Whatever is final is said in Nexus's terms.
"""

from __future__ import annotations

from airgap.errors import AirgapError, ContentMissing, NotFound, RegistryError
from airgap.oci import Descriptor
from airgap.oci import digest as digests
from airgap.oci import manifest as manifests
from airgap.registry import Repository
from airgap.registry.client import RegistryClient
from airgap.registry.http.errors import Transient
from airgap.store.protocols import Opener
from airgap.targets.nexus.refusals import Fixed, explained


class Quirks:
    """What one run has seen of a server; shared by its repositories."""

    #: Whether HEAD of a tag has ever found one, so that its 404 can be believed.
    head_finds_tags = False


class NexusRepository(Repository):
    """Thread-safe, as its base is."""

    def __init__(self, client: RegistryClient, name: str, quirks: Quirks) -> None:
        super().__init__(client, name, push=True)
        self._quirks = quirks

    def resolve(self, name: str) -> Descriptor:
        try:
            found = super().resolve(name)
        except NotFound:
            if self._quirks.head_finds_tags or not digests.problem(name):
                raise
            return self.manifest(name).descriptor  # raises NotFound where it is true
        if digests.problem(name):
            self._quirks.head_finds_tags = True
        return found

    def exists(self, descriptor: Descriptor) -> bool:
        if not manifests.is_manifest_type(descriptor.media_type):
            return super().exists(descriptor)
        response = self.client.request(
            "HEAD",
            self._content_path(descriptor),
            scopes=self._scopes,
            headers={"Accept": manifests.ACCEPT},
            ok=(200, 404, 405, 500, 501),
        )
        return response.status == 200 or (response.status != 404 and self._can_be_got(descriptor))

    def push(self, descriptor: Descriptor, opener: Opener) -> None:
        if manifests.is_manifest_type(descriptor.media_type):
            super().push(descriptor, opener)  # by push_manifest below
            return
        try:
            super().push(descriptor, opener)
        except (RegistryError, Fixed) as error:
            final = explained(error)
            # Somebody else's upload of the same blob may have been faster, or a gateway hid that this one succeeded.
            if (isinstance(final, Fixed) or isinstance(error, Transient)) and self._is_there(descriptor):
                return
            raise final from error

    def push_manifest(self, descriptor: Descriptor, content: bytes, name: str) -> None:
        try:
            super().push_manifest(descriptor, content, name)
        except Fixed as error:
            if not digests.problem(name):
                if self._can_be_got(descriptor):
                    return  # the same bytes are there under this digest, which is all that was wanted
                raise
            try:
                found = self.resolve(name).digest
            except RegistryError:
                found = ""
            if found == descriptor.digest:
                return
            there = f"the tag is there with {found}, and " if found else ""
            raise Fixed(f"{there}{error.what}", where=f"{self}:{name}", hint=error.hint) from error

    def _can_be_got(self, descriptor: Descriptor) -> bool:
        try:
            self._manifest_content(descriptor)
        except (NotFound, ContentMissing):
            return False
        return True

    def _is_there(self, descriptor: Descriptor) -> bool:
        try:
            return super().exists(descriptor)
        except AirgapError:
            return False
