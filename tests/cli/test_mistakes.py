# SPDX-License-Identifier: Apache-2.0
"""The mistakes of somebody new to the program: each ends with the documented exit code, one ``error:`` line that says
what is wrong and where, and a line that says what to do."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cli.command import TRACEBACK, Airgap, Registry, pod
from tests.parts.images import Images
from tests.parts.service import free_port

LINES = 4


@dataclass(frozen=True)
class Mistake:
    """``says`` and ``helps`` are searched in the error's line and in its hint. ``output``: the command reports on
    standard output, and its hint is there.

    In ``command`` and ``says`` OPEN is a registry by plain HTTP, CLOSED one with a password, NOBODY a port on which
    nothing listens.
    """

    command: str
    code: int
    says: str
    helps: str
    output: bool = False


MISTAKES = (
    # The command line
    Mistake("exprot app.yaml -o x.tar", 2, r"No such command 'exprot'.*'export'", r"airgap --help"),
    Mistake("export app.yaml --outptu x.tar", 2, r"No such option '--outptu'.*'--output'", r"airgap export --help"),
    Mistake("export app.yaml -o x.tar --jobs many", 2, r"'--jobs'.*'many'", r"airgap export --help"),
    Mistake("import b.tar --to", 2, r"'--to' requires an argument", r"airgap import --help"),
    Mistake("import b.tar --to OPEN/p --mapping base", 2, r"'--mapping'.*'basename', 'path', 'full'", r"--help"),
    Mistake("hosts OPEN --for docer -o n", 2, r"'--for'.*'docer'.*'docker'", r"airgap hosts --help"),
    Mistake("hosts OPEN", 2, r"'--for'.*containerd", r"airgap hosts --help"),
    Mistake("inventory OPEN", 2, r"Missing option '-o'", r"airgap inventory \[OPTIONS\] TARGET"),
    Mistake("prune OPEN", 2, r"Missing option '--keep'", r"airgap prune --help"),
    Mistake("prune --keep b.tar --dry-run", 2, r"which registry", r"give TARGET"),
    Mistake("prune OPEN/p --keep b.tar", 2, r"nobody to ask", r"--dry-run shows"),
    Mistake("prune OPEN/p --keep app.yaml --dry-run", 40, r"app.yaml: this is no airgap bundle", r"airgap export"),
    Mistake("prune OPEN/p --keep b.tar --dry-run", 2, r"no receipt and no history", r"--receipt names"),
    Mistake("migrate OPEN", 2, r"Missing argument 'TARGET'", r"airgap migrate \[OPTIONS\] SOURCE TARGET"),
    Mistake("diff b.tar", 2, r"Missing argument 'NEW'", r"airgap diff --help"),
    Mistake("login", 2, r"Missing argument 'REGISTRY'", r"airgap login \[OPTIONS\] REGISTRY"),
    Mistake("completion tcsh", 2, r"'tcsh'.*'bash'", r"--help"),
    Mistake("rewrite app.yaml --to OPEN -o x.yaml --in-place", 2, r"one of --output, --in-place", r"--help"),
    # What to read
    Mistake("export", 2, r"where should the bundle go", r"-o bundle.tar"),
    Mistake("images", 2, r"what should be read", r"PATH or -"),
    Mistake("export nothere.yaml -o x.tar", 2, r"nothere.yaml: there is no such file", r"a file, a folder, or -"),
    Mistake("export app.yml -o x.tar", 2, r"app.yml: there is no such file", r"did you mean app.yaml\?"),
    Mistake("export emptydir -o x.tar", 10, r"emptydir: no resource files", r"\.yaml, \.yml or \.json"),
    Mistake("export empty.yaml -o x.tar", 10, r"no image .*empty.yaml", r"Kubernetes YAML or JSON"),
    Mistake("export svc.yaml -o x.tar", 10, r"no image .*svc.yaml", r"Kubernetes YAML or JSON"),
    Mistake("export broken.yaml -o x.tar", 10, r"broken.yaml:2: not valid YAML", r"this line and the one before"),
    Mistake("export tab.yaml -o x.tar", 10, r"tab.yaml:2: not valid YAML", r"expand -i -t 2 tab.yaml"),
    Mistake("export cp949.yaml -o x.tar", 10, r"cp949.yaml:1: .*CP949", r"iconv -f CP949"),
    Mistake("export upper.yaml -o x.tar", 10, r"upper.yaml:\d+: .*lower case", r"REGISTRY/REPOSITORY:TAG"),
    Mistake("export b.tar -o x.tar", 10, r"b.tar: this is a bundle", r"airgap inspect b.tar"),
    Mistake("export --image nginx:latest:1 -o x.tar", 11, r"'nginx:latest:1'", r"REGISTRY/REPOSITORY:TAG"),
    Mistake("export app.yaml -o x.tar --config nope.yaml", 2, r"nope.yaml: there is no such file", r"working folder"),
    Mistake("export app.yaml -o x.tar --config typo.yaml", 2, r"typo.yaml:1: .*'registires'", r"registries\?"),
    # Where to write
    Mistake("export app.yaml -o x.zip", 2, r"x.zip: a bundle is a plain tar", r"-o x.tar"),
    Mistake("export app.yaml -o emptydir", 42, r"emptydir: a folder", r"-o names a file"),
    Mistake("export app.yaml -o no/such/x.tar", 42, r"no/such/x.tar: its folder does not exist", r"mkdir -p no/such"),
    Mistake("export app.yaml -o x.tar --volume-size 4GiBB", 2, r"'4GiBB' is no size", r"4.7GB"),
    Mistake("export app.yaml -o x.tar --platform amd64", 2, r"'amd64' is no platform", r"linux/amd64"),
    Mistake("export app.yaml -o x.tar --platform linux/arm", 22, r"OPEN/x:1: is for linux/amd64", r"--platform out"),
    Mistake("import b.tar --to OPEN/p --output taken", 42, r"taken/app.yaml: .*other content", r"--force"),
    # Which registry
    Mistake("export gone.yaml -o x.tar", 22, r"OPEN/nope:1: the registry has no tag 1", r"check the spelling"),
    Mistake("export down.yaml -o x.tar", 24, r"NOBODY/x:1.*nothing listens", r"check the port"),
    Mistake("import b.tar", 2, r"where should the images go", r"--to HOST:PORT/PREFIX"),
    Mistake("import b.tar --to nexus", 2, r"'nexus' is no target", r"nexus:8082"),
    Mistake("import b.tar --to ftp://x.y/p", 2, r"not by ftp://", r"http:// before it"),
    Mistake("import b.tar --to OPEN/p/UPPER", 2, r"UPPER' is no target: .*lower case", r"HOST:PORT/PREFIX"),
    Mistake("import b.tar --to http://OPEN/v2/p", 2, r"/v2 is the registry's API", r"write http://OPEN/p"),
    Mistake("import b.tar --to https://OPEN/p", 24, r"https://OPEN/v2/: .*plain HTTP, not HTTPS", r"http://OPEN"),
    Mistake("import b.tar --to NOBODY/p", 24, r"http://NOBODY/v2/: nothing listens", r"check the port"),
    Mistake("import b.tar --to no-such-host.invalid:5000/p", 24, r"no-such-host.invalid is unknown", r"DNS"),
    Mistake("import b.tar --to CLOSED/p", 21, r"CLOSED: .*user and password", r"airgap login CLOSED"),
    Mistake("import b.tar --to CLOSED/p --username jane", 2, r"a user without a password", r"--password-stdin"),
    Mistake("import b.tar --to OPEN/p --ca-file nope.pem", 2, r"nope.pem: there is no such file", r"working folder"),
    Mistake("inventory http://OPEN/typo -o r.json", 22, r"OPEN/typo: .*no repository", r"airgap inventory http://OPEN"),
    Mistake("login OPEN/p -u x --password-stdin", 2, r"'OPEN/p' has a path", r"airgap login OPEN"),
    Mistake("migrate OPEN/p OPEN/p", 2, r"OPEN/p: source and target are the same", r"another address"),
    Mistake("verify b.tar --against OPEN/p", 32, r"OPEN/p/x:1: the target does not have it", r"airgap import b.tar"),
    Mistake("doctor", 2, r"what is to be looked at", r"TARGET"),
    Mistake("doctor NOBODY", 51, r"NOBODY: connection: nothing listens", r"check the port", output=True),
    # Which bundle
    Mistake("import app.yaml --to OPEN/p", 40, r"app.yaml: this is no airgap bundle", r"airgap export"),
    Mistake("import b --to OPEN/p", 2, r"b: there is no such file", r"did you mean b.tar\?"),
    Mistake("import nope.tar --to OPEN/p", 2, r"nope.tar: there is no such file", r"working folder"),
    Mistake("import cut.tar --to OPEN/p", 40, r"cut.tar: cut short", r"copy the bundle once more"),
    Mistake("import emptydir --to OPEN/p", 40, r"emptydir: this is a folder", r"\.tar that airgap export wrote"),
    Mistake("serve newlayout", 2, r"newlayout: there is no such file", r"airgap serve newlayout --writable"),
)


@dataclass(frozen=True)
class Desk:
    """The folder in which the mistakes are made, and what the words in capitals stand for."""

    airgap: Airgap
    places: dict[str, str]

    def filled(self, text: str) -> str:
        return re.sub("OPEN|CLOSED|NOBODY", lambda word: self.places[word[0]], text)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("mistakes")
    for name in ("work/emptydir", "user"):
        (folder / name).mkdir(parents=True)
    airgap, images, nobody = Airgap(folder / "work", folder / "user"), Images(4), f"127.0.0.1:{free_port()}"
    with Registry() as open_registry, Registry(credentials=("jane", "a word")) as closed:
        at = open_registry.address
        open_registry.fill(images, {"x:1": images.image()})
        for name, content in {
            "app.yaml": pod(f"{at}/x:1"),
            "gone.yaml": pod(f"{at}/nope:1"),
            "down.yaml": pod(f"{nobody}/x:1"),
            "upper.yaml": pod("quay.io/Team/x:1"),
            "empty.yaml": "",
            "broken.yaml": "hello: [world\n",
            "tab.yaml": "a:\n\tb: 1\n",
            "svc.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n",
            "typo.yaml": "registires: {}\n",
            "taken/app.yaml": "something else\n",
        }.items():
            airgap.write(name, content)
        (airgap.folder / "cp949.yaml").write_bytes("# 한글\nimage: x\n".encode("cp949"))
        airgap.run("export", "app.yaml", "-o", "b.tar")
        (airgap.folder / "cut.tar").write_bytes((airgap.folder / "b.tar").read_bytes()[:5000])
        yield Desk(airgap, {"OPEN": at, "CLOSED": closed.address, "NOBODY": nobody})


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.command)
def test_it_is_explained(desk: Desk, mistake: Mistake) -> None:
    said = desk.airgap.run(*desk.filled(mistake.command).split(), code=mistake.code, stdin=b"")
    assert not TRACEBACK.search(said.stderr)
    assert len(said.errors) == 1, said.stderr
    assert re.search(desk.filled(mistake.says), said.errors[0]), said.stderr
    _, _, rest = said.stderr.partition(f"error: {said.errors[0]}\n")
    hint = said.text if mistake.output else rest
    assert re.search(desk.filled(mistake.helps), hint), said.stderr + said.text
    assert len(rest.splitlines()) < LINES
    assert not (desk.airgap.folder / "x.tar").exists()


def test_there_are_forty_at_least() -> None:
    assert len({mistake.command for mistake in MISTAKES}) == len(MISTAKES) >= 40


def test_a_file_that_may_not_be_read(desk: Desk) -> None:
    """Root may read everything, so the link leads in a circle: the system refuses that to everybody."""
    path = desk.airgap.folder / "circle.yaml"
    path.symlink_to(path)
    try:
        said = desk.airgap.run("export", "circle.yaml", "-o", "x.tar", code=10)
    finally:
        path.unlink()
    assert re.search(rf"circle.yaml: .*{os.strerror(errno.ELOOP)}", said.errors[0])
