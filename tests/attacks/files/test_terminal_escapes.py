# SPDX-License-Identifier: Apache-2.0
"""File names, labels and the texts of servers that hold what a terminal obeys, through the output of every command."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from airgap.formatting import escaped, json_text
from tests.cli.command import Airgap, Registry, Result, pod, settings

#: A window title, a colour in C1, text that runs backwards, the line ends of Unicode.
HOSTILE = "\x1b]0;owned\x07\x9b31m\u202ereversed\u2066\u2028line\u2029\x7f"
#: What YAML takes of it.
IN_YAML = "\u202ereversed\u2066"
IMAGE = "quay.io/jetstack/cert-manager-webhook:v1.14.4"
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def assert_shown_safely(result: Result, *expected: str) -> None:
    """Nothing that a terminal obeys is printed, and ``expected`` is: the attack got as far as the output."""
    for text in (result.stdout.decode(), result.stderr):
        assert not _OBEYED.search(text), ascii(text)
    for text in expected:
        assert text in result.stdout.decode() + result.stderr, ascii((result.stdout, result.stderr))


@pytest.fixture
def hostile(airgap: Airgap, quay: Registry) -> Airgap:
    """A folder with resource files of hostile names, which name images that can be pulled."""
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
    configmap = f'apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  "x\\e[31m\\u202E": {IMAGE}\n'
    airgap.write(
        f"d/{HOSTILE}.yaml",
        pod(IMAGE, f"'{{{{ {IN_YAML} }}}}'") + "---\n" + configmap,
    )
    airgap.write(f"d/bad{HOSTILE}.yaml", "a: [\n")
    return airgap


@pytest.fixture
def liar() -> Iterator[str]:
    """The address of a registry that says hostile things in headers and errors."""
    failures: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = json.dumps(
                {"errors": [{"code": f"DENIED{HOSTILE}", "message": HOSTILE, "detail": HOSTILE}]}
            ).encode()
            # The first request is sent again, which tells what the registry said; the others end.
            failures.append(self.path)
            self.send_response(403 if self.path == "/v2/" else 500 if len(failures) == 1 else 400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Server", "\x1b[31m\x9b1m")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 - the names of http.server

        def log_message(self, format: str, *arguments: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


SHOWN = "\\x1b]0;owned\\x07\\x9b31m\\u202ereversed"


@pytest.mark.parametrize(
    ("arguments", "code", "shown"),
    [
        (["images", "d"], 3, SHOWN),
        (["images", "d", "--why"], 3, SHOWN),
        (["images", "d", "--json"], 3, "\\u001b]0;owned\\u0007\\u009b31m\\u202ereversed"),
        (["images", "d", "--json", "--why"], 3, "\\u001b]0;owned"),
        (["images", "d", "--refs"], 3, SHOWN),
        (["images", "d", "--strict"], 10, SHOWN),
        (["images", f"d/{HOSTILE}.yml"], 2, SHOWN),
        (["images", f"d/bad{HOSTILE}.yaml"], 10, SHOWN),
        (["export", "d", "-o", f"{HOSTILE}.tar"], 3, SHOWN),
        (["export", "d", "-o", "b.tar", "--progress", "json"], 3, "\\u001b]0;owned"),
        (["export", "d", "-o", f"none{HOSTILE}/b.tar"], 42, SHOWN),
        (["rewrite", "d", "--to", "reg.example/k", "--diff"], 3, SHOWN),
        (["rewrite", "d", "--to", "reg.example/k", "--check"], 4, SHOWN),
        (["rewrite", "d", "--to", "reg.example/k", "--dry-run", "--in-place"], 3, SHOWN),
        (["rewrite", "d", "--to", "reg.example/k", "--in-place"], 3, SHOWN),
        (["rewrite", "d", "--to", "reg.example/k", "--output", HOSTILE], 3, SHOWN),
        (["rewrite", "d", "--revert"], 10, SHOWN),
        (["inspect", f"{HOSTILE}.tar"], 2, SHOWN),
        (["verify", f"d/{HOSTILE}.yaml"], 40, SHOWN),
        (["diff", f"d/{HOSTILE}.yaml", "airgap.yaml"], 40, SHOWN),
        (["import", f"d/{HOSTILE}.yaml", "--to", "reg.example/k"], 40, SHOWN),
        (["inventory", "reg.example/k", "-o", f"none{HOSTILE}/x.json"], 42, SHOWN),
        (["serve", f"d/{HOSTILE}.yaml"], 40, SHOWN),
        (["hosts", "reg.example/k", "--for", "containerd", "--output", f"d/{HOSTILE}.yaml/x"], 42, SHOWN),
        (["images", "d", "--config", f"{HOSTILE}.yaml"], 2, SHOWN),
        ([HOSTILE], 2, "x1b"),
        (["images", f"--{HOSTILE}"], 2, SHOWN),
        (["doctor", "--explain", f"{HOSTILE} x509: certificate signed by unknown authority{HOSTILE}"], 0, "x509"),
        (["doctor", "--json", "--explain", f"x509: certificate signed by unknown authority {HOSTILE}"], 0, "x509"),
    ],
    ids=lambda value: None if not isinstance(value, list) else ascii(" ".join(value[:3]))[:40],
)  # fmt: skip
def test_what_a_name_holds_is_escaped(hostile: Airgap, arguments: list[str], code: int, shown: str) -> None:
    assert_shown_safely(hostile.run(*arguments, code=code), shown)


def test_json_says_what_the_name_is(hostile: Airgap) -> None:
    hostile.write("d/\udcff.yaml", pod("busybox"))  # a byte that is no UTF-8
    sites = hostile.run("images", "d", "--json", code=3)
    assert_shown_safely(sites, "\\udcff")
    assert {f"d/{HOSTILE}.yaml", "d/\udcff.yaml"} <= {site["file"] for site in sites.json}


def test_what_a_bundle_holds_is_escaped(hostile: Airgap) -> None:
    hostile.write("notes", f"first\n{HOSTILE.encode('utf-8', 'replace').decode()}\n")
    hostile.write(
        "airgap.yaml",
        json.dumps(
            {**json.loads((hostile.folder / "airgap.yaml").read_text()), "name": "n", "version": "1", "notes": "notes"}
        ),
    )
    hostile.run("export", "d", "-o", "b.tar", code=3)
    assert_shown_safely(hostile.run("inspect", "b.tar"), SHOWN, "first\n")
    assert_shown_safely(hostile.run("inspect", "b.tar", "--json"), "\\u202ereversed")
    assert_shown_safely(hostile.run("verify", "b.tar"))
    with Registry() as registry:
        assert_shown_safely(hostile.run("import", "b.tar", "--to", registry.address))
        assert_shown_safely(hostile.run("import", "b.tar", "--to", registry.address, "--force", "--progress", "json"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "--image", "{liar}/a:1", "-o", "b.tar"],
        ["export", "--image", "{liar}/a:1", "-o", "b.tar", "--progress", "json"],
        ["import", "{bundle}", "--to", "{liar}/k"],
        ["inventory", "{liar}/k", "-o", "x.json"],
        ["migrate", "{liar}/a", "{liar}/k"],
        ["doctor", "{liar}/k"],
        ["doctor", "{liar}/k", "--json"],
        ["images", "p.yaml", "--sizes"],
    ],
    ids=lambda arguments: "-".join(word for word in arguments[::3]),
)
def test_what_a_registry_says_is_escaped(airgap: Airgap, liar: str, bundle: Path, arguments: list[str]) -> None:
    airgap.write("p.yaml", pod(f"{liar}/a:1"))
    done = airgap.run(*(word.format(liar=liar, bundle=bundle) for word in arguments), code=None)
    assert done.code in (20, 21, 23, 24, 51)
    assert_shown_safely(done)


def test_what_a_client_asks_for_is_escaped_in_the_log_of_serve(airgap: Airgap, bundle: Path) -> None:
    with airgap.started("serve", bundle, "--listen", "127.0.0.1:0") as server:
        assert server.stderr is not None
        first = server.stderr.readline().decode()
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)", first)[1])  # type: ignore[index] # it is there
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(
                b"GET /v2/%1b[31m\x9b31m%E2%80%AE/manifests/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            while client.recv(4096):
                pass
        server.terminate()
        said = first + server.stderr.read().decode()
    assert not _OBEYED.search(said.replace("\n", "")), ascii(said)


@pytest.mark.parametrize(
    "character", [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x202E, 0x2028, 0xE0001)]
)
def test_escapes_are_read_back(character: str) -> None:
    assert escaped(f"a{character}b").encode("ascii").decode("unicode_escape") == f"a{character}b"
    text = json_text({"k": f"a{character}b"})
    assert text.isascii()
    assert json.loads(text) == {"k": f"a{character}b"}


def test_text_that_does_no_harm_stays() -> None:
    text = "한국어 \u3000 \u200d\U0001f469 é \\x1b"
    assert escaped(text) == text
    assert json.loads(json_text(text)) == text
    assert escaped("a\r\n\tb\rc", lines=True) == "a\r\n\tb\\x0dc"
