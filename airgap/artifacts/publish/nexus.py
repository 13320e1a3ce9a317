# SPDX-License-Identifier: Apache-2.0
"""A hosted repository of Nexus: uploads by REST (``components?repository=``), and its list of assets with checksums.

Search lags behind an upload by seconds. The list of assets does not, and has the checksums of many files in one
request; beyond a number of pages that would cost more, the remaining files are asked for by their own paths. After an
upload every file is asked for by its path as long as these are few requests, and a share of them beyond that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import quote

from airgap.artifacts.artifact import Artifact
from airgap.artifacts.format import Format
from airgap.artifacts.publish.nexus_removal import NexusFileRemover
from airgap.artifacts.publish.refusals import explained
from airgap.artifacts.put import descriptor_of, find_by_path, put_file
from airgap.artifacts.repository import ArtifactRepository
from airgap.artifacts.web import Address, Body, WebServer
from airgap.errors import AirgapError, NotFound
from airgap.oci import digest as digests
from airgap.registry.http.transport import Response
from airgap.store.protocols import Opener
from airgap.targets.nexus.rest import API, NexusRest, read_pages
from airgap.targets.nexus.settings import RepositorySettings
from airgap.targets.protocols import Finding
from airgap.transfer import Context

#: The list is read for so many files at least, and is given up after a page for each 10 of them, or so many pages.
_MIN_FOR_LIST = 4
_FILES_A_PAGE = 10
_MIN_PAGES = 20
#: Uploaded files that are asked for by their paths: so many, and beyond them one of so many.
_MIN_BY_PATH = 50
_SHARE_BY_PATH = 4
#: Bytes of a file up to which it is fetched to be hashed, where the list says its checksum too.
_MAX_FETCHED = 64 * 1024 * 1024


class NexusArtifacts:
    """The hosted repository ``settings`` of the Nexus behind ``rest``, for one format."""

    def __init__(self, rest: NexusRest, settings: RepositorySettings, artifact_format: Format) -> None:
        self._rest = rest
        self._settings = settings
        self._format = artifact_format
        self._publisher = artifact_format.publisher
        self._base = WebServer(rest.client, Address(rest.url, ""))
        self._files = WebServer(rest.client, Address(rest.url, f"/repository/{quote(settings.name, safe='')}"))

    def __str__(self) -> str:
        return str(self._files)

    @property
    def address(self) -> str:
        """The repository's address; that of apt names its only suite."""
        suite = self._settings.distribution
        return f"{self._files}/dists/{suite}" if suite else str(self._files)

    def check(self, artifacts: Sequence[Artifact] = ()) -> list[Finding]:
        """Find what keeps the repository from taking the format's uploads, and a quota that is exceeded."""
        from airgap.artifacts.publish.nexus_checks import check_repository

        findings = check_repository(self._rest, self._settings, self._publisher.nexus_format, self._format.realm)
        warning = self._format.warning(artifacts, self._settings) if self._format.warning is not None else None
        findings += [warning] if warning is not None else []
        if self._format.listed_path is not None and not any(finding.level == "problem" for finding in findings):
            findings += self._native.check(artifacts)
        return findings

    def find(self, artifacts: Sequence[Artifact], context: Context) -> Mapping[Artifact, str]:
        """Read the list of assets as far as that is cheaper, and ask for the other files by their paths."""
        listed_path = self._format.listed_path
        by_path = {(listed_path or self._publisher.path)(artifact): artifact for artifact in artifacts}
        found: dict[Artifact, str] = {}
        is_worth_it = len(artifacts) >= _MIN_FOR_LIST or any(artifact.size > _MAX_FETCHED for artifact in artifacts)
        # What the list calls otherwise than clients do is not missing because it is not in the list.
        listed: list[str] = []
        is_complete = is_worth_it and self._read_list(by_path, found, listed, context)
        if is_complete and listed_path is None:
            return found
        unknown = [artifact for artifact in by_path.values() if artifact not in found]
        if is_complete:
            # Nexus may list a version as its package writes it. A name that is nowhere in the list has none there.
            text = "\n".join(listed).casefold()
            unknown = [artifact for artifact in unknown if artifact.name.casefold() in text]
        return {**found, **self._find_by_path(unknown, context)}

    def find_uploaded(self, artifacts: Sequence[Artifact], context: Context) -> Mapping[Artifact, str]:
        """Fetch files by their paths, as clients do, and hash them: all of them if they are few, else a share that is
        spread over them. The list of assets has the checksums of the others; those that are large are there too."""
        small = [artifact for artifact in artifacts if artifact.size <= _MAX_FETCHED]
        step = 1 if len(small) <= _MIN_BY_PATH else min(_SHARE_BY_PATH, len(small) // _MIN_BY_PATH)
        fetched = dict.fromkeys(small[::step])
        others = [artifact for artifact in artifacts if artifact not in fetched]
        listed = self.find(others, context) if others else {}
        found = {artifact: digest for artifact, digest in listed.items() if self._is_readable(artifact)}
        return {**found, **self._find_by_path(list(fetched), context)}

    def _is_readable(self, artifact: Artifact) -> bool:
        """Whether a large file is under its path; small ones are fetched, or listed beside those that are."""
        has_path = self._format.listed_path is None
        return artifact.size <= _MAX_FETCHED or not has_path or self._files.exists(f"/{self._publisher.path(artifact)}")

    def _find_by_path(self, artifacts: Sequence[Artifact], context: Context) -> Mapping[Artifact, str]:
        """Ask as clients do, by an index where the path alone does not lead to the file."""
        if self._format.listed_path is not None:
            return self._native.find(artifacts, context) if artifacts else {}
        return find_by_path(self._files, artifacts, self._publisher.path, context)

    def _read_list(
        self, by_path: Mapping[str, Artifact], found: dict[Artifact, str], listed: list[str], context: Context
    ) -> bool:
        """Add what the list of assets says to ``found``, and its other paths to ``listed``; return whether it says
        everything about these paths."""
        pages_left, may_browse = max(_MIN_PAGES, len(by_path) // _FILES_A_PAGE), True

        def read_page(query: dict[str, str]) -> Any:
            nonlocal may_browse
            page = self._rest.get("assets", **query)
            may_browse = page is not None
            return page if may_browse else {"items": []}

        for items in read_pages(read_page, self._settings.name, what="assets"):
            context.cancel.check()
            for path, digest in map(_path_and_digest, items):
                if digest and path in by_path:
                    found[by_path[path]] = digest
                else:
                    listed.append(path)
            pages_left -= 1
            if len(found) == len(by_path):
                return True
            if pages_left <= 0:
                return False
        return may_browse

    def upload(self, artifact: Artifact, opener: Opener) -> None:
        """Send one file by REST, or in the format's own way where REST does not take it."""
        form, path = self._publisher.form(artifact), self._publisher.path(artifact)
        spec = self._spec if form is not None else None
        try:
            if spec is None and self._format.listed_path is not None:
                self._native.upload(artifact, opener)
                return
            if form is None or spec is None:
                put_file(self._files, artifact, f"/{path}", opener)
                return
            asset = f"{spec.prefix}.asset{'1' if spec.multiple else ''}"
            fields = {f"{spec.prefix}.{name}": value for name, value in form.component.items()}
            fields |= {f"{asset}.{name}": value for name, value in form.asset.items()}
            body = Body.form(fields, asset, artifact.file, descriptor_of(artifact), opener)
            try:
                self._rest.client.retry.run(f"POST {path}", lambda: self._post(body, artifact))
            except NotFound:
                # Uploads by REST may be switched off.
                if self._format.listed_path is None:
                    raise
                self._native.upload(artifact, opener)
        except AirgapError as error:
            raise explained(error, self._settings, artifact) from error

    def finish(self, artifacts: Sequence[Artifact]) -> None:
        """Do nothing: Nexus writes its indexes itself."""

    def check_index(self, artifacts: Sequence[Artifact], context: Context) -> list[Finding]:
        """Ask for the format's index, where Nexus may write it late."""
        check = self._format.index_check
        return check(self._files, self._settings, artifacts, context) if check is not None else []

    def url(self, artifact: Artifact) -> str:
        """Return the address of the file."""
        return self._files.url(f"/{self._publisher.path(artifact)}")

    def remover(self) -> NexusFileRemover:
        """Return what deletes files by the REST API."""
        return NexusFileRemover(self._rest, self._settings, self._format, str(self._files))

    def _post(self, body: Body, artifact: Artifact) -> None:
        query = f"?repository={quote(self._settings.name, safe='')}"
        response = self._base.send("POST", f"{API}/components", body, query=query)
        if response.status not in (200, 201, 204) and not self._arrived_before(response, artifact):
            raise response.error()

    def _arrived_before(self, response: Response, artifact: Artifact) -> bool:
        """Whether an earlier attempt, whose answer was lost, has put the file there."""
        if response.status != 400:
            return False
        found = self._find_by_path([artifact], Context())
        return found.get(artifact) == artifact.digest

    @cached_property
    def _native(self) -> ArtifactRepository:
        """The repository as the format's own clients speak to it."""
        return self._publisher.native(self._files)

    @cached_property
    def _spec(self) -> UploadSpec | None:
        """How this Nexus takes uploads of the format; ``None`` if not by REST."""
        specs = self._rest.get("formats/upload-specs")
        for spec in specs if isinstance(specs, list) else ():
            if isinstance(spec, dict) and spec.get("format") == self._publisher.nexus_format:
                return UploadSpec(str(spec["format"]), spec.get("multipleUpload") is True)
        return None


class UploadSpec:
    """An entry of ``formats/upload-specs``: the prefix of field names, and whether a request takes several files."""

    def __init__(self, prefix: str, multiple: bool) -> None:
        self.prefix = prefix
        self.multiple = multiple


def _path_and_digest(item: Any) -> tuple[str, str | None]:
    """The path and sha256 of an asset; an empty path and ``None`` for what the server does not give."""
    asset = item if isinstance(item, dict) else {}
    checksum = asset.get("checksum")
    sha256 = checksum.get("sha256") if isinstance(checksum, dict) else None
    digest = f"sha256:{sha256}"
    is_valid = isinstance(sha256, str) and not digests.problem(digest)
    return str(asset.get("path", "")).lstrip("/"), digest if is_valid else None
