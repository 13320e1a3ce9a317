# SPDX-License-Identifier: Apache-2.0
"""The tests, in the same tree as the program. ``parts`` starts real programs and makes images, ``suites`` is shared."""

import pytest

pytest.register_assert_rewrite("tests.suites", "tests.parts")
