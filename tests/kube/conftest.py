# SPDX-License-Identifier: Apache-2.0
"""Both parsers: libyaml's, and PyYAML's own, which is all that airgap.pyz has on a bare Python."""

from __future__ import annotations

import pytest
import yaml


@pytest.fixture(params=["libyaml", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "pure":
        monkeypatch.setattr(yaml, "__with_libyaml__", False)
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    elif not yaml.__with_libyaml__:
        pytest.skip("this PyYAML was built without libyaml")
    return request.param
