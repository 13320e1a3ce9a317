# SPDX-License-Identifier: Apache-2.0
"""``airgap images``: which images resource files name, and where. Export and rewrite start with the same search."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from airgap import kube
from airgap.errors import AirgapError, ResourceError, UsageError, raise_all
from airgap.events import Noted, Sink, Warned
from airgap.flows.steps.downloads import downloaded_files, is_address, without_secrets
from airgap.flows.steps.own_files import OwnFiles
from airgap.i18n import tr
from airgap.kube.cluster import ClusterScope, read_cluster
from airgap.kube.model import POSSIBLE
from airgap.kube.render import inputs, unrendered
from airgap.kube.render.programs import Rendering
from airgap.kube.walk.reader import DEFAULT_WALK, ReadFiles, WalkOptions, read
from airgap.kube.walk.skipped import SkippedFile, skip_error
from airgap.kube.walk.unfilled import unfilled_warnings
from airgap.oci import Reference
from airgap.records import Record, field


class FoundImages(Record):
    """Each resource file with its scan, and the images that were given without a file."""

    files: tuple[tuple[kube.ResourceFile, kube.Scan], ...]
    extra: tuple[Reference, ...] = ()
    #: Charts and kustomizations inside a given folder, whose files were read without rendering them.
    unrendered_folders: tuple[str, ...] = ()
    #: What was skipped and what was left out while the files were read.
    read: ReadFiles = field(default_factory=ReadFiles)

    @property
    def sites(self) -> list[kube.Site]:
        """The places that name an image, in the order of the files."""
        return [site for _, scan in self.files for site in scan.sites]

    @property
    def misses(self) -> list[kube.NearMiss]:
        """The places that look like an image and were not taken, each with the reason."""
        return [miss for _, scan in self.files for miss in scan.misses]

    @property
    def skipped(self) -> list[SkippedFile]:
        """The files of a walk that could not be read."""
        return self.read.skipped

    def warnings(self) -> list[str]:
        """Return warnings about skipped files, unrendered folders and image fields that hold no reference."""
        skipped_charts = {item.detail for item in self.skipped}
        folders = [folder for folder in self.unrendered_folders if os.path.normpath(folder) not in skipped_charts]
        return [*self.read.warnings(), *unrendered.unrendered_warnings(folders), *unfilled_warnings(self.misses)]

    def emit_messages(self, emit: Sink) -> None:
        """Emit what to tell the user before images are resolved or rewritten: all warnings, then notes."""
        for event in (*map(Warned, self.warnings()), *map(Noted, self.read.notes())):
            emit(event)

    def incomplete(self, *, strict: bool) -> AirgapError | None:
        """Return the error for the files that were skipped: with ``strict`` it names each of them."""
        return skip_error(self.skipped, strict=strict)

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
    project_file: str = "",
    walking: WalkOptions = DEFAULT_WALK,
    cluster: ClusterScope | None = None,
) -> FoundImages:
    """Read and scan the resource files at ``paths``, and add ``images``.

    ``stdin`` reads the path ``-`` and ``download`` fetches an ``http(s)://`` address; without them these are refused.
    Charts and kustomizations are rendered with ``rendering``; ``pull`` returns helm's options for a registry.
    ``rules`` are those of airgap.yaml, and ``project_file`` is its path. ``walking`` says how folders are read, where
    airgap's own files are skipped. ``cluster`` is read instead of paths.

    Raises :class:`UsageError` if there is nothing to read, and :class:`ResourceError` for all named files that cannot
    be read and if no image is named. Unreadable files inside of folders are in the result.
    """
    if not paths and not images and cluster is None:
        raise UsageError(
            tr("what should be read?"), hint=tr("give a PATH or - for standard input, or resources: in airgap.yaml")
        )
    if download is None and any(is_address(path) for path in paths):
        raise ResourceError(
            tr("an address can only be given to airgap export"), hint=tr("download the file, then give its path")
        )
    local_paths = [path for path in paths if not is_address(path)]
    if cluster is not None:
        result = read_cluster(cluster, rules)
    else:
        downloaded = downloaded_files(paths, download)
        result = read(
            local_paths, stdin, more=downloaded, rendering=rendering or Rendering(), pull=pull, rules=rules,
            options=walking, is_own=OwnFiles(project_file).is_own,
        )  # fmt: skip
    files = result.files
    folders = unrendered.unrendered_folders(local_paths, (file.path for file, _ in files))
    found_images = FoundImages(tuple(files), tuple(images), folders, result)
    if not found_images.references():
        names = ", ".join(map(without_secrets, paths)) or (tr("the cluster") if cluster else tr("nothing was given"))
        nothing = ResourceError(
            tr("no image is named in what was read ({names})", names=names),
            hint=unrendered.render_hint(resource for resource, _ in files)
            or tr("give Kubernetes YAML or JSON, a folder of it, or - for standard input"),
        )
        raise_all([nothing, *map(ResourceError, result.warnings())])
    return found_images
