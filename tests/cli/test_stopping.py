# SPDX-License-Identifier: Apache-2.0
"""The second Ctrl-C or SIGTERM ends a process at once, even where the first cannot: inside a name server's silence."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import TRACEBACK, Airgap, settings
from tests.parts.network import closed_network
from tests.parts.waiting import wait_until

#: Runs airgap with a resolver that never answers: like that of the C library, it cannot be interrupted.
STUCK = """\
import ctypes, os, socket, sys, threading
from tests.parts.waiting import wait_until

library = ctypes.CDLL(None)
mutex = ctypes.create_string_buffer(256)
library.pthread_mutex_lock(mutex)

def say_when_it_waits():
    wait_until(lambda: int.from_bytes(mutex[:4], sys.byteorder) == 2)  # glibc: locked, and somebody waits
    os.write(1, b"resolving\\n")

def getaddrinfo(*arguments, **more):
    threading.Thread(target=say_when_it_waits, daemon=True).start()
    library.pthread_mutex_lock(mutex)

socket.getaddrinfo = getaddrinfo
from airgap.cli import main
main(sys.argv[1:])
"""
#: Runs airgap with a main thread that waits for an answer and that no signal interrupts, since another thread takes
#: them. It is the same for a signal that arrives in the moment before the main thread begins to wait.
WAITS = """\
import os, signal, sys, threading
from airgap.cli import main, prompts

signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

def ask(*arguments):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        os.write(1, b"waiting\\n")
        os.read(0, 1)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)

prompts.ask_user = ask
prompts.can_ask = lambda *arguments: True
main(sys.argv[1:])
"""
#: Runs airgap on a terminal that sends a Ctrl-C at the very moment in which the question stands there.
AT_ONCE = """\
import io, os, signal, sys
from airgap.cli import main, prompts

class Terminal(io.TextIOWrapper):
    last = ""
    def write(self, text):
        self.last = text or self.last
        return super().write(text)
    def flush(self):
        super().flush()
        if self.last.endswith(": "):
            self.last = ""
            os.kill(os.getpid(), signal.SIGINT)

sys.stderr = Terminal(sys.stderr.buffer)
prompts.can_ask = lambda *arguments: True
main(sys.argv[1:])
"""
#: ``import`` asks for the target in the main thread; ``export`` asks registries in threads of its own.
IN_MAIN_THREAD = ("inventory", "http://registry.test", "-o", "receipt.json")
IN_WORKER = ("export", "--image", "quay.io/a/x:1", "-o", "b.tar")

WHERE = pytest.mark.parametrize("arguments", [IN_MAIN_THREAD, IN_WORKER], ids=["main thread", "worker"])
#: Well below the time for which the resolver is silent, well above what a busy machine needs.
SOON = 10


class Output:
    """What a process has written to a pipe so far."""

    def __init__(self, pipe: object) -> None:
        self._fd = pipe.fileno()  # type: ignore[attr-defined] # a file
        os.set_blocking(self._fd, False)
        self.text = ""

    def has(self, words: str) -> bool:
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self._fd, 65536):
                self.text += piece.decode()
        return words in self.text


@contextlib.contextmanager
def stuck(airgap: Airgap, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Output]]:
    """A command that waits for its resolver; what it says on standard error."""
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": "http://registry.test"}}))
    with ended(
        subprocess.Popen(
            [sys.executable, "-c", STUCK, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=airgap.folder,
            env=airgap.whole_environment(),
        )
    ) as process:
        said, errors = Output(process.stdout), Output(process.stderr)
        wait_until(lambda: said.has("resolving"))
        yield process, errors


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    with process:
        try:
            yield process
        finally:
            process.kill()


def send(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """Send a signal and wait until the process has taken it."""

    def taken() -> bool:
        status = Path(f"/proc/{process.pid}/status").read_text()
        pending = int(next(line for line in status.splitlines() if line.startswith("ShdPnd:")).split()[1], 16)
        return not pending & 1 << (how - 1)

    process.send_signal(how)
    wait_until(taken)


@WHERE
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (signal.SIGINT, signal.SIGTERM),
        (signal.SIGTERM, signal.SIGINT),
        (signal.SIGTERM, signal.SIGHUP),
        (signal.SIGHUP, signal.SIGTERM),
    ],
)
def test_the_second_signal_ends_it_at_once(
    airgap: Airgap, arguments: tuple[str, ...], first: signal.Signals, second: signal.Signals
) -> None:
    with stuck(airgap, *arguments) as (process, errors):
        send(process, first)
        assert process.poll() is None, "the first one waits for what is under way"
        process.send_signal(second)
        assert process.wait(SOON) == 130
        assert errors.has(f"error: stopped at once\n  to continue: {shlex.join(['airgap', *arguments])}\n")
    assert not TRACEBACK.search(errors.text), errors.text


@contextlib.contextmanager
def asking(airgap: Airgap, program: str) -> Iterator[subprocess.Popen[bytes]]:
    """``airgap login``, which asks for a user. Nobody answers."""
    with ended(
        subprocess.Popen(
            [sys.executable, "-c", program, "login", "registry.test"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=airgap.folder,
            env=airgap.whole_environment(),
        )
    ) as process:
        yield process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_just_before_the_main_thread_waits_is_not_lost(airgap: Airgap, number: signal.Signals) -> None:
    with asking(airgap, WAITS) as process:
        said = Output(process.stdout)
        wait_until(lambda: said.has("waiting"))
        process.send_signal(number)
        assert process.wait(SOON) == 130


def test_a_signal_while_a_question_is_printed_is_not_lost(airgap: Airgap) -> None:
    with asking(airgap, AT_ONCE) as process:
        assert process.wait(SOON) == 130


@WHERE
def test_ctrl_c_twice(airgap: Airgap, arguments: tuple[str, ...]) -> None:
    """After the first one the user is told what a second one does."""
    with stuck(airgap, *arguments) as (process, errors):
        process.send_signal(signal.SIGINT)
        wait_until(lambda: errors.has("still stopping; another Ctrl-C ends airgap at once\n"))
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON) == 130
        assert errors.has("error: stopped at once\n")


def test_it_is_told_as_json_where_everything_is(airgap: Airgap) -> None:
    with stuck(airgap, *IN_MAIN_THREAD, "--progress", "json") as (process, errors):
        send(process, signal.SIGINT)
        wait_until(lambda: errors.has("still stopping"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(SOON) == 130
        assert errors.has("stopped at once")
    noted, failed = (json.loads(line) for line in errors.text.splitlines())
    assert (noted["event"], noted["text"]) == ("noted", "still stopping; another Ctrl-C ends airgap at once")
    assert (failed["event"], failed["code"], failed["what"]) == ("failed", 130, "stopped at once")


def test_nobody_reads_what_it_says(airgap: Airgap) -> None:
    """A full pipe does not hold it back."""
    with stuck(airgap, *IN_MAIN_THREAD) as (process, _):
        assert process.stderr is not None
        fill(f"/proc/{process.pid}/fd/2")
        send(process, signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SOON) == 130


def fill(path: str) -> None:
    """Write into somebody's pipe until it is full."""
    pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    try:
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(pipe, bytes(4096))
    finally:
        os.close(pipe)


#: A name server that takes a query, says so, and answers nothing.
SILENT = """\
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("bound", flush=True)
server.recv(512)
print("asked", flush=True)
while True:
    server.recv(512)
"""


@WHERE
def test_a_name_server_that_does_not_answer(airgap: Airgap, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """The same with the C library's own resolver, which would wait for a minute."""
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:2\n")
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": "http://registry.test"}}))
    with closed_network(tmp_path / "network", names={}) as network:
        mount = [*network.prefix, "mount", "--bind", str(resolver), str(Path("/etc/resolv.conf").resolve())]
        subprocess.run(mount, check=True)
        server = subprocess.Popen([*network.prefix, sys.executable, "-c", SILENT], stdout=subprocess.PIPE)
        with ended(server):
            heard = Output(server.stdout)
            wait_until(lambda: heard.has("bound"))
            command = [*network.prefix, *airgap.command(*arguments)]
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=airgap.folder,
                env=airgap.whole_environment(),
            )
            with ended(process):
                wait_until(lambda: heard.has("asked"))
                send(process, signal.SIGINT)
                assert process.poll() is None
                process.send_signal(signal.SIGTERM)
                assert process.wait(SOON) == 130
