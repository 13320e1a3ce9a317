# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tests.cli.fixtures import *  # noqa: F403 - fixtures that tests/cli, tests/flows and tests/e2e share
