# SPDX-License-Identifier: Apache-2.0
"""Split new references over the parts of their sites.

The registry's key gets the new registry, the name's key the path below it; tag and digest keep their keys. A name of
one word (``hub: gcr.io/istio``, ``image: proxyv2``) stays one word, because templates take a name with ``/`` for a
whole reference; the rest of the path then goes to the registry's key. Without a registry's key the name gets the
registry too. A key for an organisation gets the path between registry and name. A digest without a key follows the tag.
Sites that share a registry's key must need the same registry.
"""

from __future__ import annotations

from collections.abc import Sequence

from airgap.errors import InvalidReference, ResourceError
from airgap.i18n import tr
from airgap.kube import model
from airgap.kube.model import Site, SitePart
from airgap.oci import Reference
from airgap.records import Record

Pair = tuple[Site, str]


class Replacement(Record):
    """``text`` replaces ``part`` of ``site``."""

    site: Site
    part: SitePart
    text: str


def replacements(pairs: Sequence[Pair]) -> list[Replacement]:
    """Return the new texts of all parts that change.

    Raises ResourceError if sites need different texts for a part that they share.
    """
    part_replacements: list[Replacement] = []
    split_sites: list[tuple[Site, Reference]] = []
    for site, new in pairs:
        if site.parts[0].role == model.WHOLE:
            if new not in (site.text, site.value):
                part_replacements.append(Replacement(site, site.parts[0], new))
            continue
        try:
            split_sites.append((site, Reference.parse(new)))
        except InvalidReference as error:
            raise ResourceError(error.what, where=_where(site)) from error
    sites_by_registry: dict[tuple[int, int], list[tuple[Site, Reference]]] = {}
    for site, reference in split_sites:
        for part in _all_parts(site, model.REGISTRY):
            sites_by_registry.setdefault(part.span, []).append((site, reference))
    prefixes = {span: _registry_prefix(members) for span, members in sites_by_registry.items()}
    by_span: dict[tuple[int, int], Replacement] = {}
    for site, reference in split_sites:
        registry = _part(site, model.REGISTRY)
        prefix = prefixes[registry.span] if registry is not None else ()
        for replacement in _split_over_parts(site, reference, prefix):
            if replacement.text == replacement.part.value:
                replacement = Replacement(site, replacement.part, replacement.part.text)
            earlier = by_span.setdefault(replacement.part.span, replacement)
            if earlier.text != replacement.text:
                raise ResourceError(
                    tr(
                        "{value!r} belongs to several images, which need {first!r} and {second!r} here",
                        value=earlier.part.value,
                        first=earlier.text,
                        second=replacement.text,
                    ),
                    where=f"{site.file}:{replacement.part.line}",
                    hint=tr("write the images out under keys of their own, or choose another --mapping"),
                )
    part_replacements += [replacement for replacement in by_span.values() if replacement.text != replacement.part.text]
    return part_replacements


def _split_over_parts(site: Site, new: Reference, prefix: tuple[str, ...]) -> list[Replacement]:
    """The new text of each part of ``site``; ``prefix`` are the path segments of its registry's key."""
    name, registry = _part(site, model.NAME) or _part(site, model.INSERT), _part(site, model.REGISTRY)
    tag, digest = _part(site, model.TAG), _part(site, model.DIGEST)
    if name is None or new == site.reference:
        return [Replacement(site, part, part.text) for part in site.parts if part.role != model.INSERT]
    part_replacements: list[Replacement] = []
    segments = [new.registry, *new.repository.split("/")][len(prefix) :]
    for part in _all_parts(site, model.REGISTRY):
        slash = "/" if part.value.endswith("/") else ""
        part_replacements.append(Replacement(site, part, "/".join(prefix) + slash))
    if organisations := _all_parts(site, model.ORGANISATION):
        part_replacements += _organisation_replacements(site, new, organisations, segments[:-1])
        segments = segments[-1:]
    path = "/".join(segments)
    if registry is not None:
        path = ("/" if name.value.startswith("/") else "") + path
    digest_suffix = ""
    if digest is not None:
        if not new.digest:
            raise ResourceError(
                tr("{new} has no digest for the key that holds one", new=new), where=f"{site.file}:{digest.line}"
            )
        text = new.digest if ":" in digest.value else new.digest.partition(":")[2]
        part_replacements.append(Replacement(site, digest, text))
    elif new.digest:
        digest_suffix = f"@{new.digest}"
    if tag is not None:
        part_replacements.append(Replacement(site, tag, (new.tag or tag.value.partition("@")[0]) + digest_suffix))
    elif new.tag != site.reference.tag or "@" in name.value or ":" in name.value.rpartition("/")[2]:
        path += (f":{new.tag}" if new.tag else "") + digest_suffix
    else:
        path += digest_suffix
    part_replacements.append(Replacement(site, name, path))
    return part_replacements


def _organisation_replacements(
    site: Site, new: Reference, organisations: Sequence[SitePart], segments: Sequence[str]
) -> list[Replacement]:
    """Give the first key for an organisation the beginning of the path, and one segment to each after it."""
    count = len(organisations)
    if len(segments) < count:
        raise ResourceError(
            tr("{new} has no part for the key between registry and name", new=new),
            where=f"{site.file}:{organisations[0].line}",
            hint=tr("choose a target with a path before the name, or --mapping path"),
        )
    first = len(segments) - count + 1
    texts = ["/".join(segments[:first]), *segments[first:]]
    return [Replacement(site, part, text) for part, text in zip(organisations, texts, strict=True)]


def _registry_prefix(members: Sequence[tuple[Site, Reference]]) -> tuple[str, ...]:
    """The path segments of a shared registry: the registry alone, or for one-word names all before the last."""
    if all(
        "/" not in _name(site).strip("/").partition("@")[0] and _part(site, model.ORGANISATION) is None
        for site, _ in members
    ):
        paths = [(new.registry, *new.repository.split("/")[:-1]) for _, new in members]
        common = paths[0]
        for path in paths[1:]:
            length = next((index for index, (a, b) in enumerate(zip(common, path, strict=False)) if a != b), None)
            common = common[: min(len(common), len(path)) if length is None else length]
        if common:
            return common
    registries = {new.registry for _, new in members}
    if len(registries) > 1:
        site = members[0][0]
        raise ResourceError(
            tr(
                "the registry here belongs to several images, which would go to {registries}",
                registries=" and ".join(sorted(registries)),
            ),
            where=_where(site),
            hint=tr("write the images out under keys of their own"),
        )
    return (members[0][1].registry,)


def _name(site: Site) -> str:
    part = _part(site, model.NAME)
    return part.value if part is not None else ""


def _part(site: Site, role: str) -> SitePart | None:
    return next((part for part in site.parts if part.role == role), None)


def _all_parts(site: Site, role: str) -> list[SitePart]:
    return [part for part in site.parts if part.role == role]


def _where(site: Site) -> str:
    return f"{site.file}:{site.line}"
