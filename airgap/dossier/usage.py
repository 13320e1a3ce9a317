# SPDX-License-Identifier: Apache-2.0
"""Which resource files name which image, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from airgap import kube
from airgap.bundle.inventory_entries import BundledResource
from airgap.dossier.facts import ResourceFacts, Use
from airgap.errors import ResourceError
from airgap.kube import CustomRules, Site


def uses_of(sites: Iterable[Site]) -> dict[str, list[Use]]:
    """Return the places of each image, by its reference."""
    uses: dict[str, dict[Use, None]] = {}
    for site in sites:
        uses.setdefault(str(site.reference), {})[Use(site.file, site.line)] = None
    return {reference: list(found) for reference, found in uses.items()}


def sites_in(files: Iterable[tuple[str, bytes]], rules: CustomRules) -> list[Site]:
    """Return the places in resource files, given by name and content; a file that is not read as YAML has none."""
    sites: list[Site] = []
    for name, content in files:
        try:
            sites += kube.scan(content, name, rules).sites
        except ResourceError:
            continue
    return sites


def resource_facts(resources: Iterable[BundledResource], uses: Mapping[str, Iterable[Use]]) -> list[ResourceFacts]:
    """Return the facts of the resource files of a bundle."""
    images: Counter[str] = Counter(file for found in uses.values() for file in {use.file for use in found})
    return [ResourceFacts(resource.name, resource.sha256, images[resource.name]) for resource in resources]
