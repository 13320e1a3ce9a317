# SPDX-License-Identifier: Apache-2.0
"""The score on shapes of popular projects that no rule was written for (tests/kube/heldout)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from airgap.kube.model import POSSIBLE, Scan
from airgap.oci import Reference
from tests.kube.support import attempt

FOLDER = Path(__file__).parent / "heldout"
#: How many files must be whole: what the rules reach, written for reasons and not for these files.
WHOLE = 65


class Score(NamedTuple):
    """``found`` of ``expected`` images are certain or likely; ``false`` are finds that name no image."""

    files: int
    whole: int
    expected: int
    found: int
    unsure: int
    false: int
    unlisted: int


def score() -> Score:
    truth = json.loads((FOLDER / "truth.json").read_text("utf-8"))
    whole = expected_count = found_count = unsure_count = false = unlisted = 0
    for name, entry in truth.items():
        result = attempt((FOLDER / "files" / name).read_bytes(), name)
        scan = result if isinstance(result, Scan) else Scan((), ())
        expected = {str(Reference.parse(image)) for image in entry["images"]}
        sure = {str(site.reference) for site in scan.sites if site.confidence != POSSIBLE}
        every = {str(site.reference) for site in scan.sites}
        others = {
            image
            for image in every
            if image not in expected and image not in {str(Reference.parse(text)) for text in entry["listed"]}
        }
        forbidden = sum(text in site.text for site in scan.sites for text in entry["never"])
        listed = {miss.text for miss in scan.misses} | {site.text for site in scan.sites}
        missing = sum(not any(text in one for one in listed) for text in entry["listed"])
        expected_count += len(expected)
        found_count += len(expected & sure)
        unsure_count += len(expected & (every - sure))
        false += max(len(others), forbidden)
        unlisted += missing
        whole += isinstance(result, Scan) and expected <= sure and not others and not forbidden and not missing
    return Score(len(truth), whole, expected_count, found_count, unsure_count, false, unlisted)


def test_the_score() -> None:
    result = score()
    assert result.whole >= WHOLE, result
