# SPDX-License-Identifier: Apache-2.0
"""Whether a bundle may be used: are its signatures those that whoever receives it demands?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap.bundle import BundleReader
from airgap.bundle.signatures import find_signatures, inner_signatures
from airgap.dossier.approval import ApprovalDemand, Approved, check_approval
from airgap.errors import UsageError
from airgap.events import Noted, Sink
from airgap.flows.verify import VerifyResult, verify
from airgap.i18n import tr
from airgap.records import Record
from airgap.transfer import Context
from airgap.trust.policy import Checked, Policy, SignatureFile, check


class Demand(Record):
    """What the signatures must satisfy, and ``files`` with signatures besides those beside the bundle and in it."""

    policy: Policy = Policy()
    files: Sequence[Path] = ()


def check_signatures(
    bundle: BundleReader, content: bytes, demand: Demand, emit: Sink, *, more: Sequence[SignatureFile] = ()
) -> list[Checked]:
    """Check the signatures that are known before the blobs are read, and ``more``; tell who signed.

    ``content`` is the bundle's inventory, read while its first volume was in the drive. Raises
    :class:`airgap.errors.SignatureFailure`.
    """
    files = [*find_signatures(bundle, demand.files), *more]
    checked = check(content, files, demand.policy, where=str(bundle.path))
    for signature in checked:
        emit(Noted(describe(signature)))
    return checked


def verify_signed(bundle: BundleReader, demand: Demand, context: Context) -> VerifyResult:
    """Verify all of a bundle and its signatures, which need not be there unless they are demanded.

    Raises :class:`airgap.errors.SignatureFailure`, and what :func:`airgap.flows.verify.verify` raises.
    """
    content = bundle.inventory_content()
    if not bundle.signatures_come_last:
        checked = check_signatures(bundle, content, demand, context.emit)
        return verify(bundle, context, signed=bool(checked))
    verified = verify(bundle, context, signed=bool(find_signatures(bundle, demand.files)))
    check_signatures(bundle, content, demand, context.emit, more=inner_signatures(bundle))
    return verified


class Admission(Record):
    """Why a bundle was admitted: its ``signers``, and the approval, ``None`` without one."""

    signers: Sequence[Checked] = ()
    approved: Approved | None = None


def admit(bundle: BundleReader, demand: Demand, context: Context, approval: ApprovalDemand | None = None) -> Admission:
    """Check signatures and approval before a bundle is used. Where one is demanded, verify all of the bundle too.

    A pipe can be read only once: of it, the signature and the head are verified here, and each blob when it is pushed.
    Raises :class:`airgap.errors.SignatureFailure`, :class:`airgap.errors.ScanFailure`, and what
    :func:`airgap.flows.verify.verify` raises.
    """
    content = bundle.inventory_content()
    approval = approval or ApprovalDemand()
    approved = check_approval(approval, f"sha256:{bundle.id}")
    for signature in approved.signers if approved else ():
        context.emit(Noted(_describe_approval(signature)))
    if not demand.policy.demands and not approval.policy.demands:
        return Admission(check_signatures(bundle, content, demand, context.emit), approved)
    if bundle.is_standard_input:
        if demand.policy.demands and not demand.files:
            raise UsageError(
                tr("the signature of a bundle in standard input must be a file, because it comes last there"),
                hint=tr("add --signature FILE, which airgap export -o - --sign KEY --signature FILE wrote"),
            )
        signers = check_signatures(bundle, content, demand, context.emit)
        bundle.check_head(signed=True)
        return Admission(signers, approved)
    bundle.require_seek_table()
    inner = inner_signatures(bundle) if bundle.signatures_come_last else ()
    signers = check_signatures(bundle, content, demand, context.emit, more=inner)
    verify(bundle, context, signed=True)
    return Admission(signers, approved)


def describe(signature: Checked) -> str:
    """Return who signed, for people."""
    comment = f": {signature.comment}" if signature.comment else ""
    if signature.verified:
        return tr("signed by {signer}{comment}", signer=signature.shown_signer, comment=comment)
    return tr("signed by {signer}, which is not known here and was not checked", signer=signature.shown_signer)


def _describe_approval(signature: Checked) -> str:
    """Return who approved, for people."""
    comment = f": {signature.comment}" if signature.comment else ""
    if signature.verified:
        return tr("approved by {signer}{comment}", signer=signature.shown_signer, comment=comment)
    return tr("approved by {signer}, which is not known here and was not checked", signer=signature.shown_signer)
