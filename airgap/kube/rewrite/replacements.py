# SPDX-License-Identifier: Apache-2.0
"""Which part of a site gets which text, so that all of them together say the new reference.

The registry's key gets the new registry, the name's key the path below it, tag and digest go where they stood. Where
the name was a single word (``hub: gcr.io/istio``, ``image: proxyv2``) it stays one and the rest of the path goes to the
registry, since templates take a name with ``/`` for a whole reference. Without a registry's key the name gets it all.
A digest that has no key of its own is written behind the tag. A registry that several sites share must become the
same for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from airgap.errors import InvalidReference, ResourceError
from airgap.kube import model
from airgap.kube.model import Site, SitePart
from airgap.oci import Reference
from airgap.records import Record

Pair = tuple[Site, str]


class Replacement(Record):
    """``text`` in place of ``part``; ``site`` is for what is said of it."""

    site: Site
    part: SitePart
    text: str


def replacements(pairs: Sequence[Pair]) -> list[Replacement]:
    """What to write where; parts that stay are left out. Raises ResourceError for sites that cannot agree."""
    found: list[Replacement] = []
    split: list[tuple[Site, Reference]] = []
    for site, new in pairs:
        if site.parts[0].role == model.WHOLE:
            if new not in (site.text, site.value):
                found.append(Replacement(site, site.parts[0], new))
            continue
        try:
            split.append((site, Reference.parse(new)))
        except InvalidReference as error:
            raise ResourceError(error.what, where=_where(site)) from error
    shared: dict[tuple[int, int], list[tuple[Site, Reference]]] = {}
    for site, reference in split:
        if (part := _part(site, model.REGISTRY)) is not None:
            shared.setdefault(part.span, []).append((site, reference))
    prefixes = {span: _prefix(members) for span, members in shared.items()}
    written: dict[tuple[int, int], Replacement] = {}
    for site, reference in split:
        registry = _part(site, model.REGISTRY)
        prefix = prefixes[registry.span] if registry is not None else ()
        for one in _texts(site, reference, prefix):
            if one.text == one.part.value:
                one = Replacement(site, one.part, one.part.text)
            other = written.setdefault(one.part.span, one)
            if other.text != one.text:
                raise ResourceError(
                    f"{other.part.value!r} belongs to several images, which need {other.text!r} and {one.text!r} here",
                    where=f"{site.file}:{one.part.line}",
                    hint="write the images out under keys of their own, or choose another --mapping",
                )
    found += [one for one in written.values() if one.text != one.part.text]
    return found


def _texts(site: Site, new: Reference, prefix: tuple[str, ...]) -> list[Replacement]:
    name, registry = _part(site, model.NAME) or _part(site, model.INSERT), _part(site, model.REGISTRY)
    tag, digest = _part(site, model.TAG), _part(site, model.DIGEST)
    if name is None or new == site.reference:
        return [Replacement(site, part, part.text) for part in site.parts if part.role != model.INSERT]
    found: list[Replacement] = []
    path = "/".join((new.registry, *new.repository.split("/"))[len(prefix) :])
    if registry is not None:
        end = "/" if registry.value.endswith("/") else ""
        found.append(Replacement(site, registry, "/".join(prefix) + end))
        path = ("/" if name.value.startswith("/") else "") + path
    behind = ""
    if digest is not None:
        if not new.digest:
            raise ResourceError(f"{new} has no digest for the key that holds one", where=f"{site.file}:{digest.line}")
        found.append(Replacement(site, digest, new.digest if ":" in digest.value else new.digest.partition(":")[2]))
    elif new.digest:
        behind = f"@{new.digest}"
    if tag is not None:
        found.append(Replacement(site, tag, (new.tag or tag.value.partition("@")[0]) + behind))
    elif new.tag != site.reference.tag or "@" in name.value or ":" in name.value.rpartition("/")[2]:
        path += (f":{new.tag}" if new.tag else "") + behind
    else:
        path += behind
    found.append(Replacement(site, name, path))
    return found


def _prefix(members: Sequence[tuple[Site, Reference]]) -> tuple[str, ...]:
    """What the shared registry becomes: the registry alone, or, for names of one word, all that lies before them."""
    if all("/" not in _name(site).strip("/").partition("@")[0] for site, _ in members):
        paths = [(new.registry, *new.repository.split("/")[:-1]) for _, new in members]
        common = paths[0]
        for path in paths[1:]:
            size = next((at for at, (a, b) in enumerate(zip(common, path, strict=False)) if a != b), None)
            common = common[: min(len(common), len(path)) if size is None else size]
        if common:
            return common
    registries = {new.registry for _, new in members}
    if len(registries) > 1:
        site = members[0][0]
        raise ResourceError(
            f"the registry here belongs to several images, which would go to {' and '.join(sorted(registries))}",
            where=_where(site),
            hint="write the images out under keys of their own",
        )
    return (members[0][1].registry,)


def _name(site: Site) -> str:
    part = _part(site, model.NAME)
    return part.value if part is not None else ""


def _part(site: Site, role: str) -> SitePart | None:
    return next((part for part in site.parts if part.role == role), None)


def _where(site: Site) -> str:
    return f"{site.file}:{site.line}"
