# SPDX-License-Identifier: Apache-2.0
"""``airgap sign``."""

from __future__ import annotations

from pathlib import Path

import click

from airgap.bundle import open_bundle
from airgap.cli.printing import note
from airgap.cli.trust_options import certificate_sign, read_secret_key
from airgap.errors import UsageError
from airgap.flows.sign import key_signer, sign_bundle, sign_key
from airgap.i18n import tr


@click.command("sign")
@click.argument("bundle", metavar="BUNDLE")
@click.option(
    "--key", required=True, metavar="KEY", help=tr("The secret key. With --cms, a PEM file or a pkcs11: URI.")
)
@click.option("--comment", metavar="TEXT", help=tr("Sign this comment too. [default: the bundle's ID]"))
@click.option("--cms", "certificate", metavar="PEM", help=tr("Sign with this certificate, as openssl cms does."))
@click.option("--detached", is_flag=True, help=tr("Write the signature into a file beside the bundle."))
def command(bundle: str, key: str, comment: str | None, certificate: str | None, detached: bool) -> None:
    """Sign a bundle. Only its head is read, and only its last bytes are written; a signature covers all of it.

    The signature of a .tar.zst is a file beside it. A key NAME.pub in place of a bundle is signed as the successor of
    KEY, into NAME.pub.minisig.

    \b
    airgap sign bundle.tar --key maker.key
    airgap sign bundle.tar --cms maker.pem --key maker-key.pem
    """
    if certificate and comment is not None:
        raise UsageError(tr("--comment goes with a key, not with --cms"))
    if bundle.endswith(".pub") and not certificate:
        path = sign_key(Path(bundle), read_secret_key(key), comment)
        note(tr("wrote {path}", path=path))
        return
    if bundle == "-":
        raise UsageError(
            tr("a bundle in standard input cannot be signed"),
            hint=tr("airgap export -o - --sign KEY --signature FILE signs what it writes"),
        )
    sign = certificate_sign(certificate, key) if certificate else key_signer(read_secret_key(key), comment)
    with open_bundle(bundle) as reader:
        path, made = sign_bundle(reader, sign, detached=detached)
    note(tr("signed by {signer}: {path}", signer=made.signer, path=path))
