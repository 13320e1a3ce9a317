# SPDX-License-Identifier: Apache-2.0
"""The folder ``releases/``: what is remembered of each release, so that a later one can build on it.

``NAME-VERSION.json`` is the ``bundle.json`` of its full bundle, ``NAME-VERSION.lock`` what its references resolved to,
``NAME-VERSION.packages.json`` the packages in its images. The bundles themselves are not needed any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from airgap.bundle.documents import Document, read_document
from airgap.bundle.inventory import Inventory
from airgap.durable import missing_file, replace_file, writing
from airgap.errors import BundleError, UsageError
from airgap.i18n import tr
from airgap.records import Record
from airgap.release.document import DOCUMENT_NAME, SiteRelease, read_release
from airgap.release.versions import version_key

#: The ending of a file of package lists.
PACKAGES_SUFFIX = ".packages.json"


class PastRelease(Record):
    """A release that another one is compared with or builds on. ``path`` is a bundle or its ``bundle.json``."""

    site: SiteRelease
    document: Document

    @property
    def path(self) -> Path:
        """The file that ``document`` was read from."""
        return Path(self.document.path)

    @property
    def title(self) -> str:
        """The name and version, for people."""
        content = self.document.content
        return f"{content.name} {self.site.version}" if isinstance(content, Inventory) else self.site.version


class RememberedReleases(Record):
    """The releases of the project ``name`` in ``folder``, which need not exist."""

    folder: Path
    name: str

    def bundle_json(self, version: str) -> Path:
        """The file of the full bundle's ``bundle.json``."""
        return self._file(version, ".json")

    def lock(self, version: str) -> Path:
        """The file of the lock."""
        return self._file(version, ".lock")

    def packages(self, version: str) -> Path:
        """The file of the package lists."""
        return self._file(version, PACKAGES_SUFFIX)

    def before(self, version: str, count: int) -> list[PastRelease]:
        """Return the last ``count`` releases before ``version``, the newest first. Raises what reading them raises."""
        found: list[PastRelease] = []
        earlier = [known for known in self._versions() if version_key(known) < version_key(version)]
        for known in sorted(earlier, key=version_key, reverse=True):
            if len(found) == count:
                break
            document = read_document(self.bundle_json(known))
            # Of my-platform and my-platform-extra, the files of the second have the prefix of the first.
            if isinstance(document.content, Inventory) and document.content.name == self.name:
                found.append(_past_release(document))
        return found

    def find(self, release: str) -> PastRelease:
        """Return the release that ``release`` names: a version that is remembered, the folder of a release, a bundle or
        a ``bundle.json``. Raises :class:`UsageError`, and what reading it raises."""
        path = Path(release)
        if "/" not in release and self.bundle_json(release).is_file():
            path = self.bundle_json(release)
        elif (path / DOCUMENT_NAME).is_file():
            path = path / read_release(path).full.files[0]
        elif not path.exists():
            versions = sorted(self._versions(), key=version_key)
            raise missing_file(
                release,
                hint=tr("releases in {folder}: {versions}", folder=self.folder, versions=", ".join(versions))
                if versions
                else tr("{folder} remembers no release yet; a bundle or its bundle.json will do", folder=self.folder),
            )
        return _past_release(read_document(path))

    def write(self, path: Path, content: bytes) -> None:
        """Write one of the files, whole. Raises :class:`airgap.errors.OutputError`."""
        with writing(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(path, content)

    def _file(self, version: str, suffix: str) -> Path:
        return self.folder / f"{self.name}-{version}{suffix}"

    def _versions(self) -> Iterator[str]:
        prefix = f"{self.name}-"
        for path in self.folder.glob("*.json"):
            if path.name.startswith(prefix) and not path.name.endswith(PACKAGES_SUFFIX) and path.is_file():
                yield path.name.removeprefix(prefix).removesuffix(".json")


def newest_first(releases: Sequence[PastRelease]) -> list[PastRelease]:
    """Return releases in the order of their versions, the newest first."""
    return sorted(releases, key=lambda one: version_key(one.site.version), reverse=True)


def check_bases(bases: Sequence[PastRelease], version: str) -> None:
    """Raise :class:`UsageError` where a release cannot have a differential bundle for each of ``bases``."""
    seen: set[str] = set()
    for base in bases:
        if base.site.version == version:
            raise UsageError(
                tr("a release does not build on itself"),
                where=str(base.path),
                hint=tr("give another VERSION, or another --since"),
            )
        if base.site.version in seen:
            raise UsageError(
                tr("two of the releases to build on are called {version}", version=base.site.version),
                where=str(base.path),
                hint=tr("name each version once with --since"),
            )
        seen.add(base.site.version)


def _past_release(document: Document) -> PastRelease:
    content = document.content
    if not isinstance(content, Inventory) or not content.version or not document.exact:
        raise UsageError(
            tr("this does not say which release it is"),
            where=document.path,
            hint=tr("give a version of releases/, the folder of a release, or its full bundle"),
        )
    if content.requires:
        raise BundleError(
            tr("this is a differential bundle, and a release builds on full ones"),
            where=document.path,
            hint=tr("give the full bundle of that release, or its bundle.json"),
        )
    return PastRelease(SiteRelease(content.version, document.id), document)
