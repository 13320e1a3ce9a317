# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from airgap.oci import Descriptor
from airgap.store import MemoryStore
from airgap.store.readers import bytes_opener
from tests.suites.store_suite import StoreSuite, described, noise


class TestMemory(StoreSuite):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


def test_remembers_what_content_was_pushed_as() -> None:
    store, content = MemoryStore(), noise(10)
    descriptor = Descriptor("application/vnd.example", described(content).digest, 10)
    store.push(descriptor, bytes_opener(content))
    assert store.resolve(descriptor.digest).media_type == "application/vnd.example"
