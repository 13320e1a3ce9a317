# SPDX-License-Identifier: Apache-2.0
"""``airgap approve``: signs the document of a dossier, and so the bundle that it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from airgap.bundle.signatures import sidecar_for
from airgap.dossier.approval import Approval, find_document, read_approval
from airgap.durable import replace_file, writing
from airgap.flows.sign import MadeSignature, Sign

MakeSign = Callable[[str], Sign]
"""Returns a function that signs with a comment; a certificate has none."""


def approve(folder: Path, make_sign: MakeSign, *, without_scan: bool, dry_run: bool) -> tuple[Path, MadeSignature]:
    """Sign the dossier in a folder and return the file of the signature, and the signature.

    Raises :class:`airgap.errors.ScanFailure` for a dossier whose scan found something or left something out, and for
    one without a scan unless ``without_scan``.
    """
    approval = approvable(folder, without_scan=without_scan)
    comment = approval.comment(without_scan=approval.scan is None)
    made = make_sign(comment)(approval.content)
    path = sidecar_for(approval.path, made.name)
    if not dry_run:
        with writing(path):
            replace_file(path, made.content)
    return path, made


def approvable(folder: Path, *, without_scan: bool) -> Approval:
    """Return the document of the dossier in a folder if it may be signed. Raises what :func:`approve` raises."""
    approval = read_approval(find_document(folder))
    approval.check_scan(waived=without_scan)
    return approval
