# SPDX-License-Identifier: Apache-2.0
"""The options about sealed bundles, and the keys that they name."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from airgap.cli.prompts import can_ask
from airgap.cli.trust_options import ask_passphrase
from airgap.durable import require_file
from airgap.errors import SignatureFailure, UsageError
from airgap.i18n import tr

if TYPE_CHECKING:
    from airgap.bundle.media.sealed import Unseal
    from airgap.trust.age_header import Header, Wrap
    from airgap.trust.age_stream import Sealer

F = TypeVar("F", bound=Callable[..., Any])

identity = click.option(
    "--identity",
    "identities",
    multiple=True,
    metavar="FILE",
    help=tr("Open a sealed bundle with this key of age, or SSH private key. Repeatable."),
)
#: The largest file of keys that is read, in bytes.
_MAX_FILE = 1024 * 1024


def make_sealer(recipients: Sequence[str], *, passphrase: bool) -> Sealer | None:
    """Return what seals a bundle for these recipients or a passphrase, which is asked for; ``None`` without any.

    A recipient is a key, or a file with one in each line. Raises :class:`UsageError`.
    """
    if not recipients and not passphrase:
        return None
    from airgap.trust.age_keys import passphrase_recipient
    from airgap.trust.age_stream import Sealer

    if recipients and passphrase:
        raise UsageError(tr("a bundle is sealed for recipients or with a passphrase, not for both"))
    if passphrase:
        return Sealer([passphrase_recipient(_new_passphrase())])
    return Sealer([wrap for recipient in recipients for wrap in _recipients(recipient)])


def unsealer(identities: Sequence[str]) -> Unseal:
    """Return a function that gets the key of a sealed bundle by the keys in these files, or by asking for a passphrase.

    It raises :class:`SignatureFailure` where none fits, and :class:`UsageError` for files that cannot be read. A file
    that does not exist is an error at once, whether the bundle is sealed or not.
    """
    for identity_file in identities:
        require_file(identity_file)

    def unseal(header: Header, where: str) -> bytes:
        from airgap.bundle.media.sealed import SealedBundle
        from airgap.trust.age_keys import find_file_key, parse_identities, passphrase_identity
        from airgap.trust.files import read_small_file

        ask = ask_passphrase()
        has_passphrase = any(stanza.kind == "scrypt" for stanza in header.stanzas)
        if not identities and not (has_passphrase and ask):
            raise SealedBundle(where, header.stanzas, None)
        known = [
            identity
            for path in identities
            for identity in parse_identities(read_small_file(path, _MAX_FILE), where=path, ask=ask)
        ]
        if has_passphrase and ask is not None:
            known.append(passphrase_identity(ask(where)))
        file_key = find_file_key(header.stanzas, known)
        if file_key is None:
            raise SignatureFailure(
                tr("none of the given keys opens this sealed bundle"),
                where=where,
                hint=tr("ask whoever made it for whom it was sealed; airgap inspect shows the types of the keys"),
            )
        return file_key

    return unseal


def _recipients(recipient: str) -> list[Wrap]:
    from airgap.trust.age_keys import parse_recipient
    from airgap.trust.files import read_small_file

    if not os.path.exists(recipient) and recipient.startswith(("age1", "ssh-")):
        return [parse_recipient(recipient.strip(), where="--encrypt-to")]
    lines = read_small_file(recipient, _MAX_FILE).decode("utf-8", "replace").splitlines()
    recipients = [
        parse_recipient(line.strip(), where=f"{recipient}:{number}")
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith("#")
    ]
    if not recipients:
        raise UsageError(tr("there is no recipient in it"), where=recipient)
    return recipients


def _new_passphrase() -> str:
    if not can_ask():
        raise UsageError(
            tr("there is no terminal to ask for a passphrase at"), hint=tr("--encrypt-to RECIPIENT needs none")
        )
    passphrase: str = click.prompt(
        tr("Passphrase of the sealed bundle"), hide_input=True, confirmation_prompt=True, err=True
    )
    return passphrase
