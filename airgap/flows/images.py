# SPDX-License-Identifier: Apache-2.0
"""``airgap images``: which images resource files name, and where. Export and rewrite start with the same search."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from airgap import kube
from airgap.errors import AirgapError, ResourceError, UsageError, raise_all
from airgap.i18n import tr
from airgap.kube.model import PLACEHOLDER, POSSIBLE
from airgap.kube.render import inputs, unrendered
from airgap.kube.render.programs import Rendering
from airgap.oci import Reference
from airgap.records import Record


class FoundImages(Record):
    """Each resource file with its scan, and the images that were given without a file."""

    files: tuple[tuple[kube.ResourceFile, kube.Scan], ...]
    extra: tuple[Reference, ...] = ()
    #: Charts and kustomizations inside a given folder, whose files were read without rendering them.
    unrendered_folders: tuple[str, ...] = ()

    @property
    def sites(self) -> list[kube.Site]:
        """The places that name an image, in the order of the files."""
        return [site for _, scan in self.files for site in scan.sites]

    @property
    def misses(self) -> list[kube.NearMiss]:
        """The places that look like an image and were not taken, each with the reason."""
        return [miss for _, scan in self.files for miss in scan.misses]

    def warnings(self) -> list[str]:
        """Return warnings about unrendered folders and about image fields with an unfilled placeholder."""
        placeholders = [
            tr(
                "{file}:{line}: {text!r} is a placeholder, so this image is neither carried nor rewritten",
                file=miss.file,
                line=miss.line,
                text=miss.text,
            )
            for miss in self.misses
            if miss.reason == PLACEHOLDER and miss.path.endswith(".image")
        ]
        return [*unrendered.unrendered_warnings(self.unrendered_folders), *placeholders]

    def references(self) -> dict[Reference, list[kube.Site]]:
        """Return each image once, sorted, with its sites; an image given without a file may have none."""
        sites_by_image: dict[Reference, list[kube.Site]] = {reference: [] for reference in self.extra}
        for site in self.sites:
            sites_by_image.setdefault(site.reference, []).append(site)
        return dict(sorted(sites_by_image.items(), key=lambda item: str(item[0])))

    def guesses(self) -> set[Reference]:
        """Return the images for which the scan is unsure at every site."""
        return {
            reference
            for reference, sites in self.references().items()
            if sites and all(site.confidence == POSSIBLE for site in sites)
        }


def find_images(
    paths: Sequence[str],
    *,
    images: Sequence[Reference] = (),
    stdin: Callable[[], bytes] | None = None,
    download: Callable[[str], bytes] | None = None,
    rendering: Rendering | None = None,
    pull: inputs.PullOptions = inputs.no_pull_options,
    rules: kube.CustomRules = kube.NO_CUSTOM_RULES,
) -> FoundImages:
    """Read and scan the resource files at ``paths``, and add ``images``.

    ``stdin`` reads the path ``-`` and ``download`` fetches an ``http(s)://`` address; without them these are refused.
    Charts and kustomizations are rendered with ``rendering``; ``pull`` returns helm's options for a registry.
    ``rules`` are those of airgap.yaml.

    Raises :class:`UsageError` if there is nothing to read, and :class:`ResourceError` for all files that cannot be read
    and if no image is named.
    """
    if not paths and not images:
        raise UsageError(
            tr("what should be read?"), hint=tr("give a PATH or - for standard input, or resources: in airgap.yaml")
        )
    rendered_files, paths = inputs.rendered(paths, rendering or Rendering(), pull)
    read_files = [*_local_files(paths, stdin, download), *_downloaded_files(paths, download)]
    files = []
    errors: list[AirgapError] = []
    for file in [*read_files, *inputs.with_unique_names(rendered_files, {file.name for file in read_files})]:
        try:
            files.append((file, kube.scan(file.content, file.path, rules)))
        except ResourceError as error:
            errors.append(unrendered.explain_template_error(error, file))
    raise_all(errors)
    folders = unrendered.unrendered_folders(paths, (file.path for file, _ in files))
    found_images = FoundImages(tuple(files), tuple(images), folders)
    if not found_images.references():
        names = ", ".join([*map(_without_secrets, paths), *(file.path for file in rendered_files)])
        raise ResourceError(
            tr("no image is named in what was read ({names})", names=names or tr("nothing was given")),
            hint=unrendered.render_hint(resource for resource, _ in files)
            or tr("give Kubernetes YAML or JSON, a folder of it, or - for standard input"),
        )
    return found_images


def _local_files(
    paths: Sequence[str], stdin: Callable[[], bytes] | None, download: Callable[[str], bytes] | None
) -> list[kube.ResourceFile]:
    if download is None and any(_is_address(path) for path in paths):
        raise ResourceError(
            tr("an address can only be given to airgap export"), hint=tr("download the file, then give its path")
        )
    return kube.load([path for path in paths if not _is_address(path)], stdin)


def _downloaded_files(paths: Sequence[str], download: Callable[[str], bytes] | None) -> list[kube.ResourceFile]:
    files = []
    for number, url in enumerate((path for path in paths if _is_address(path)), 1):
        assert download is not None
        name = re.sub(r"[^A-Za-z0-9._-]", "_", urlsplit(url).path.rpartition("/")[2]).lstrip(".") or "download.yaml"
        files.append(kube.ResourceFile(f"downloaded-{number}/{name}", _without_secrets(url), download(url)))
    return files


def _without_secrets(path: str) -> str:
    """``path`` for messages: an address may contain a password or a token."""
    if not _is_address(path):
        return path
    from airgap.registry.http.errors import public_url

    return public_url(path)


def _is_address(path: str) -> bool:
    return path.startswith(("http://", "https://"))
