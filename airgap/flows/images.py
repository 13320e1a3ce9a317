# SPDX-License-Identifier: Apache-2.0
"""``airgap images``: which images do these resource files name, and where."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from airgap import kube
from airgap.errors import AirgapError, ResourceError, UsageError, raise_all
from airgap.kube.model import PLACEHOLDER, POSSIBLE
from airgap.kube.render import inputs as renderings
from airgap.kube.render import unrendered as templates
from airgap.kube.render.programs import Rendering
from airgap.oci import Reference
from airgap.records import Record

#: In a line of its own, or inside braces; not in a comment.
_SECRET = re.compile(
    rb"""^(?![ \t]*\#)(?:.*[{,])?[ \t-]*["']?kind["']?[ \t]*:[ \t]*["']?Secret(?:List)?["']?(?=[ \t,}\r\n]|\Z)""",
    re.MULTILINE,
)


class Found(Record):
    """Each file with its scan, and the images that were named without a file."""

    files: tuple[tuple[kube.ResourceFile, kube.Scan], ...]
    extra: tuple[Reference, ...] = ()
    #: The folders that something else would render, met inside of one that was given.
    passed_by: tuple[str, ...] = ()

    @property
    def sites(self) -> list[kube.Site]:
        return [site for _, scan in self.files for site in scan.sites]

    @property
    def misses(self) -> list[kube.NearMiss]:
        return [miss for _, scan in self.files for miss in scan.misses]

    def warnings(self) -> list[str]:
        """What to warn of: fields for an image that a template or a script has still to fill, and folders that were
        read as they lie though a program renders them."""
        return [*templates.unrendered_warnings(self.passed_by), *self._unfilled()]

    def _unfilled(self) -> list[str]:
        return [
            f"{miss.file}:{miss.line}: {miss.text!r} is a placeholder, so this image is neither carried nor rewritten"
            for miss in self.misses
            if miss.reason == PLACEHOLDER and miss.path.endswith(".image")
        ]

    def references(self) -> dict[Reference, list[kube.Site]]:
        """Every image once, sorted, with its sites; an image named by hand may have none."""
        found: dict[Reference, list[kube.Site]] = {reference: [] for reference in self.extra}
        for site in self.sites:
            found.setdefault(site.reference, []).append(site)
        return dict(sorted(found.items(), key=lambda item: str(item[0])))

    def guesses(self) -> set[Reference]:
        """The images that only look like ones at every site."""
        return {
            reference
            for reference, sites in self.references().items()
            if sites and all(site.confidence == POSSIBLE for site in sites)
        }


def find(
    paths: Sequence[str],
    *,
    images: Sequence[Reference] = (),
    stdin: Callable[[], bytes] | None = None,
    download: Callable[[str], bytes] | None = None,
    rendering: Rendering | None = None,
    pull: renderings.PullOptions = renderings.no_pull_options,
    rules: kube.CustomRules = kube.NO_CUSTOM_RULES,
) -> Found:
    """Read and scan. Every unreadable file is reported, not just the first. ``download`` fetches addresses;
    charts and kustomizations are rendered as ``rendering`` says, and ``pull`` gives helm's options for a registry;
    ``rules`` are those of airgap.yaml.

    Raises :class:`ResourceError`, also when nothing names an image at all, and :class:`UsageError` for no path.
    """
    if not paths and not images:
        raise UsageError(
            "what should be read?", hint="give a PATH or - for standard input, or resources: in airgap.yaml"
        )
    files = []
    errors: list[AirgapError] = []
    made, paths = renderings.rendered(paths, rendering or Rendering(), pull)
    given = [*_local(paths, stdin, download), *_remote(paths, download)]
    for file in [*given, *renderings.with_unique_names(made, {file.name for file in given})]:
        try:
            files.append((file, kube.scan(file.content, file.path, rules)))
        except ResourceError as error:
            errors.append(templates.explain_template_error(error, file))
    raise_all(errors)
    found = Found(tuple(files), tuple(images), templates.unrendered_folders(paths, (file.path for file, _ in files)))
    if not found.references():
        read = ", ".join([*map(_shown, paths), *(file.path for file in made)]) or "nothing was given"
        raise ResourceError(
            f"no image is named in what was read ({read})",
            hint=templates.render_hint(read_file for read_file, _ in found.files)
            or "give Kubernetes YAML or JSON, a folder of it, or - for standard input",
        )
    return found


def secrets(found: Found) -> list[str]:
    """``file:line`` of every Secret object, since resource files travel in the bundle."""
    places = []
    for file, _ in found.files:
        for match in _SECRET.finditer(file.content):
            line = file.content.count(b"\n", 0, match.start()) + 1
            places.append(f"{file.path}:{line}")
    return places


def _local(
    paths: Sequence[str], stdin: Callable[[], bytes] | None, download: Callable[[str], bytes] | None
) -> list[kube.ResourceFile]:
    if download is None and any(_is_address(path) for path in paths):
        raise ResourceError(
            "an address can only be given to airgap export", hint="download the file, then give its path"
        )
    return kube.load([path for path in paths if not _is_address(path)], stdin)


def _remote(paths: Sequence[str], download: Callable[[str], bytes] | None) -> list[kube.ResourceFile]:
    files = []
    for number, url in enumerate((path for path in paths if _is_address(path)), 1):
        assert download is not None
        name = re.sub(r"[^A-Za-z0-9._-]", "_", urlsplit(url).path.rpartition("/")[2]).lstrip(".") or "download.yaml"
        # An address may hold a password or a token, and a file's path is shown.
        files.append(kube.ResourceFile(f"downloaded-{number}/{name}", _shown(url), download(url)))
    return files


def _shown(path: str) -> str:
    if not _is_address(path):
        return path
    from airgap.registry.http.errors import public_url

    return public_url(path)


def _is_address(path: str) -> bool:
    return path.startswith(("http://", "https://"))
