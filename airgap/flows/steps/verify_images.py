# SPDX-License-Identifier: Apache-2.0
"""Checks that images are signed as ``verify_images:`` of airgap.yaml requires, before anything of a bundle is written.

The signatures are asked for anew, even where a lock has them: those of an index whose platforms are chosen are not
carried, and somebody may have signed since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from airgap import limits
from airgap.errors import AirgapError, SignatureFailure, UsageError, raise_all
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.oci import Reference
from airgap.oci.attached import attached
from airgap.oci.manifest import Manifest
from airgap.records import Record
from airgap.store.protocols import Source
from airgap.store.readers import fetch
from airgap.transfer import Context, Image, Plan
from airgap.transfer.graph import read_manifest
from airgap.transfer.pool import parallel_map
from airgap.transfer.sources import ReferrerSource, SignatureTagSource
from airgap.trust.image_rules import ImageRule, RuleVerifier, rule_for
from airgap.trust.image_signature import ImageSignature, read_bundle, read_simple_signing


class ImageDemand(Record):
    """The rules about images, and whether each image must have one (``complete``).

    Raises :class:`UsageError` where rules are insisted on, and there are none.
    """

    rules: Sequence[ImageRule] = ()
    complete: bool = False

    def __post_init__(self) -> None:
        if self.complete and not self.rules:
            raise UsageError(
                tr("--verify-images needs rules, and airgap.yaml has none"),
                hint=tr('write verify_images: [{image: "quay.io/jetstack/*", key: cosign.pub}] into it'),
            )


def verify_images(demand: ImageDemand, plan: Plan, sources: Mapping[str, Source], context: Context) -> None:
    """Verify the images of a plan. Raises :class:`SignatureFailure`, all of them together with the plan's failures."""
    images = [image for image in plan.images if not image.root.companion] if demand.rules else []
    ruled = [(image, rule_for(demand.rules, Reference.parse(image.root.label).name)) for image in images]
    verifiers = {rule: RuleVerifier.load(rule) for rule in dict.fromkeys(rule for _, rule in ruled if rule)}
    covered = [(image, verifiers[rule]) for image, rule in ruled if rule]

    def verify(item: tuple[Image, RuleVerifier]) -> None:
        _verify(item[0], sources[item[0].root.source], item[1])

    workers, cancel = context.jobs.control, context.cancel
    results = parallel_map(covered, verify, workers=workers, cancel=cancel, keep_going=True)
    errors = [error for error in results if isinstance(error, AirgapError)]
    errors += [_uncovered(image) for image, rule in ruled if demand.complete and rule is None]
    if errors:
        raise_all([*errors, *(error for _, error in plan.failures)])
    if covered:
        count = counted(len(covered), "image")
        context.note(tr("signed as airgap.yaml requires: {count}", count=count))


def _verify(image: Image, source: Source, verifier: RuleVerifier) -> None:
    """Raise :class:`SignatureFailure` unless a signature of the image, or of the index that it is from, is enough."""
    subjects = [image.manifest]
    if image.derived_from:
        subjects.insert(0, read_manifest(source, image.derived_from))
    reasons = []
    for subject in subjects:
        for found in _signatures(source, subject):
            try:
                if isinstance(found, SignatureFailure):
                    raise found
                verifier.check(found, subject.descriptor.digest)
            except SignatureFailure as failure:
                reasons.append(failure)
            else:
                return
    rule = verifier.rule
    if not reasons:
        raise SignatureFailure(
            tr("it has no signature, and {rule} requires one by {signer}", rule=rule.where, signer=rule.signer),
            where=image.root.label,
            hint=tr("airgap images --signatures shows what the registry has; the rule decides what is exported"),
        )
    raise SignatureFailure(
        tr(
            "it is not signed as {rule} requires: {reasons}",
            rule=rule.where,
            reasons="; ".join(dict.fromkeys(failure.what for failure in reasons)),
        ),
        where=image.root.label,
        hint=next((failure.hint for failure in reasons if failure.hint), None)
        or tr("it must be signed by {signer}; ask whoever publishes it", signer=rule.signer),
    )


def _signatures(source: Source, subject: Manifest) -> Iterator[ImageSignature | SignatureFailure]:
    """The signatures that cosign has made of a manifest, or why one cannot be read."""
    digest = subject.descriptor.digest
    names = [referrer.digest for referrer in source.referrers(digest)] if isinstance(source, ReferrerSource) else []
    names += source.signature_tags(digest).values() if isinstance(source, SignatureTagSource) else ()
    most, count = limits.value("image-signatures"), 0
    for name in dict.fromkeys(names):
        for what in attached(read_manifest(source, name)):
            if what.kind != "signature" or what.layer is None:
                continue
            count += 1
            if count > most:
                raise SignatureFailure(
                    tr("it has more than {most} signatures", most=most), hint=limits.hint("image-signatures")
                )
            content = fetch(source, what.layer, limit=limits.value("manifest-bytes"))
            try:
                if what.bundle:
                    yield read_bundle(content, subject.content, where=name)
                else:
                    yield read_simple_signing(content, what.layer.annotations, where=name)
            except SignatureFailure as failure:
                yield failure


def _uncovered(image: Image) -> SignatureFailure:
    return SignatureFailure(
        tr("no rule of verify_images: is for it, and --verify-images wants one for every image"),
        where=image.root.label,
        hint=tr("add a rule to airgap.yaml, or leave --verify-images out"),
    )
