# SPDX-License-Identifier: Apache-2.0
"""With ``--progress json`` standard error is JSON to its last line, which is the summary or the error."""

from __future__ import annotations

import json
import re
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

from airgap.oci.digest import of
from tests.cli.command import Airgap, Registry, pod, settings
from tests.parts.waiting import at_rest, wait_until


def lines(stderr: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stderr.splitlines()]


def test_the_summary_is_an_event(airgap: Airgap, nexus: Registry, bundle: Path) -> None:
    to = ("import", bundle, "--to", f"{nexus.address}/p", "--progress", "json")
    events = lines(airgap.run(*to).stderr)
    planned = next(e for e in events if e["event"] == "planned")
    (done,) = [e for e in events if e["event"] == "finished"]
    assert done["how"] == "pushed"
    assert (done["images"], done["moved"], done["manifests"]) == (4, planned["blobs"], planned["manifests"])
    assert done["moved_bytes"] == planned["total"]
    assert 0 < done["seconds"] < done["elapsed"]
    assert done["rate"] == pytest.approx(done["moved_bytes"] / done["seconds"], rel=0.2)
    (again,) = [e for e in lines(airgap.run(*to, "--force").stderr) if e["event"] == "finished"]
    assert (again["images"], again["moved_bytes"], again["rate"]) == (0, 0, 0)


def test_the_summary_in_words(prepared: Airgap, nexus: Registry) -> None:
    """The last lines are aligned, and their command works."""

    def last_lines(said: str) -> dict[str, str]:
        rows = said.splitlines()[-7:]
        assert all(row[9:11] == "  " and row[11] != " " for row in rows), rows
        return {row[:11].strip(): row[11:] for row in rows}

    made = last_lines(prepared.run("export", "cert-manager.yaml", "-o", "b ü.tar").stderr)
    assert list(made) == ["bundle", "images", "platforms", "new", "reused", "time", "next"]
    assert made["bundle"] == "b ü.tar"
    assert made["images"].startswith("4 images, ")
    assert made["platforms"] == "linux/amd64, linux/arm64"
    assert " fetched at " in made["new"]
    assert made["reused"] == "nothing"
    assert re.fullmatch(r"\d+\.\d s", made["time"])
    command = made["next"].replace("HOST:PORT/PREFIX", f"{nexus.address}/p")
    assert command == f"airgap import 'b ü.tar' --to {nexus.address}/p"
    pushed = last_lines(prepared.run(*shlex.split(command)[1:], "--output", "out put").stderr)
    assert list(pushed) == ["target", *list(made)[1:]]
    assert pushed["target"] == f"{nexus.address}/p"
    assert pushed["images"] == "4 images pushed, 0 already there"
    assert pushed["platforms"] == made["platforms"]
    assert " pushed at " in pushed["new"]
    assert pushed["next"] == "kubectl apply -f 'out put'"


def test_an_error_is_the_last_object(airgap: Airgap, quay: Registry) -> None:
    airgap.write("pod.yaml", pod("quay.io/a/x:1", "quay.io/a/y:2"))
    airgap.write("airgap.yaml", settings({"quay.io": {"mirror": quay.url}}))
    words = airgap.run("export", "pod.yaml", "-o", "b.tar", code=22)
    said = airgap.run("export", "pod.yaml", "-o", "b.tar", "--progress", "json", code=22)
    assert said.stdout == b""
    last = lines(said.stderr)[-1]
    assert last["event"] == "failed"
    found = [last, *last["more"]]
    assert [e["code"] for e in found] == [22, 22]
    # The same as in words, part by part.
    assert [f"{e['where']}: {e['what']}" for e in found] == words.errors
    assert all(e["hint"] in words.stderr for e in found)
    assert "error:" not in said.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("export", "--progress", "json", "--jobs", "many"), 2),
        (("export", "--progress=json"), 2),
        (("export", "--refresh", "--progress", "json", "--image", "a", "-o", "b"), 2),
        (("import", "absent.tar", "--to", "127.0.0.1:1/x", "--progress", "json"), 2),
        (("verify", "absent.tar", "--progress", "json"), 2),
    ],
)
def test_whatever_is_wrong(airgap: Airgap, arguments: tuple[str, ...], code: int) -> None:
    said = airgap.run(*arguments, code=None)
    (last,) = lines(said.stderr)
    assert (last["event"], last["code"]) == ("failed", said.code)
    assert said.code == code
    assert last["what"]


def test_verify_tells_all_of_it(airgap: Airgap, bundle: Path) -> None:
    events = lines(airgap.run("verify", bundle, "--progress", "json").stderr)
    planned = next(e for e in events if e["event"] == "planned")
    assert planned["total"] == sum(e["bytes"] for e in events if e["event"] == "blob-done")
    assert "all as they should be" in events[-1]["text"]
    damaged = bytearray(bundle.read_bytes())
    place = damaged.rindex(bytes.fromhex("1f8b"))
    damaged[place + 40] ^= 1
    airgap.write("damaged.tar", bytes(damaged))
    said = airgap.run("verify", "damaged.tar", "--progress", "json", code=31)
    assert lines(said.stderr)[-1]["code"] == 31
    assert of(bytes(damaged)) != of(bundle.read_bytes())


def test_ctrl_c_too(airgap: Airgap) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": f"http://127.0.0.1:{deaf.getsockname()[1]}"}}))
        process = airgap.started("export", "--image", "quay.io/a/x:1", "-o", "b.tar", "--progress", "json")
        deaf.settimeout(60)
        peer, _ = deaf.accept()
        wait_until(at_rest(process.pid))
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        peer.close()
    assert process.returncode == 130
    last = lines(stderr.decode())[-1]
    assert (last["event"], last["code"]) == ("failed", 130)
    assert last["hint"] == "to continue: airgap export --image quay.io/a/x:1 -o b.tar --progress json"
