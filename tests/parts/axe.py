# SPDX-License-Identifier: Apache-2.0
"""axe-core, the accessibility checker, out of its npm package."""

from __future__ import annotations

import json
from typing import Any

from tests.parts.browser import Browser
from tests.parts.npm import npm_package

VERSION = "4.14.1"


def violations(browser: Browser) -> list[dict[str, Any]]:
    """What axe reports of the page that is open: each rule with its impact and the elements that break it."""
    browser.evaluate(_script())
    result = json.loads(browser.evaluate("axe.run().then(result => JSON.stringify(result.violations))"))
    return [
        {"rule": one["id"], "impact": one["impact"], "nodes": [node["html"] for node in one["nodes"]]} for one in result
    ]


def _script() -> str:
    return (npm_package("axe-core", VERSION) / "axe.min.js").read_text(encoding="utf-8")
