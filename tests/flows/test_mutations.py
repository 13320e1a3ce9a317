# SPDX-License-Identifier: Apache-2.0
"""Whatever is changed in a signed bundle is found: by verify, and by an import that requires a signature before it asks
the target anything."""

from __future__ import annotations

import collections
import random
from pathlib import Path

import pytest

from airgap.bundle import open_bundle
from airgap.errors import AirgapError
from airgap.flows.admission import Demand, admit, verify_signed
from airgap.flows.sign import certificate_signer, key_signer
from airgap.transfer import Context, Jobs
from airgap.trust.policy import Policy
from airgap.trust.secret_key import SecretKey
from tests.bundle.mutations import FORMS, entry, is_sealed, is_split, make, mutation, tar_of, unseal, write
from tests.parts.certificates import Authority

CONTEXT = Context(Jobs.of(1))
#: Forms, and whether the signatures are in files beside the bundle.
SIGNED = [
    *(("tar", False), ("tar", True), ("volumes", False), ("volumes", True), ("zstd", True)),
    *(("sealed", False), ("sealed", True), ("sealed volumes", False)),
]


def run(folder: Path, form: str, detached: bool, authority: Authority, *, count: int, seed: int) -> dict[str, int]:
    """Change a bundle ``count`` times; return how many changes there were of each kind.

    Changes of a compressed file that leave the tar as it is count as ``same tar``: its bits are not all needed.
    """
    keys = [SecretKey.generate(), SecretKey.generate()]
    pair = authority.signer()
    signers = [key_signer(key, f"signer {number}") for number, key in enumerate(keys)]
    signers.append(certificate_signer(pair.certificate.read_bytes(), str(pair.key), ""))
    good = make(folder / "good", form, *signers, detached=detached)
    policy = Policy([key.public_key for key in keys], authorities=authority.ca.read_bytes(), required=True)
    demand, chance, seen = Demand(policy), random.Random(seed), collections.Counter[str]()

    def found(path: Path) -> bool:
        unnoticed = 0
        for use in (verify_signed, admit):
            try:
                with open_bundle(path, unseal=unseal) as bundle:
                    use(bundle, demand, CONTEXT)
                unnoticed += 1
            except AirgapError:
                pass
        assert unnoticed in (0, 2), "verify and import do not agree"
        return not unnoticed

    write(folder / "changed", good)
    assert not found(entry(folder / "changed", form)), "the unchanged bundle is refused"
    for _ in range(count):
        how, changed = mutation(form, good, chance)
        write(folder / "changed", changed)
        if found(entry(folder / "changed", form)):
            seen["bits" if how.startswith("bit ") else "structure"] += 1
            continue
        beside = {name for name in good if name.endswith((".minisig", ".p7s"))}
        assert all(good[name] == changed.get(name) for name in beside), f"not found: {how}"
        assert form == "zstd", f"not found: {how}"
        assert tar_of(form, changed) == tar_of(form, good), f"not found: {how}"
        seen["same tar"] += 1
    return dict(seen)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_what_its_name_says(tmp_path: Path, form: str) -> None:
    files = make(tmp_path / "b", form)
    first = files[entry(tmp_path / "b", form).name]
    start = {"zstd": b"\x28\xb5\x2f\xfd"}.get(form, b"age-encryption.org/v1\n" if is_sealed(form) else b"oci-layout")
    assert first.startswith(start)
    assert (len(files) > 3) == is_split(form)


@pytest.mark.requires("openssl", "zstd")
@pytest.mark.parametrize(("form", "detached"), SIGNED)
def test_a_sample_of_changes(tmp_path: Path, form: str, detached: bool, authority: Authority) -> None:
    seen = run(tmp_path, form, detached, authority, count=20, seed=18)
    assert seen.get("bits", 0) > 2
    assert seen.get("structure", 0) > 2


@pytest.mark.long
@pytest.mark.requires("openssl", "zstd")
@pytest.mark.parametrize(("form", "detached"), SIGNED)
def test_a_thousand_changes(tmp_path: Path, form: str, detached: bool, authority: Authority) -> None:
    seen = run(tmp_path, form, detached, authority, count=200, seed=1000)
    print(form, "beside" if detached else "inside", seen)
    assert sum(seen.values()) == 200
