# SPDX-License-Identifier: Apache-2.0
"""What the source has, by each way that it lists, and where the ways disagree."""

from __future__ import annotations

from collections.abc import Iterable

from airgap.errors import AirgapError, InvalidReference, NotFound, RegistryError, Rejected, Unavailable
from airgap.events import Noted, Sink, Warned
from airgap.flows.migrate.registry_view import Side, Tag
from airgap.flows.migrate.tag_filter import Choice
from airgap.formatting import counted
from airgap.oci.reference import check_tag, repository_problem
from airgap.records import Record, field
from airgap.targets.nexus.components import Component, Components
from airgap.transfer import Context, parallel_map


class Listing(Record, frozen=False):
    """``tags`` by repository and name, of the repositories that are wanted. ``by`` are the ways that answered.

    ``components_only`` and ``tags_only`` are tags that one way lists and another does not; ``unreadable`` are listed
    repositories with why they cannot be asked for.
    """

    tags: dict[str, dict[str, Tag]] = field(default_factory=dict)
    by: list[str] = field(default_factory=list)
    components_only: list[str] = field(default_factory=list)
    tags_only: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    #: Manifests that are kept by digest, by repository; ``None`` where the source does not list these.
    by_digest: dict[str, set[str]] | None = None
    #: What components say that tags stand for, wanted or not: media types by digest, by repository.
    tagged: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(map(len, self.tags.values()))


def listed(source: Side, components: Components | None, choice: Choice, context: Context) -> Listing:
    """Components, the catalog and lists of tags, joined: what any of them names is there until it proves not to be.

    Raises what the registry answers where it lists nothing, and :class:`NotFound` for an include that matches nothing.
    """
    found = Listing()
    if components is not None:
        _by_components(found, source, components, choice)
    named = [one.repository for one in choice.include if one.literal]
    names = dict.fromkeys([*found.tags, *(name for name in named if choice.takes_repository(name))])
    names.update(dict.fromkeys(_catalog(found, source, choice, components is not None, context.emit)))
    good = [name for name in names if not _refused(found, name)]
    _by_tags(found, source, good, named, choice, components is not None, context)
    for one in choice.include:
        if not any(one.takes(name, tag) for name, tags in found.tags.items() for tag in tags):
            raise NotFound(
                f"nothing at the source matches --include {one.text}",
                where=str(source.address),
                hint="names are those below the source's prefix; * is one or more path elements",
            )
    found.tags = {name: found.tags[name] for name in sorted(found.tags) if found.tags[name]}
    said = f"{counted(found.count, 'tag')} in {counted(len(found.tags), 'repository', 'repositories')}"
    found.unreadable = dict(sorted(found.unreadable.items()))
    context.emit(Noted(f"{source.address}: {said}, by {' and '.join(found.by)}"))
    _tell(found, context.emit)
    return found


def _by_components(found: Listing, source: Side, components: Components, choice: Choice) -> None:
    hosted = components.find_repository(source.address.registry, source.address.prefix)
    listed = list(components.components())
    inside = _inside(source, components, hosted, (one.image for one in listed))
    for one in listed:
        name = inside(one.image)
        if name and one.digest and choice.takes_repository(name):
            found.tagged.setdefault(name, {})[one.digest] = one.media_type
        if name and choice.takes(name, one.tag):
            found.tags.setdefault(name, {})[one.tag] = _tag(name, one)
    found.by_digest = {}
    for image, digest in components.by_digest():
        name = inside(image)
        if name and choice.takes_repository(name) and digest not in found.tagged.get(name, ()):
            found.by_digest.setdefault(name, set()).add(digest)
    found.by.append("components")


class _Inside:
    """An image's name in Nexus as the name below the source's prefix; empty for what is not below it. Where Nexus's
    own port is the registry's too, the hosted repository is the first element of the path."""

    def __init__(self, source: Side, before: str) -> None:
        self._source, self._before = source, before

    def __call__(self, image: str) -> str:
        return self._source.below(f"{self._before}{image}")


def _inside(source: Side, components: Components, hosted: str, images: Iterable[str]) -> _Inside:
    first = source.address.prefix.partition("/")[0]
    here = components.endpoint.base_url.partition("://")[2].partition("/")[0]
    by_path = first == hosted and (
        here == source.address.registry or not any(image.startswith(f"{first}/") for image in images)
    )
    return _Inside(source, f"{hosted}/" if by_path else "")


def _tag(name: str, one: Component) -> Tag:
    return Tag(name, one.tag, one.digest, one.media_type, one.modified, "lastModified" if one.modified else "")


def _catalog(found: Listing, source: Side, choice: Choice, otherwise: bool, emit: Sink) -> list[str]:
    try:
        names = source.catalog()
    except Unavailable:
        raise
    except RegistryError as error:
        if otherwise:
            emit(Warned(f"{source.address}: {error.what}; components alone say what there is"))
        elif choice.include and all(one.literal for one in choice.include):
            emit(Noted(f"{source.address}: {error.what}; the repositories that --include names are asked for"))
        else:
            hint = "name the repositories by --include NAME, once for each, or give Nexus's own address: --nexus-source"
            error.hint = hint if not error.hint else f"{hint}; or {error.hint}"
            raise
        return []
    found.by.append("catalog")
    return [name for name in names if choice.takes_repository(name)]


def _refused(found: Listing, name: str) -> bool:
    """Whether a listed name could be no repository's: it stands in paths from here on."""
    reason = repository_problem(name)
    if reason:
        found.unreadable[name[:200]] = reason
        found.tags.pop(name, None)
    return bool(reason)


def _by_tags(
    found: Listing, source: Side, names: list[str], named: list[str], choice: Choice, crossed: bool,
    context: Context,
) -> None:  # fmt: skip
    def ask(name: str) -> list[str] | None:
        try:
            return source.repository(name).tags()
        except (NotFound, Rejected) as error:
            if name in named and not crossed:
                raise NotFound("the source has no such repository", where=source.label(name)) from error
            # Catalogs go on listing what was emptied, and names that no question can be asked about.
            found.unreadable[name] = error.what
            return None

    found.by.append("lists of tags")
    for name, answer in zip(
        names, parallel_map(names, ask, workers=context.jobs.control, cancel=context.cancel), strict=True
    ):
        known = found.tags.setdefault(name, {})
        if answer is None or isinstance(answer, AirgapError):
            continue
        here = {tag for tag in answer if choice.takes(name, tag)}
        if crossed:
            found.components_only += [f"{name}:{tag}" for tag in known if tag not in here]
            found.tags_only += [f"{name}:{tag}" for tag in sorted(here) if tag not in known]
        for tag in sorted(here):
            try:
                known.setdefault(check_tag(tag), Tag(name, tag))
            except InvalidReference as error:
                found.unreadable[f"{name}:{tag[:128]}"] = error.what


def _tell(found: Listing, emit: Sink) -> None:
    for names, what in (
        (found.components_only, "listed by components and not by its tags; asked for all the same"),
        (found.tags_only, "listed by its tags and not by components"),
        (list(found.unreadable), "listed and cannot be asked for"),
    ):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            emit(Warned(f"{', '.join(names[:3])}{more}: {what}"))
