# SPDX-License-Identifier: Apache-2.0
"""The bytes of real encoders: the vectors of the package, and those of AIRGAP_RECODE_VECTORS where it is set."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType

import pytest

from airgap.recode import CODECS, CodecFailure, UnknownCodec, self_test, vectors
from tests.recode.contents import encode, needs_library

pytestmark = needs_library
#: A folder with make_vectors.py, which makes the inputs, and vectors/, what real encoders made of them.
FOLDER = os.environ.get("AIRGAP_RECODE_VECTORS", "")
needs_vectors = pytest.mark.skipif(not FOLDER, reason="AIRGAP_RECODE_VECTORS names no folder of vectors")


@pytest.mark.parametrize("codec", CODECS)
def test_each_codec_passes_its_own_vectors(codec: str) -> None:
    self_test(codec)


def test_no_two_codecs_have_the_same_digest() -> None:
    assert set(vectors._DIGESTS) == set(CODECS)
    assert len(set(vectors._DIGESTS.values())) == len(CODECS)


def test_a_codec_with_other_bytes_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vectors._DIGESTS, "go1.27/6", vectors._DIGESTS["go1.27/6/fma"])
    with pytest.raises(CodecFailure, match=r"go1\.27/6 does not give"):
        self_test("go1.27/6")


def test_a_codec_without_vectors_is_unknown() -> None:
    with pytest.raises(UnknownCodec):
        self_test("go2/6")


@functools.cache
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_vectors", Path(FOLDER) / "make_vectors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def published(name: str) -> dict[str, object]:
    loaded: dict[str, object] = json.loads((Path(FOLDER) / "vectors" / name).read_bytes())
    return loaded


def known(outputs: dict[str, object]) -> set[str]:
    """Their codecs; none may be missing here."""
    assert set(outputs) <= set(CODECS)
    assert len(outputs) >= 14
    return set(outputs)


@needs_vectors
def test_tiny_inputs_give_the_bytes_of_real_encoders() -> None:
    cases = published("tiny.json")["cases"]
    assert len(cases) >= 68
    for case in cases:
        content = base64.b64decode(case["in"])
        for codec in known(case["out"]):
            assert encode(codec, content) == base64.b64decode(case["out"][codec]), (codec, case["kind"], case["size"])


def check(name: str, codecs: set[str]) -> None:
    content: bytes = maker().make(name)
    entry = published("vectors.json")["inputs"][name]
    assert hashlib.sha256(content).hexdigest() == entry["sha256"], name
    for codec in known(entry["out"]) & codecs:
        made = encode(codec, content)
        assert [len(made), hashlib.sha256(made).hexdigest()] == entry["out"][codec], (codec, name)


@needs_vectors
def test_small_inputs_give_the_digests_of_real_encoders() -> None:
    inputs = published("vectors.json")["inputs"]
    assert len(inputs) >= 75
    names = [name for name in inputs if inputs[name]["size"] < 20_000]
    assert len(names) >= 20
    for name in names:
        check(name, set(CODECS))


@pytest.mark.long
@needs_vectors
def test_all_inputs_give_the_digests_of_real_encoders() -> None:
    for name in published("vectors.json")["inputs"]:
        check(name, set(CODECS))
