# SPDX-License-Identifier: Apache-2.0
"""Sort the images that no value moves by what helm does with the documents that name them, and tell the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airgap.errors import Incomplete
from airgap.i18n import tr
from airgap.kube.model import Site
from airgap.kube.render import trace
from airgap.kube.render.origins import Origin, origins_by_document
from airgap.kube.rewrite.rendering import rewrite_rendering
from airgap.oci import Reference
from airgap.records import Record


class UnmovedImages(Record):
    """The places of a chart's rendering whose image is not at the target.

    ``templates`` are handed to a post-renderer by every helm, ``hooks`` by helm 4 alone, ``crd_files`` by none.
    ``origins`` are those of the rendering's documents.
    """

    templates: tuple[Site, ...]
    hooks: tuple[Site, ...]
    crd_files: tuple[Site, ...]
    origins: Mapping[int, Origin]


def sort_unmoved(content: bytes, sites: Sequence[Site], label: str) -> UnmovedImages:
    """Sort ``sites`` of the rendering ``content``. ``label`` is its name in messages."""
    origins = origins_by_document(content, label) if sites else {}
    hooks = [site for site in sites if _origin(origins, site).hooks]
    crd_files = [site for site in sites if _origin(origins, site).is_crd_file]
    templates = [site for site in sites if site not in hooks and site not in crd_files]
    return UnmovedImages(tuple(templates), tuple(hooks), tuple(crd_files), origins)


def left_by_post_renderer(
    content: bytes, sites: Sequence[Site], targets: Mapping[Reference, Reference], label: str
) -> list[Site]:
    """Return those of ``sites`` that a post-renderer with ``targets`` does not move in ``content``, by running it."""
    after = trace.sites_by_key(rewrite_rendering(content, targets, label), label)
    at_target = set(targets.values())
    return [
        site
        for key, site in trace.sites_by_key(content, label).items()
        if site in sites
        and (key not in after or after[key].reference not in at_target or not trace.keeps_parts(site, after[key]))
    ]


def unmoved_errors(sites: Sequence[Site], origins: Mapping[int, Origin], why: str, hint: str) -> tuple[Incomplete, ...]:
    """Return an error for each site. It names the template, if the document has one. The last error has the hint."""
    errors = []
    for number, site in enumerate(sites, 1):
        template = _origin(origins, site).template
        chart_path = f"{template}, {site.path}" if template else site.path
        errors.append(
            Incomplete(
                tr("{reference} stays ({chart_path}): {why}", reference=site.reference, chart_path=chart_path, why=why),
                where=f"{site.file}:{site.line}",
                hint=hint if number == len(sites) else None,
            )
        )
    return tuple(errors)


def hook_warnings(unmoved: UnmovedImages, *, with_post_renderer: bool) -> tuple[str, ...]:
    """Return a warning for each image and template of a hook."""
    warnings = []
    for site in unmoved.hooks:
        origin = _origin(unmoved.origins, site)
        image, template, events = site.reference, origin.template, ", ".join(sorted(origin.hooks))
        if with_post_renderer and origin.is_test:
            warning = tr(
                "{image} stays in the test {template}: no value moves it, and helm 3 hands no hook to a post-renderer "
                "(helm 4 does); --no-tests leaves tests out",
                image=image,
                template=template,
            )
        elif with_post_renderer:
            warning = tr(
                "{image} stays in the hook {template} ({events}): no value moves it, and helm 3 hands no hook to a "
                "post-renderer (helm 4 does)",
                image=image,
                template=template,
                events=events,
            )
        elif origin.is_test:
            warning = tr(
                "{image} stays in the test {template}: no value moves it; --no-tests leaves tests out",
                image=image,
                template=template,
            )
        else:
            warning = tr(
                "{image} stays in the hook {template} ({events}): no value of the chart moves it",
                image=image,
                template=template,
                events=events,
            )
        warnings.append(warning)
    return tuple(dict.fromkeys(warnings))


def crd_warnings(unmoved: UnmovedImages, command: str) -> tuple[str, ...]:
    """Return a warning for each image in a folder ``crds``. ``command`` installs those CRDs with their images moved."""
    warnings = [
        tr(
            "{image} stays in {template}: helm installs crds/ as it is; before that: {command}",
            image=site.reference,
            template=_origin(unmoved.origins, site).template,
            command=command,
        )
        for site in unmoved.crd_files
    ]
    return tuple(dict.fromkeys(warnings))


def _origin(origins: Mapping[int, Origin], site: Site) -> Origin:
    return origins.get(site.document, Origin())
