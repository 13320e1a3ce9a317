# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from airgap.oci import Descriptor
from airgap.store import Memory
from airgap.store.base import opener_of
from tests.suites.store_suite import StoreSuite, described, noise


class TestMemory(StoreSuite):
    @pytest.fixture
    def store(self) -> Memory:
        return Memory()


def test_remembers_what_content_was_pushed_as() -> None:
    store, content = Memory(), noise(10)
    descriptor = Descriptor("application/vnd.example", described(content).digest, 10)
    store.push(descriptor, opener_of(content))
    assert store.resolve(descriptor.digest).media_type == "application/vnd.example"
