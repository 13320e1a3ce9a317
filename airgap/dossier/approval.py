# SPDX-License-Identifier: Apache-2.0
"""Approvals: signatures of a dossier's JSON document, which names the bundle and its scan by their digests.

Beside ``NAME.json`` they are called ``NAME.json.minisig``, ``NAME.json.KEYID.minisig`` for further ones, and
``NAME.json.p7s``. A dossier without a scan is approved only by signatures whose comment says so: whoever signs such a
document with another program has not decided that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airgap import bounded_json, limits
from airgap.bundle.signatures import sidecars
from airgap.dossier.document import FORMAT, KIND
from airgap.durable import missing_file, require_file
from airgap.errors import AirgapError, ScanFailure, SignatureFailure, UsageError
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.oci import digest as digests
from airgap.records import Record
from airgap.trust.cms import MAX_FILE
from airgap.trust.files import read_small_file
from airgap.trust.policy import Checked, Policy, SignatureFile, check

#: How the comment of a signature ends that approves a bundle although it was not scanned.
WITHOUT_SCAN = ", without a scan"
_SIGNATURE = re.compile(r"(.+\.json)(?:\.[0-9A-Fa-f]{16})?\.(?:minisig|p7s)", re.DOTALL)
#: How a dossier's document begins.
_START = re.compile(rb'\s*\{\s*"format":\s*\d+,\s*"kind":\s*"' + KIND.encode() + rb'"')


class Approval(Record):
    """A dossier's document: its ``path`` and bytes, the ``root`` digest of the bundle, and what it says of the scan,
    ``None`` without one."""

    path: Path
    content: bytes
    root: str
    scan: Mapping[str, Any] | None

    @property
    def digest(self) -> str:
        """The SHA-256 of the document in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    def comment(self, *, without_scan: bool) -> str:
        """Return the comment that an approval signs too."""
        return f"airgap approval {self.root}{WITHOUT_SCAN if without_scan else ''}"

    def check_scan(self, *, waived: bool) -> None:
        """Raise :class:`ScanFailure` unless the bundle was scanned wholly and nothing was found, or there is no scan
        and it is ``waived``."""
        if self.scan is None:
            if not waived:
                raise ScanFailure(
                    tr("this dossier has no scan"),
                    where=str(self.path),
                    hint=tr("airgap scan BUNDLE scans it, and airgap dossier takes the result in"),
                )
            return
        findings, omissions = (self.scan.get(key) for key in ("findings", "omissions"))
        if findings != 0 or omissions != 0 or self.scan.get("complete") is not True:
            raise ScanFailure(
                tr(
                    "the scan found {findings} and left out {omissions} files",
                    findings=findings,
                    omissions=omissions,
                ),
                where=str(self.path),
                hint=tr("the dossier lists them; such a bundle is not approved"),
            )


class ApprovalDemand(Record):
    """Which approval an import needs, and where it is: the ``path`` of a dossier's folder, or of a file in it."""

    policy: Policy = Policy()
    path: Path | None = None


class Approved(Record):
    """An approval that was checked: the SHA-256 of the ``document``, who signed it, and the ``scan``'s SHA-256."""

    document: str
    signers: Sequence[Checked]
    scan: str


def find_document(path: Path) -> Path:
    """Return the document of the dossier in a folder, or that which a file, or the signature in it, is of.

    Raises :class:`UsageError` if there is none, or several.
    """
    if not path.is_dir():
        match = _SIGNATURE.fullmatch(path.name)
        document = path.with_name(match[1]) if match else path
        require_file(document)
        return document
    documents = [file for file in sorted(path.glob("*.json")) if _is_document(file)]
    if not documents:
        raise UsageError(
            tr("there is no dossier in this folder"),
            where=str(path),
            hint=tr("airgap dossier BUNDLE -o {folder} writes one", folder=quoted(path)),
        )
    if len(documents) > 1:
        names = ", ".join(file.name for file in documents)
        raise UsageError(
            tr("there are several dossiers in this folder: {names}", names=names),
            where=str(path),
            hint=tr("name the file instead: {file}", file=quoted(documents[0])),
        )
    return documents[0]


def read_approval(path: Path) -> Approval:
    """Read the document of a dossier. Raises :class:`UsageError` for anything else."""
    where = str(path)
    try:
        content = _read(path)
        document = bounded_json.parse(content, "dossier", where=where)
        if document["kind"] != KIND or document["format"] != FORMAT:
            raise ValueError(tr("another kind or format"))
        scan = document["scan"]
        if scan is not None and not isinstance(scan, dict):
            raise ValueError(tr("its scan is no object"))
        return Approval(path, content, digests.check(document["bundle"]["root"]), scan)
    except UsageError:
        raise
    except (AirgapError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            tr("this is no dossier that this version reads ({error})", error=error),
            where=where,
            hint=getattr(error, "hint", None) or tr("airgap dossier BUNDLE -o DIR writes one"),
        ) from None


def check_approval(demand: ApprovalDemand, root: str) -> Approved | None:
    """Check that the bundle with this root digest is approved as ``demand`` says; ``None`` without an approval.

    Raises :class:`SignatureFailure` for a missing or wrong signature and for the approval of another bundle,
    :class:`ScanFailure` where the scan was not clean, and :class:`UsageError` for what is no dossier.
    """
    if demand.path is None:
        if demand.policy.demands:
            raise SignatureFailure(
                tr("this import needs an approval, and none is named"),
                hint=tr("--approval DIR names the folder of the approved dossier"),
            )
        return None
    approval = read_approval(find_document(demand.path))
    files = [SignatureFile(str(file), read_small_file(file, MAX_FILE)) for file in sidecars(approval.path)]
    if not files:
        raise SignatureFailure(
            tr("this dossier is not approved: there is no signature beside it"),
            where=str(approval.path),
            hint=tr("airgap approve {folder} --key KEY signs it", folder=quoted(approval.path.parent)),
        )
    signers = check(approval.content, files, demand.policy, where=str(approval.path))
    if approval.root != root:
        raise SignatureFailure(
            tr("this approval is of another bundle, whose root digest is {root}", root=approval.root),
            where=str(approval.path),
            hint=tr("this bundle has {root}: have it approved, or take the approved one", root=root),
        )
    if approval.scan is None and not all(one.comment.endswith(WITHOUT_SCAN) for one in _approvers(signers, demand)):
        raise SignatureFailure(
            tr("this approval is of a dossier without a scan"),
            where=str(approval.path),
            hint=tr("scan the bundle and approve it again; airgap approve --without-scan approves it as it is"),
        )
    approval.check_scan(waived=True)
    scan = approval.scan.get("sha256") if approval.scan else ""
    return Approved(approval.digest, signers, scan if isinstance(scan, str) else "")


def _approvers(signers: Sequence[Checked], demand: ApprovalDemand) -> Sequence[Checked]:
    """Return the signers that the demand is about: its keys and certificates, else those that are known here."""
    keys = {key.id for key in demand.policy.keys}
    by_certificate = bool(demand.policy.authorities)
    verified = [one for one in signers if one.verified]
    return (
        [one for one in verified if one.signer in keys or (by_certificate and not one.comment)] or verified or signers
    )


def _is_document(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return _START.match(file.read(256)) is not None
    except OSError:
        return False


def _read(path: Path) -> bytes:
    most = limits.value("dossier-bytes")
    try:
        with open(path, "rb") as file:
            return file.read(most + 1)
    except FileNotFoundError:
        raise missing_file(path) from None
    except OSError as error:
        raise UsageError(tr("cannot read it: {strerror}", strerror=error.strerror), where=str(path)) from error
