# SPDX-License-Identifier: Apache-2.0
"""``airgap inspect``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from airgap.bundle import BundleReader, open_bundle
from airgap.bundle.image_sizes import ImageSize, image_sizes
from airgap.bundle.layout_builder import NOTES_MEMBER
from airgap.bundle.media.sealed import SealedBundle
from airgap.bundle.omitted_layers import describe_requirements
from airgap.bundle.program import program_members
from airgap.bundle.signatures import find_signatures, inner_signatures
from airgap.cli import options
from airgap.cli.commands.inspect_release import print_release
from airgap.cli.formatting.artifacts import artifact_lines
from airgap.cli.printing import Styled, note, say, say_json
from airgap.cli.release_folder import bundle_in
from airgap.cli.seal_options import identity, unsealer
from airgap.cli.trust_options import open_trust_file
from airgap.durable import output
from airgap.errors import UsageError
from airgap.flows.admission import describe as describe_signature
from airgap.formatting import counted, human, quoted
from airgap.i18n import tr
from airgap.release.at_hand import release_folder
from airgap.trust.policy import Checked, Policy, check


@click.command("inspect")
@click.argument("bundle", metavar="BUNDLE|RELEASE|IMAGE")
@options.as_json
@click.option("--html", metavar="FILE", help=tr("Write the page of the dossier; reads all of the bundle."))
@click.option("--csv", metavar="FILE", help=tr("Write the table of the dossier; reads all of the bundle."))
@click.option(
    "--sbom",
    is_flag=False,
    flag_value="",
    metavar="[IMAGE|DIGEST]",
    help=tr("Print the SBOM of an image; of several, the one with the digest that is given. With --json, list them."),
)
@click.option("--attached", metavar="NAME", help=tr("Print an attached document as it is."))
@identity
@options.force
@options.source_options
@options.config
def command(
    bundle: str,
    as_json: bool,
    html: str | None,
    csv: str | None,
    sbom: str | None,
    attached: str | None,
    identities: tuple[str, ...],
    force: bool,
    ca_file: str | None,
    plain_http: tuple[str, ...],
    insecure: tuple[str, ...],
    config: str | None,
) -> None:
    """Show the contents of a bundle, the files of a release, or what a registry has of an image.

    Only the head of a bundle is read; `airgap verify` reads all of it. Of a sealed bundle it shows for whom it is
    sealed, and the contents with --identity. --html and --csv are those of `airgap dossier`. Of a release folder,
    --html, --csv, --sbom and --attached are about its full bundle.

    \b
    airgap inspect bundle.tar
    airgap inspect bundle.tar --json | jq -r '.images[].reference'
    airgap inspect bundle.tar --html bundle.html --csv bundle.csv
    airgap inspect my-platform-1.10/
    airgap inspect bundle.tar --attached trivy.json | jq .
    airgap inspect bundle.tar --sbom quay.io/jetstack/cert-manager-controller:v1.15.1
    airgap inspect quay.io/jetstack/cert-manager-controller:v1.15.1 --sbom
    """
    if sbom is not None and (html or csv):
        raise click.UsageError(tr("--sbom goes with neither --html nor --csv"))
    if attached is not None and (sbom is not None or html or csv or as_json):
        raise click.UsageError(tr("--attached prints one document; it goes with no other output"))
    if release_folder(bundle) is not None:
        if not (html or csv or sbom is not None or attached is not None):
            print_release(bundle, as_json=as_json)
            return
        bundle = bundle_in(bundle)
    from airgap.cli.commands.inspect_image import image_reference, inspect_image

    if (reference := image_reference(bundle)) is not None:
        if html or csv or identities or attached is not None:
            raise click.UsageError(
                tr("--html, --csv, --attached and --identity are for a bundle, and this is an image")
            )
        connection = options.source_connection(ca_file, plain_http, insecure)
        inspect_image(reference, sbom, config, connection, as_json=as_json)
        return
    if ca_file or plain_http or insecure:
        raise click.UsageError(tr("--ca-file, --plain-http and --insecure are for an image at a registry"))
    if sbom == "":
        raise UsageError(
            tr("of which image?"), hint=tr("name it: airgap inspect {bundle} --sbom IMAGE", bundle=quoted(bundle))
        )
    try:
        opened = open_bundle(bundle, unseal=unsealer(identities) if identities else None)
    except SealedBundle as sealed:
        if html or csv or sbom is not None or attached is not None:
            raise
        _show_sealed(bundle, sealed, as_json=as_json)
        return
    with opened as reader:
        inventory = reader.inventory
        if sbom is not None:
            from airgap.cli.commands.inspect_sbom import print_sbom

            print_sbom(reader, sbom, as_json=as_json)
            return
        if attached is not None:
            from airgap.cli.commands.inspect_attached import print_attached

            print_attached(reader, attached)
            return
        if as_json:
            signatures = [
                {"key": signature.signer, "trusted_comment": signature.comment} for signature in _signatures(reader)
            ]
            document = {**inventory.to_json(), "size": reader.size, "volumes": [], "signatures": signatures}
            say_json(document)
            return
        if html or csv:
            _write_tables(reader, html, csv, force=force)
            return
        title = " ".join(part for part in (inventory.name, inventory.version) if part)
        readers = tr("read by {tool} and newer", tool=inventory.tool)
        say(f"{bundle}{f': {title}' if title else ''}, {human(reader.size)}, {readers}")
        say(tr("ID {id}", id=reader.id))
        for signature in _signatures(reader):
            say(describe_signature(signature))
        for line in [*describe_requirements(inventory), *_describe_recoded(reader)]:
            say(line)
        sizes = image_sizes(inventory)
        for image in inventory.images:
            say(Styled(str(image.reference), bold=True))
            platforms = ", ".join(map(str, image.platforms)) or tr("no platform")
            derived = tr(", derived from {derived_from}", derived_from=image.derived_from) if image.derived_from else ""
            incomplete = tr(", not whole") if image.descriptor.digest in inventory.incomplete else ""
            size = _describe_size(sizes.get(image.descriptor.digest))
            say(f"  {image.descriptor.digest}")
            say(f"  {platforms}{size}{derived}{incomplete}{_describe_absent(reader, image.descriptor.digest)}")
            for line in _describe_referrers(reader, image.descriptor.digest):
                say(f"  {line}")
        for heading, lines in artifact_lines(inventory.artifacts):
            say(Styled(heading, bold=True))
            for line in lines:
                say(line)
        for resource in inventory.resources:
            say(tr("resource file {name}", name=resource.name))
        for carried in inventory.attached:
            say(tr("attached document {name}", name=carried.name))
        for skipped in inventory.skipped:
            say(tr("not read for images: {name}: {why}", name=skipped.name, why=skipped.why))
        for member in program_members(inventory.members):
            say(tr("this program: tar xf {bundle} {member}", bundle=quoted(bundle), member=member))
        counts = [counted(len(inventory.images), "image")]
        counts += [counted(len(inventory.artifacts), "artifact")] if inventory.artifacts else []
        counts += [counted(len(inventory.blobs), "blob"), counted(len(inventory.referrers), "referrer")]
        say(", ".join(counts))
        if NOTES_MEMBER in inventory.members:
            say(reader.member(NOTES_MEMBER).decode("utf-8", "replace"), lines=True)


def _describe_recoded(reader: BundleReader) -> list[str]:
    """Return what recoded layers are restored from, and how the plain bundle is made; nothing for a plain bundle."""
    recoded = reader.inventory.recoded.values()
    if not recoded:
        return []
    from airgap.bundle.expansion import expand_command

    older = {layer.prefix.layer.digest for layer in recoded if layer.prefix}
    return [
        tr(
            "recoded: {layers} of {before} in {after}, restored from {older}; plain again by {command}",
            layers=counted(len(recoded), "layer"),
            before=human(sum(layer.size for layer in recoded)),
            after=human(sum(layer.payload.size for layer in recoded)),
            older=counted(len(older), "older layer"),
            command=expand_command(reader.path, reader.inventory),
        )
    ]


def _show_sealed(bundle: str, sealed: SealedBundle, *, as_json: bool) -> None:
    """Show what a sealed bundle tells without its key."""
    kinds = [stanza.kind for stanza in sealed.stanzas]
    if as_json:
        say_json({"sealed": kinds, "size": sealed.size})
        return
    say(tr("{bundle}: sealed in the format of age, {size}", bundle=bundle, size=human(sealed.size or 0)))
    for kind in kinds:
        say(tr("  for a passphrase") if kind == "scrypt" else tr("  for a key of the type {kind}", kind=kind))
    say(tr("the contents: airgap inspect {bundle} --identity FILE", bundle=quoted(bundle)))


def _signatures(reader: BundleReader) -> Sequence[Checked]:
    """Return the signatures, checked by the keys that are trusted here."""
    files = find_signatures(reader)
    if reader.signatures_come_last and not reader.is_standard_input:
        files += inner_signatures(reader)
    policy = Policy(trusted=open_trust_file(None).trusted_keys() if files else ())
    return check(reader.inventory_content(), files, policy, where=str(reader.path)) if files else ()


def _describe_referrers(reader: BundleReader, root: str) -> list[str]:
    """Return a line for each signature, attestation, SBOM or other referrer of an image and of those in an index."""
    inventory = reader.inventory
    subjects = {root, *inventory.manifests_of(root)}
    lines = []
    for referrer, subject in inventory.referrers.items():
        if subject in subjects:
            suffix = inventory.referrer_tags.get(referrer, "").rpartition(".")[2]
            by_suffix = {"sig": tr("signature"), "att": tr("attestation"), "sbom": tr("SBOM")}
            kind = by_suffix.get(suffix) or reader.manifest(referrer).artifact_type or tr("referrer")
            about, digest = subject[:19], referrer[:19]
            lines.append(tr("with {kind} of {about}: {digest}", kind=kind, about=about, digest=digest))
    return lines


def _describe_absent(reader: BundleReader, root: str) -> str:
    """Return what an index of the bundle lists and the bundle does not have, with a comma before it, or nothing."""
    absent = reader.inventory.absent
    digests = (root, *reader.inventory.manifests_of(root)) if absent else ()
    children = [child for digest in digests for child in reader.manifest(digest).children if child.digest in absent]
    platforms = dict.fromkeys(str(child.platform) for child in children if child.platform and child.platform.is_known)
    return tr(", without {platforms}", platforms=", ".join(platforms)) if platforms else ""


def _describe_size(size: ImageSize | None) -> str:
    """Return the size of an image for its line, with a comma before it; empty if it is not known."""
    if size is None:
        return ""
    shared = tr(" ({own} own, {shared} shared)", own=human(size.own), shared=human(size.shared)) if size.shared else ""
    return f", {human(size.total)}{shared}"


def _write_tables(reader: BundleReader, html: str | None, csv: str | None, *, force: bool) -> None:
    """Write the page and the table of the bundle's dossier."""
    from airgap.dossier import table
    from airgap.dossier.page import document as page
    from airgap.flows.dossier import DossierRequest, dossier_of

    for name in (html, csv):
        if name:
            output.check_place(Path(name), force=force, option=tr("--html or --csv"))
    dossier = dossier_of(reader, DossierRequest(scan_folders=(Path(),)))
    for name, to_bytes in ((html, page.to_bytes), (csv, table.to_bytes)):
        if name:
            path = Path(name)
            output.write_files(path.parent, [(path.name, to_bytes(dossier))])
            note(tr("wrote {path}", path=path))
