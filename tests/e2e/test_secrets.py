# SPDX-License-Identifier: Apache-2.0
"""Every command that signs in, killed on the way too: the password is in nothing that it says, writes or starts.

Both sides are doubles of Nexus that want a user, by Basic or by tokens. What is looked through: both outputs with
``AIRGAP_DEBUG`` set, all files in the working folder and at home but those that are there to keep a credential, and
the command lines of the process and its children while they run.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import stat
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from tests.cli.command import Airgap, Registry, pod, settings
from tests.doubles.nexus import ADMIN, Nexus, Settings, nexus
from tests.doubles.nexus.settings import Repository, User
from tests.doubles.registry import Answer, Request, double
from tests.flows.migrate.migrations import registries
from tests.parts.faulty_line import STALL, faulty_line
from tests.parts.images import OCI_LAYER_PLAIN, Images
from tests.parts.proxy import http_proxy
from tests.parts.waiting import wait_until

MB = 1_000_000
#: Signs that are written in another way in an address, in JSON and in a shell.
SOURCE = User("from-there", 'sOurce/w+rd"7&%41')
TARGET = User("to-there", "tArget:w+rd'8?#=", admin=True)
WRONG = 'wrOng/w+rd"9@'
#: Files whose purpose is to hold a credential.
KEEPERS = ("config.json", "pull-secret.yaml")


def shapes(user: str, password: str) -> set[str]:
    """What a password looks like wherever it may turn up."""
    pair = f"{user}:{password}".encode()
    encoded = {one(text).decode().rstrip("=") for text in (pair, password.encode()) for one in ENCODERS}
    return {
        password,
        quote(password),
        quote(password, safe=""),
        json.dumps(password)[1:-1],
        repr(password)[1:-1],
    } | encoded


ENCODERS = (base64.b64encode, base64.urlsafe_b64encode)


@dataclass
class Watch:
    """Runs commands and looks through what comes of them. ``words`` must appear nowhere."""

    airgap: Airgap
    words: set[str] = field(default_factory=set)
    sides: list[Nexus] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    lines: set[str] = field(default_factory=set)

    def start(
        self, *arguments: str | Path, stdin: bool = False, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        more = {"AIRGAP_DEBUG": "1", **(environment or {})}
        process = subprocess.Popen(
            self.airgap.command(*arguments),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.airgap.folder,
            env=self.airgap.whole_environment(more),
        )
        threading.Thread(target=self._watch, args=(process,), daemon=True).start()
        return process

    def run(
        self,
        *arguments: str | Path,
        code: int = 0,
        password: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """``password`` is given on standard input. What it said, both outputs."""
        process = self.start(*arguments, stdin=password is not None, environment=environment)
        said = self.end(process, password)
        assert process.returncode == code, f"{process.returncode}: {said}"
        return said

    def end(self, process: subprocess.Popen[bytes], password: str | None = None) -> str:
        parts = process.communicate(None if password is None else f"{password}\n".encode(), timeout=60)
        self.told.append(b"".join(parts).decode("utf-8", "replace"))
        return self.told[-1]

    def check(self, *, typed: bool = False) -> None:
        """Nothing of it anywhere; on command lines too unless it was ``typed`` there."""
        words = self.words | {token for side in self.sides for token in side.access.tokens}
        found = {f"output {number}": text for number, text in enumerate(self.told)}
        for top in (self.airgap.folder, self.airgap.home):
            for path in top.rglob("*"):
                if path.is_file() and path.name not in KEEPERS:
                    found[str(path)] = path.read_bytes().decode("utf-8", "replace")
                found[f"the name of {path}"] = str(path)
        if not typed:
            assert self.lines
            found["command lines"] = "\n".join(self.lines)
        assert {(where, word) for where, text in found.items() for word in words if word in text} == set()

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        def ended() -> bool:
            for pid in _family(process.pid):
                with contextlib.suppress(OSError):
                    self.lines.add(Path(f"/proc/{pid}/cmdline").read_bytes().decode().replace("\0", " "))
            return process.poll() is not None

        wait_until(ended, seconds=120, every=0.005)


def _family(pid: int) -> Iterator[int]:
    """A process and what it has started."""
    yield pid
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                yield from _family(int(child))


@dataclass
class World:
    """A source with two images, and an empty target."""

    watch: Watch
    old: Nexus
    new: Nexus

    @property
    def source(self) -> str:
        return self.old.connector().address

    @property
    def target(self) -> str:
        return self.new.connector().address

    def sign_in(self, registry: str = "") -> None:
        """At the source, as a user does before an export."""
        more = ("--username", SOURCE.name, "--password-stdin")
        self.watch.run("login", f"http://{registry or self.source}", *more, password=SOURCE.password)


@pytest.fixture(params=[pytest.param("Basic", marks=pytest.mark.long), "Bearer"])
def world(airgap: Airgap, request: pytest.FixtureRequest) -> Iterator[World]:
    hosted = Repository("docker-hosted", connector="http", force_basic=request.param == "Basic")
    made = Settings(repositories=(hosted,), users=(ADMIN, SOURCE, TARGET), lockout=99)
    watch = Watch(airgap, shapes(SOURCE.name, SOURCE.password) | shapes(TARGET.name, TARGET.password))
    watch.words |= shapes(SOURCE.name, WRONG) | shapes(TARGET.name, WRONG)
    images = Images(12)
    roots = {
        "a/x:1": images.image(layers=[images.layer(size=3 * MB, media_type=OCI_LAYER_PLAIN)]),
        "a/y:1": images.image(),
    }
    with nexus(made) as old, nexus(made) as new:
        address = old.connector().address
        with registries(address, SOURCE) as client:
            for name, root in roots.items():
                repository, _, tag = name.rpartition(":")
                images.push_to(client.repository(address, repository, push=True), {tag: root})
        watch.sides += old, new
        airgap.environment |= {"AIRGAP_USERNAME": TARGET.name, "AIRGAP_PASSWORD": TARGET.password}
        yield World(watch, old, new)
        # Not that nobody was ever asked.
        assert {one.signed for side in (old, new) for one in side.seen if one.status < 300} & {request.param}


@pytest.mark.long
def test_where_images_come_from(world: World) -> None:
    """Sign in, export, killed and wrongly signed in too, look at it, sign out."""
    watch = world.watch
    with faulty_line(world.source, limit=2 * MB, ending=STALL) as line:
        world.sign_in(line.address)
        process = watch.start("export", "--image", f"{line.address}/a/x:1", "-o", "b.tar", "--progress", "json")
        assert line.stalled.wait(60)
        process.kill()
        watch.end(process)
        assert (watch.airgap.folder / "b.tar.journal").exists()
        watch.check()
    world.sign_in()
    watch.run("export", "--image", f"{world.source}/a/x:1", "-o", "c.tar", "--lock", "l.lock", "--progress", "json")
    watch.run("inspect", "c.tar", "--json")
    watch.run("login", f"http://{world.source}", "-u", SOURCE.name, "--password-stdin", code=21, password=WRONG)
    watch.run("logout", world.source)
    watch.run("export", "--image", f"{world.source}/a/x:1", "-o", "d.tar", code=21)
    watch.check()


def test_where_images_go(world: World) -> None:
    """Import, killed and wrongly signed in too, and what looks at what is there then."""
    watch, bundle = world.watch, "b.tar"
    world.sign_in()
    watch.run("export", "--image", f"{world.source}/a/x:1", "-o", bundle)
    with faulty_line(world.target) as line:
        line.stall_after = 2 * MB
        command = ("import", bundle, "--to", f"http://{line.address}/p", "--progress", "json")
        process = watch.start(*command)
        assert line.stalled.wait(60)
        process.kill()
        watch.end(process)
        line.release()
        (left,) = watch.airgap.home.rglob("import-*")
        assert "/blobs/uploads/" in left.read_text()
        watch.check()
        watch.run(*command)
    to = f"http://{world.target}/p"
    own = {"AIRGAP_USERNAME": "", "AIRGAP_PASSWORD": ""}
    given = ("--username", TARGET.name, "--password-stdin")
    again = ("import", bundle, "--to", f"http://{world.target}/q", *given)
    watch.run(*again, "--output", "q", password=TARGET.password, environment=own)
    watch.run(*again, "--output", "r", "--overwrite", password=WRONG, code=21, environment=own)
    watch.run("verify", bundle, "--against", to)
    watch.run("inventory", to, "-o", "i.json", "--progress", "json")
    watch.run("diff", bundle, "i.json")
    watch.check()


def test_what_mends_a_target_and_its_nodes(world: World) -> None:
    watch, to = world.watch, f"http://{world.target}/p"
    watch.run("doctor", to, "--nexus", world.new.url)
    watch.run("doctor", to, "--nexus", world.new.url, "--json", "--fix", "--yes")
    assert "password is wrong" in watch.run("doctor", to, "--json", code=51, environment={"AIRGAP_PASSWORD": WRONG})
    secret = ("--pull-secret", "p", "--output", "nodes")
    watch.run("hosts", to, "--for", "containerd", *secret, "--diff")
    watch.run("hosts", to, "--for", "containerd", *secret)
    made = watch.airgap.folder / "nodes/pull-secret.yaml"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    kept = json.loads(base64.b64decode(yaml.safe_load(made.read_text())["data"][".dockerconfigjson"]))
    assert [one["password"] for one in kept["auths"].values()] == [TARGET.password]
    watch.check()


@pytest.mark.long
def test_from_one_registry_to_another(world: World) -> None:
    watch = world.watch
    with faulty_line(world.target) as line:
        line.stall_after = 1_500_000
        command = ["migrate", f"http://{world.source}", f"http://{line.address}", "--source-username", SOURCE.name]
        command += ["--report", "r.json", "--progress", "json"]
        password = {"AIRGAP_SOURCE_PASSWORD": SOURCE.password}
        process = watch.start(*command, environment=password)
        assert line.stalled.wait(60)
        process.kill()
        watch.end(process)
        line.release()
        watch.check()
        watch.run(*command, environment=password)
        watch.run(*command, environment={"AIRGAP_SOURCE_PASSWORD": WRONG}, code=21)
    watch.check()


def test_a_credential_helper_is_told_by_its_standard_input(world: World, tmp_path: Path) -> None:
    watch, kept = world.watch, tmp_path / "kept"
    program = tmp_path / "bin/docker-credential-spy"
    program.parent.mkdir()
    acts = f"case $1 in store) cat > {kept};; get) cat {kept};; erase) cat; rm {kept};; esac"
    program.write_text(f"#!/bin/sh\nsleep 0.1\n{acts}\n")
    program.chmod(0o755)
    watch.airgap.write("../user/.docker/config.json", json.dumps({"credsStore": "spy"}))
    watch.airgap.environment["PATH"] = f"{program.parent}:{os.environ['PATH']}"
    world.sign_in()
    assert json.loads(kept.read_text())["Secret"] == SOURCE.password
    assert SOURCE.password not in (watch.airgap.home / ".docker/config.json").read_text()
    watch.run("export", "--image", f"{world.source}/a/y:1", "-o", "b.tar")
    watch.run("logout", world.source)
    assert not kept.exists()
    assert any("docker-credential-spy store" in one for one in watch.lines), "the children were looked at"
    watch.check()


@pytest.fixture
def typed(airgap: Airgap) -> Watch:
    """For addresses with a user and password in them, which are on the command line because somebody typed them."""
    return Watch(airgap, shapes("me", SOURCE.password))


ME = f"me:{quote(SOURCE.password, safe='')}@"


@pytest.mark.parametrize(
    "command",
    [
        ("import", "BUNDLE", "--to", f"http://{ME}127.0.0.1:9/p"),
        ("import", "BUNDLE", "--to", f"{ME}127.0.0.1:9/p"),
        ("verify", "BUNDLE", "--against", f"http://{ME}127.0.0.1:9/p"),
        ("inventory", f"http://{ME}127.0.0.1:9/p", "-o", "i.json"),
        ("migrate", f"http://{ME}127.0.0.1:9", "http://127.0.0.1:9"),
        ("migrate", "http://127.0.0.1:9", f"http://{ME}127.0.0.1:9"),
        ("doctor", f"http://{ME}127.0.0.1:9/p", "--json"),
        ("hosts", f"http://{ME}127.0.0.1:9/p", "--for", "containerd", "--output", "n"),
        ("login", f"http://{ME}127.0.0.1:9", "-u", "me", "--password-stdin"),
        ("logout", f"http://{ME}127.0.0.1:9"),
        ("images", f"oci://{ME}127.0.0.1:9/chart"),
        ("export", "--image", f"{ME}127.0.0.1:9/a:1", "-o", "b.tar"),
        ("export", "--image", f"http://{ME}127.0.0.1:9/a:1", "-o", "b.tar"),
        ("export", "--image", f"{ME.replace('%2F', '/')}127.0.0.1:9/a:1", "-o", "b.tar"),
    ],
    ids=lambda command: command[0],
)
def test_an_address_that_may_hold_no_password(typed: Watch, bundle: Path, command: tuple[str, ...]) -> None:
    said = typed.run(
        *(bundle if word == "BUNDLE" else word for word in command), code=11 if "--image" in command else 2
    )
    assert "user or password" in said or "no address" in said
    typed.words.add(SOURCE.password[:6])
    typed.check(typed=True)


def test_addresses_with_a_password_where_these_are_usual(typed: Watch) -> None:
    """A mirror and a registry's other address in airgap.yaml, what is downloaded, a proxy: shown and kept nowhere."""
    images, mine = Images(5), quote(SOURCE.password, safe="")
    with Registry() as registry, http_proxy(user="me", password=SOURCE.password) as proxy:
        registry.fill(images, {"a/x:1": images.image()})
        there = f"{ME}{registry.address}"

        def serve(request: Request) -> Answer:
            return Answer(200, pod("quay.io/a/x:1").encode()) if request.path == "/pod.yaml" else Answer(404)

        with double(serve) as pages:
            typed.airgap.write("there.yaml", settings({"quay.io": {"mirror": f"http://{there}"}}))
            at = ("--config", "there.yaml", "--progress", "json")
            typed.run("export", f"http://{ME}{pages.address}/pod.yaml?key={mine}", "-o", "b.tar", *at)
            typed.run("export", f"http://{ME}{pages.address}/none.yaml?key={mine}", "-o", "c.tar", *at, code=22)
        typed.run("import", "b.tar", "--to", f"{registry.address}/p", "--via", f"http://{there}")
        typed.run("inspect", "b.tar", "--json")
        (typed.airgap.folder / "there.yaml").unlink()
        for address, code in (
            (f"http://{ME}127.0.0.1:{proxy.port}", 24),
            (f"http://{ME}127.0.0.1:9", 24),
            (f"http://{ME}[x", 2),
        ):
            proxied = {"HTTPS_PROXY": address, "HTTP_PROXY": address}
            typed.run("export", "--image", "registry.invalid/a:1", "-o", "d.tar", code=code, environment=proxied)
        assert proxy.connects == ["registry.invalid:443"]
    typed.check(typed=True)
