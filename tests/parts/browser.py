# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium, driven over its debugging pipe (Chrome DevTools Protocol): one page at a time, from disk.

Nothing can be fetched: the network is emulated as offline, and every request that a page makes all the same is kept.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import selectors
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.parts.need import program
from tests.parts.service import clean_environment

#: The programs that will do: the small one first.
NAMES = ("chromium-headless-shell", "chromium")
_DEADLINE = 60.0


class Browser:
    """A page of a running Chromium. Methods raise AssertionError for what the browser reports as failed."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._buffer = b""
        self._count = 0
        self._session = ""
        self._events: list[dict[str, Any]] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")

    def open(self, path: Path) -> None:
        """Open a file and wait until it is loaded."""
        self._events.clear()
        self._call("Page.navigate", url=path.absolute().as_uri())
        self._wait("Page.loadEventFired")

    def requests(self) -> list[str]:
        """The addresses that were asked for since :meth:`open`."""
        sent = [event for event in self._events if event["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def problems(self) -> list[str]:
        """What the browser logged since :meth:`open`: refusals of the content security policy, errors."""
        logged = [event for event in self._events if event["method"] == "Log.entryAdded"]
        return [event["params"]["entry"]["text"] for event in logged]

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, or what its promise resolves to."""
        told = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def click(self, selector: str) -> None:
        """Click an element."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def text(self) -> str:
        """The text that is seen."""
        return str(self.evaluate("document.body.innerText"))

    def pdf(self) -> bytes:
        """The page printed on the paper that it asks for."""
        return base64.b64decode(self._call("Page.printToPDF", preferCSSPageSize=True)["data"])

    def picture(self) -> bytes:
        """The whole page as PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (told := self._read()).get("id") != self._count:
            self._events.append(told)
        assert "error" not in told, (method, told)
        result: dict[str, Any] = told["result"]
        return result

    def _wait(self, event: str) -> None:
        while not any(one["method"] == event for one in self._events):
            self._events.append(self._read())

    def _read(self) -> dict[str, Any]:
        """The next message; the browser has a minute for it."""
        deadline = time.monotonic() + _DEADLINE
        with selectors.DefaultSelector() as selector:
            selector.register(self._from, selectors.EVENT_READ)
            while b"\0" not in self._buffer:
                assert selector.select(deadline - time.monotonic()), "the browser does not answer"
                piece = os.read(self._from, 1 << 20)
                assert piece, "the browser has ended"
                self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        told: dict[str, Any] = json.loads(message)
        return told


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Start a browser with an empty profile below ``folder``; skips the test where there is none."""
    found = next((path for name in NAMES if (path := program(name))), None)
    if found is None:
        pytest.skip("no Chromium is installed (Debian package chromium-headless-shell)")
    read_commands, to_browser = os.pipe()
    from_browser, write_answers = os.pipe()
    # The browser's ends must be its descriptors 3 and 4: the shell puts them there, whatever their numbers are here.
    redirected = f'exec "$@" 3<&{read_commands} 4>&{write_answers}'
    command = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"]
    command += [f"--user-data-dir={folder}/profile", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND"]
    process = subprocess.Popen(
        ["bash", "-c", redirected, "browser", found, *command],
        pass_fds=(read_commands, write_answers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(folder),
    )
    os.close(read_commands)
    os.close(write_answers)
    try:
        yield Browser(to_browser, from_browser)
    finally:
        os.close(to_browser)  # the end of the pipe ends it
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(from_browser)
