# SPDX-License-Identifier: Apache-2.0
"""What an export is asked for, and what it has made."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from airgap.artifacts.settings import ArtifactEntry
from airgap.bundle import OutputFormat, Program
from airgap.dossier.planned import PlannedBundle
from airgap.errors import AirgapError
from airgap.flows.steps.sign_export import Signing
from airgap.flows.steps.verify_images import ImageDemand
from airgap.oci import Platform
from airgap.records import Record, field
from airgap.store.local.base import LocalImages
from airgap.transfer import Report
from airgap.transfer.sizes import Sizes


class ExportRequest(Record):
    """What to make. ``program`` is this program, to carry; ``named`` are the registries in airgap.yaml;
    ``base`` is a file that says what the target holds already; ``at_hand`` are places to take images from.
    ``artifacts`` are entries of airgap.yaml; with ``only_artifacts`` there is nothing else. ``lock_only`` is a dry run
    that writes the lock. ``attached`` are documents by name and content. ``recode`` recodes gzip layers."""

    form: OutputFormat
    platforms: Sequence[Platform] = ()
    sparse: bool = False
    lock: Path | None = None
    refresh: bool = False
    restart: bool = False
    carry_resources: bool = True
    referrers: bool = True
    keep_going: bool = False
    dry_run: bool = False
    lock_only: bool = False
    force: bool = False
    program: Program | None = None
    name: str | None = None
    version: str | None = None
    notes: bytes | None = None
    attached: Sequence[tuple[str, bytes]] = ()
    named: Collection[str] = ()
    base: Path | None = None
    at_hand: Sequence[LocalImages] = ()
    signing: Signing = Signing()
    demand: ImageDemand = ImageDemand()
    artifacts: Sequence[ArtifactEntry] = ()
    only_artifacts: bool = False
    recode: bool = False


class Exported(Record, frozen=False):
    """``bundle_size`` is in bytes, 0 for a dry run; ``failures`` are the images left out by ``keep_going``."""

    planned: PlannedBundle
    images: int
    blobs: int
    sizes: Sizes
    bundle_size: int = 0
    paths: Sequence[Path] = ()
    failures: list[tuple[str, AirgapError]] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    report: Report | None = None
