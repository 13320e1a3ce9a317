# SPDX-License-Identifier: Apache-2.0
"""The options of ``airgap import`` about the approval of a bundle."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from airgap.cli.trust_options import TrustOptions, open_trust_file, read_pem
from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.records import Record

if TYPE_CHECKING:
    from airgap.config.airgap_yaml import ProjectSettings
    from airgap.dossier.approval import ApprovalDemand

F = TypeVar("F", bound=Callable[..., Any])
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


class ApprovalOptions(Record):
    """The options, as :func:`approval_options` passes them."""

    path: str | None
    requirements: Sequence[str]

    def demand(self, project: ProjectSettings, trust: TrustOptions) -> ApprovalDemand:
        """Return what the options and ``require: {approval: …}`` of ``airgap.yaml`` demand of an approval.

        The option replaces the key. A revocation list of ``trust`` is for its authorities too. Raises
        :class:`UsageError`.
        """
        from airgap.dossier.approval import ApprovalDemand
        from airgap.flows.trust import read_public_key
        from airgap.trust.cms import MAX_FILE
        from airgap.trust.files import read_small_file
        from airgap.trust.minisign import is_key_text
        from airgap.trust.policy import Policy

        keys: list[str] = []
        authorities: list[str] = []
        for text in [_approver(text) for text in self.requirements] or project.require.get("approval", []):
            is_text = is_key_text(text) and not Path(text).exists()
            is_authority = not is_text and _CERTIFICATE in read_small_file(text, MAX_FILE)
            (authorities if is_authority else keys).append(text)
        revocations = trust.revocations or project.require.get("crl", [])
        policy = Policy(
            [read_public_key(key) for key in keys],
            open_trust_file(trust.trust_file).trusted_keys(),
            read_pem(authorities, "CERTIFICATE"),
            read_pem(revocations, "X509 CRL") if authorities else b"",
            bool(keys or authorities),
        )
        return ApprovalDemand(policy, Path(self.path) if self.path else None)


def approval_options(function: F) -> F:
    """Add the options; the command gets them as one argument ``approval``."""

    @functools.wraps(function)
    def with_one_argument(approval_path: str | None, requirements: tuple[str, ...], **others: Any) -> Any:
        return function(approval=ApprovalOptions(approval_path, requirements), **others)

    decorated = cast("F", with_one_argument)
    for option in (
        click.option(
            "--require",
            "requirements",
            multiple=True,
            metavar="approval=KEY|CA",
            help=tr("Push nothing unless this key, or a certificate of this authority, has approved it. Repeatable."),
        ),
        click.option(
            "--approval",
            "approval_path",
            metavar="DIR|FILE",
            help=tr("The approved dossier: its folder, or its JSON document with the signature beside it."),
        ),
    ):
        decorated = option(decorated)
    return decorated


def _approver(text: str) -> str:
    name, _, value = text.partition("=")
    if name != "approval" or not value:
        raise UsageError(
            tr("{text!r} is nothing that can be required", text=text[:200]),
            hint=tr("write --require approval=office.pub, or approval=office-ca.pem"),
        )
    return value
