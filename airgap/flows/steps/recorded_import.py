# SPDX-License-Identifier: Apache-2.0
"""Writes each import into the history: what was imported, when, by whom, to where, and with whose approval."""

from __future__ import annotations

import os
import pwd
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airgap.bundle import BundleReader
from airgap.bundle.media.volume_names import bundle_name
from airgap.bundle.receipt import ReceiptArtifact
from airgap.dossier import history
from airgap.dossier.approval import Approved
from airgap.durable.files import output_error
from airgap.events import Sink, Warned, ignore
from airgap.i18n import tr
from airgap.records import Record, field
from airgap.targets import Assignment
from airgap.trust.policy import Checked


class ImportRecord(Record, frozen=False):
    """What is known of an import when it ends. ``images`` and ``artifacts`` are entries of its receipt, ``failed`` the
    labels of those that ``--keep-going`` left out, and ``shard`` is that of ``--shard``."""

    images: Sequence[Mapping[str, Any]] = ()
    artifacts: Sequence[Mapping[str, Any]] = ()
    failed: Sequence[str] = ()
    shard: str = ""

    def fill(
        self, assignments: Sequence[Assignment], artifacts: Sequence[ReceiptArtifact], failed: Collection[str]
    ) -> None:
        """Take the images that were pushed, or were there, and the artifacts."""
        self.images = [
            {"source": str(one.source), "target": f"{one.target.name}:{one.tag}", "digest": one.digest}
            for one in assignments
            if str(one.source) not in failed
        ]
        self.artifacts = [artifact.to_json() for artifact in artifacts]
        self.failed = sorted(failed)


class History(Record):
    """Where the history is, and what is known of an import before it begins.

    ``path`` is ``None`` where there is no state folder. With ``required`` an import that cannot be recorded does not
    begin.
    """

    path: Path | None = None
    signers: Sequence[Checked] = ()
    approved: Approved | None = None
    required: bool = False
    emit: Sink = field(default=ignore, compare=False)

    @contextmanager
    def recording(self, bundle: BundleReader, target: str) -> Iterator[ImportRecord]:
        """Write a line when the block ends, also where it fails; the block fills in the record.

        Raises :class:`airgap.errors.OutputError` before the block where a line could not be written and is required;
        else there is a warning.
        """
        record = ImportRecord()
        writable = self._check()
        outcome = "stopped"
        try:
            yield record
            outcome = "incomplete" if record.failed else "complete"
        finally:
            if writable:
                self._append(bundle, target, record, outcome)

    def _check(self) -> bool:
        if self.path is None:
            return False
        try:
            history.check_writable(self.path)
        except OSError as error:
            refused = output_error(error, self.path)
            if self.required:
                raise refused from error
            self.emit(Warned(tr("{error}; this import will not be in the history", error=refused)))
            return False
        return True

    def _append(self, bundle: BundleReader, target: str, record: ImportRecord, outcome: str) -> None:
        assert self.path is not None
        inventory = bundle.inventory
        document = {
            "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "user": user_name(),
            "outcome": outcome,
            "target": target,
            "bundle": {
                "root": f"sha256:{bundle.id}",
                "file": Path(bundle_name(str(bundle.path))).name,
                "name": inventory.name,
                "version": inventory.version,
            },
            "shard": record.shard or None,
            "signers": [_signer(signer) for signer in self.signers],
            "approval": self._approval(),
            "images": list(record.images),
            "artifacts": list(record.artifacts),
            "failed": list(record.failed),
        }
        try:
            history.append(self.path, document)
        except OSError as error:
            self.emit(Warned(tr("{error}; this import is not in the history", error=output_error(error, self.path))))

    def _approval(self) -> dict[str, Any] | None:
        if self.approved is None:
            return None
        return {
            "document": f"sha256:{self.approved.document}",
            "scan": self.approved.scan or None,
            "signers": [_signer(signer) for signer in self.approved.signers],
        }


NO_HISTORY = History()


def _signer(signer: Checked) -> dict[str, Any]:
    return {"signer": signer.shown_signer, "comment": signer.comment or None, "verified": signer.verified}


def user_name() -> str:
    """Return the name of the user; behind ``sudo`` that of whoever called it too."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    caller = os.environ.get("SUDO_USER", "")
    return f"{name} (sudo: {caller})" if caller and caller != name else name
