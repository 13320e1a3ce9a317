# SPDX-License-Identifier: Apache-2.0
"""The options about signatures that several commands share, and the files that they name."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from airgap.cli.prompts import can_ask
from airgap.durable import require_file
from airgap.errors import SignatureFailure, UsageError
from airgap.i18n import tr
from airgap.records import Record

if TYPE_CHECKING:
    from airgap.config.airgap_yaml import ProjectSettings
    from airgap.flows.admission import Demand
    from airgap.flows.sign import Sign
    from airgap.trust.secret_key import AskPassphrase, SecretKey
    from airgap.trust.trust_file import TrustFile

F = TypeVar("F", bound=Callable[..., Any])

trust_file = click.option(
    "--trust-file",
    metavar="FILE",
    help=tr("The file of trusted keys. [default: $XDG_CONFIG_HOME/airgap/trust.json]"),
)
_OPTIONS = (
    click.option(
        "--key", "keys", multiple=True, metavar="PUB", help=tr("This key must have signed the bundle. Repeatable.")
    ),
    click.option(
        "--ca",
        "authorities",
        multiple=True,
        metavar="PEM",
        help=tr("A certificate of these authorities must have signed the bundle. Repeatable."),
    ),
    click.option(
        "--crl", "revocations", multiple=True, metavar="PEM", help=tr("With --ca: revocation lists. Repeatable.")
    ),
    click.option(
        "--signature",
        "files",
        multiple=True,
        metavar="FILE",
        help=tr("A signature that is neither in the bundle nor beside it. Repeatable."),
    ),
    trust_file,
)


class TrustOptions(Record):
    """The options about signatures, as :func:`trust_options` passes them."""

    keys: Sequence[str]
    authorities: Sequence[str]
    revocations: Sequence[str]
    files: Sequence[str]
    trust_file: str | None

    def demand(self, project: ProjectSettings, *, required: bool = False, approved: bool = False) -> Demand:
        """Return what the options and ``require:`` of ``airgap.yaml`` demand of signatures.

        An option replaces its key of ``require:``. Revocation lists may be for the authorities of an approval alone,
        if there are such: ``approved``. Raises :class:`UsageError`, and
        :class:`SignatureFailure` if a signature is required and nothing is trusted.
        """
        from airgap.flows.admission import Demand
        from airgap.flows.trust import read_public_key
        from airgap.trust.policy import Policy

        required = required or bool(project.require.keys() & {"signature", "ca"})
        authorities = self.authorities or project.require.get("ca", [])
        revocations = self.revocations or project.require.get("crl", [])
        if revocations and not authorities and not approved:
            raise UsageError(tr("--crl goes with --ca"))
        policy = Policy(
            [read_public_key(key) for key in self.keys or project.require.get("signature", [])],
            open_trust_file(self.trust_file).trusted_keys(),
            read_pem(authorities, "CERTIFICATE"),
            read_pem(revocations, "X509 CRL"),
            required,
        )
        if required and not (policy.keys or policy.trusted or policy.authorities):
            raise SignatureFailure(
                tr("a signature is required, and no key is trusted here"),
                hint=tr("give --key NAME.pub or --ca CA.pem, or add a key: airgap trust add NAME.pub --name NAME"),
            )
        return Demand(policy, list(map(Path, self.files)))


def trust_options(function: F) -> F:
    """Add the options about signatures; the command gets them as one argument ``trust``."""

    @functools.wraps(function)
    def with_one_argument(
        keys: tuple[str, ...],
        authorities: tuple[str, ...],
        revocations: tuple[str, ...],
        files: tuple[str, ...],
        trust_file: str | None,
        **others: Any,
    ) -> Any:
        return function(trust=TrustOptions(keys, authorities, revocations, files, trust_file), **others)

    decorated = cast("F", with_one_argument)
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def open_trust_file(path: str | None, *, may_be_new: bool = False) -> TrustFile:
    """Return the trust file of the option, or the user's own, which need not exist.

    Raises :class:`UsageError` where the file of the option does not exist, unless it ``may_be_new``.
    """
    from airgap.trust.trust_file import TrustFile, default_path

    if path and not may_be_new:
        require_file(path)
    return TrustFile(Path(path) if path else default_path(os.environ))


def ask_passphrase() -> AskPassphrase | None:
    """Return a function that asks for the passphrase of a key, or ``None`` where nobody can be asked."""
    return _ask_passphrase if can_ask() else None


def read_secret_key(path: str) -> SecretKey:
    """Return the secret key in a file; ask for its passphrase if it has one. Raises :class:`UsageError`."""
    from airgap.trust.files import read_small_file
    from airgap.trust.minisign import MAX_FILE
    from airgap.trust.secret_key import SecretKey

    return SecretKey.from_bytes(read_small_file(path, MAX_FILE), where=path, ask=ask_passphrase())


def key_signers(paths: Sequence[str]) -> list[Sign]:
    """Return functions that sign with the secret keys in these files."""
    from airgap.flows.sign import key_signer

    return [key_signer(read_secret_key(path)) for path in paths]


def certificate_sign(certificate: str, key: str) -> Sign:
    """Return a function that signs with a certificate in a file; ask for the passphrase of its key if it has one."""
    from airgap.flows.sign import certificate_signer
    from airgap.trust import cms
    from airgap.trust.files import read_small_file

    passphrase = ""
    if not key.startswith(cms.HARDWARE_KEY) and cms.is_encrypted_key(read_small_file(key, cms.MAX_FILE)):
        ask = ask_passphrase()
        if ask is None:
            raise UsageError(
                tr("this key has a passphrase, and there is no terminal to ask for it"),
                where=key,
                hint=tr("run it on a terminal"),
            )
        passphrase = ask(key)
    return certificate_signer(read_small_file(certificate, cms.MAX_FILE), key, passphrase)


def _ask_passphrase(path: str) -> str:
    passphrase: str = click.prompt(tr("Passphrase of {path}", path=path), hide_input=True, err=True)
    return passphrase


def read_pem(paths: Sequence[str], label: str) -> bytes:
    """Return the content of files in PEM, one after the other. Raises :class:`UsageError` for one without ``label``."""
    from airgap.trust.cms import MAX_FILE, check_pem
    from airgap.trust.files import read_small_file

    return b"\n".join(check_pem(read_small_file(path, MAX_FILE), label, where=path) for path in paths)
