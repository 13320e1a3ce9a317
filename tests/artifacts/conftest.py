# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tests.cli.fixtures import *  # noqa: F403 - fixtures that all tests of commands share
