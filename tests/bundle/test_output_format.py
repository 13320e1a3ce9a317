# SPDX-License-Identifier: Apache-2.0
"""The files of a bundle, by its form."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from airgap.bundle.output_format import OutputFormat
from airgap.errors import UsageError

LAYOUT = cast(Any, SimpleNamespace(total=2_500_000))


def test_a_volume_that_does_not_exist_is_refused() -> None:
    chosen = OutputFormat(Path("b.tar"), volume_size=1_000_000, volume=3)
    assert chosen.output_paths(LAYOUT) == [Path("b.tar.003")]
    with pytest.raises(UsageError, match="there is no volume 4, there are 3"):
        OutputFormat(Path("b.tar"), volume_size=1_000_000, volume=4).output_paths(LAYOUT)
