# SPDX-License-Identifier: Apache-2.0
"""Every command of airgap that a message prints works when it is pasted into a shell.

The registries listen on an address of a network of the test's own that is not loopback, where plain HTTP must be said.
The working folder has a blank and Hangul in its name, and so have the files. A scenario produces the message, takes
the command out of it, runs it by ``sh -c`` and looks at what the message promised. A message without a scenario, and
without a reason in ``EXCEPTIONS``, fails the test of completeness.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from airgap.explain import known_messages
from tests.cli.command import ROOT, TRACEBACK, pod
from tests.parts.certificates import Pair
from tests.parts.dockerregistry import docker_registry
from tests.parts.messages import printed_texts
from tests.parts.need import need
from tests.parts.network import ClosedNetwork, closed_network
from tests.parts.service import clean_environment

HOST = "10.100.0.102"
OPEN, GUARDED, SECURE = f"{HOST}:32415", f"{HOST}:32416", f"{HOST}:32417"
BUNDLE = "내 번들 (1).tar"
IMAGE = "cert-manager-webhook:v1.14.4"
#: What signing in asks for, as regular expressions, and the answers.
ANSWERS = {"Username:": "admin", r"Password for admin at \S+:": "s3cret"}
CHART = "차트 폴더/shop's"
#: Prints the Pod, or for ``helm show chart`` the Chart.yaml, of the chart's folder among its arguments, as helm would.
HELM = """\
#!/bin/sh
if [ "$1" = show ]; then file=Chart.yaml; else file=rendered; fi
for argument; do if [ -f "$argument/Chart.yaml" ]; then exec cat "$argument/$file"; fi; done
exit 1
"""


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed, both streams."""

    code: int
    text: str

    def command(self, pattern: str) -> str:
        """The command that the group of ``pattern`` finds on a line, as it is printed."""
        match = re.search(pattern, self.text, re.MULTILINE)
        assert match, self.text
        return match[1]


@dataclass
class Desk:
    """A user's working folder inside the closed network, with ``airgap`` on the PATH."""

    folder: Path
    network: ClosedNetwork
    environment: Mapping[str, str]
    bin: Path
    home: Path = field(init=False)

    def __post_init__(self) -> None:
        self.home = Path(self.environment["HOME"])

    def run(self, command: str, code: int = 0, **environment: str) -> Said:
        """Run a command line as it is written, by ``sh -c``."""
        done = subprocess.run(
            [*self.network.prefix, "sh", "-c", f"cd {shlex.quote(str(self.folder))}\n{command}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**self.environment, **environment},
            timeout=60,
            check=False,
        )
        said = Said(done.returncode, done.stdout.decode() + done.stderr.decode())
        assert not TRACEBACK.search(said.text), said.text
        assert said.code == code, f"{command}\nexit code {said.code}:\n{said.text}"
        return said

    def sign_in(self, command: str) -> None:
        """Run a printed ``airgap login`` on a terminal, answer what it asks for, and sign out again once it is kept."""
        said = self.answer(command, ANSWERS)
        kept = json.loads((self.home / ".docker/config.json").read_bytes())["auths"]
        assert GUARDED in kept, said
        self.run(f"airgap inventory http://{GUARDED} -o 목록.json --force")
        self.run(f"airgap logout {GUARDED}")

    def answer(self, command: str, answers: Mapping[str, str]) -> str:
        """Run a command on a terminal, answer its prompts (regular expressions), and return what it printed."""
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [*self.network.prefix, "sh", "-c", f"cd {shlex.quote(str(self.folder))}\n{command}"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=dict(self.environment),
            start_new_session=True,
        )
        os.close(slave)
        said, left, deadline = "", dict(answers), time.monotonic() + 40
        try:
            while select.select([master], [], [], max(0.0, deadline - time.monotonic()))[0]:
                try:
                    said += os.read(master, 65536).decode(errors="replace")
                except OSError:  # EIO: the program has ended
                    break
                for prompt in [prompt for prompt in left if re.search(rf"{prompt}\s*$", said)]:
                    os.write(master, f"{left.pop(prompt)}\n".encode())
            assert process.wait(5) == 0, f"{command}\n{said}"
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            os.close(master)
        return said

    def write(self, name: str, content: str | bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture(scope="module")
def network_and_registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClosedNetwork]:
    """Three registries of one address: open, with a password, and by TLS with a certificate of its own."""
    folder = tmp_path_factory.mktemp("network")
    key, certificate = folder / "tls.key", folder / "tls.crt"
    subprocess.run(
        [need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", f"/CN={HOST}",
         "-addext", f"subjectAltName=IP:{HOST}", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(closed_network(folder / "n", HOST, names={}))
        for name, listen, users, tls in (
            ("open", OPEN, None, None),
            ("guarded", GUARDED, {"admin": "s3cret"}, None),
            ("secure", SECURE, None, Pair(certificate, key)),
        ):
            stack.enter_context(
                docker_registry(folder / name, within=network, listen=listen, users=users, tls=tls, access_log=False)
            )
        yield network


@pytest.fixture
def desk(network_and_registries: ClosedNetwork, tmp_path: Path, bundle: Path) -> Desk:
    folder, home, programs = tmp_path / "작업 폴더", tmp_path / "user", tmp_path / "bin"
    for path in (folder, home, programs):
        path.mkdir()
    environment = clean_environment(home, PYTHONPATH=str(ROOT), XDG_STATE_HOME=str(home / "state"))
    for name, text in (("airgap", f'#!/bin/sh\nexec {sys.executable} -m airgap "$@"\n'), ("helm", HELM)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    environment["PATH"] = f"{programs}:{environment['PATH']}"
    shutil.copy(bundle, folder / BUNDLE)
    return Desk(folder, network_and_registries, environment, programs)


# Scenarios


def no_password_is_known(desk: Desk) -> None:
    said = desk.run(f"airgap import {shlex.quote(BUNDLE)} --to http://{GUARDED}/p", 21)
    desk.sign_in(said.command(r"sign in once: (airgap login .+)$"))
    said = desk.run(f"airgap inventory {GUARDED} --plain-http -o 목록.json --force", 21)
    desk.sign_in(said.command(r"sign in once: (airgap login .+)$"))
    desk.write("airgap.yaml", json.dumps({"registries": {GUARDED: {"plain_http": True}}}))
    said = desk.run(f"airgap inventory {GUARDED} -o 목록.json --force", 21)
    (desk.folder / "airgap.yaml").unlink()
    desk.sign_in(said.command(r"sign in once: (airgap login .+)$"))


def a_password_is_wrong(desk: Desk) -> None:
    wrong = {"AIRGAP_USERNAME": "admin", "AIRGAP_PASSWORD": "wrong"}
    said = desk.run(f"airgap import {shlex.quote(BUNDLE)} --to http://{GUARDED}/p", 21, **wrong)
    desk.sign_in(said.command(r"with the right one: (airgap login .+)$"))


def the_target_is_reached_elsewhere(desk: Desk) -> None:
    """The name in references is not where the registry is reached; ``login`` keeps the credential for the name."""
    said = desk.run(f"airgap inventory nexus.corp:8443 --via http://{GUARDED} -o 목록.json", 21)
    desk.answer(said.command(r"sign in once: (airgap login .+)$"), ANSWERS)
    desk.run(f"airgap inventory nexus.corp:8443 --via http://{GUARDED} -o 목록.json")


def login_with_a_path(desk: Desk) -> None:
    said = desk.run(f"airgap login http://{GUARDED}/p -u admin --password-stdin", 2)
    desk.sign_in(said.command(r"(airgap login .+)$"))


def a_password_in_the_source(desk: Desk) -> None:
    said = desk.run(f"airgap migrate http://a:b@{GUARDED} http://{OPEN}/copy", 2)
    desk.sign_in(said.command(r"sign in once: (airgap login .+)$"))


def a_source_user_without_a_password(desk: Desk) -> None:
    said = desk.run(f"airgap migrate http://{GUARDED}/p http://{OPEN}/copy --source-username admin", 2)
    desk.sign_in(said.command(r"sign in once: (airgap login .+)$"))


def a_password_in_the_target(desk: Desk) -> None:
    said = desk.run(f"airgap import {shlex.quote(BUNDLE)} --to http://a:b@{GUARDED}/p", 2)
    desk.sign_in(said.command(r"sign in once: (airgap login .+)$"))


def a_tag_is_missing(desk: Desk) -> None:
    verify = f"airgap verify {shlex.quote(BUNDLE)} --against http://{OPEN}/new --mapping path"
    said = desk.run(verify, 32)
    desk.run(said.command(r"^ +(airgap import .+)$"))
    desk.run(verify)


def a_layer_of_the_base_is_missing(desk: Desk) -> None:
    desk.run(f"airgap import {shlex.quote(BUNDLE)} --to http://{OPEN}/base")
    export = f"airgap export --image {OPEN}/base/{IMAGE} --plain-http {OPEN}"
    desk.run(f"{export} -o whole.tar && {export} --base whole.tar -o 'with base.tar'")
    desk.run(f"airgap export --image {OPEN}/base/cert-manager-cainjector:v1.14.4 --plain-http {OPEN} -o other.tar")
    desk.run(f"airgap import other.tar --to http://{OPEN}/elsewhere")
    said = desk.run(f"airgap import 'with base.tar' --to http://{OPEN}/elsewhere", 32)
    desk.run(said.command(r"this writes: (airgap inventory .+)$"))
    assert json.loads((desk.folder / "held.json").read_bytes())["target"] == f"{OPEN}/elsewhere"


def nothing_is_below_the_prefix(desk: Desk) -> None:
    desk.run(f"airgap import {shlex.quote(BUNDLE)} --to http://{OPEN}/right")
    said = desk.run(f"airgap inventory http://{OPEN}/wrong -o held.json", 22)
    desk.run(said.command(r"this asks for all: (airgap inventory .+)$"))
    assert (desk.folder / "held.json").is_file()


def a_bundle_as_a_resource(desk: Desk) -> None:
    said = desk.run(f"airgap images {shlex.quote(BUNDLE)}", 10)
    assert IMAGE in desk.run(said.command(r"(airgap inspect .+)$")).text


def an_archive_as_a_resource(desk: Desk) -> None:
    zstandard = pytest.importorskip("zstandard")
    desk.write("내 번들.tar.zst", zstandard.ZstdCompressor().compress((desk.folder / BUNDLE).read_bytes()))
    said = desk.run("airgap images '내 번들.tar.zst'", 10)
    assert IMAGE in desk.run(said.command(r"(airgap inspect .+)$")).text


def a_layout_that_is_no_bundle(desk: Desk) -> None:
    desk.run(f"mkdir '내 폴더' && tar -xf {shlex.quote(BUNDLE)} -C '내 폴더' && rm -r '내 폴더/airgap'")
    said = desk.run("airgap inspect '내 폴더'", 40)
    desk.run(said.command(r"^ +(airgap export --from .+) makes a bundle of it$"))
    assert IMAGE in desk.run("airgap inspect bundle.tar").text


def _write_chart(desk: Desk) -> None:
    desk.write(f"{CHART}/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    desk.write(f"{CHART}/rendered", pod("quay.io/x/rendered:1"))
    desk.write(f"{CHART}/templates/web.yaml", "{{- if .Values.web }}\nimage: {{ .Values.image }}\n{{- end }}\n")


def a_chart_among_rewritten_files(desk: Desk) -> None:
    _write_chart(desk)
    said = desk.run(f"airgap rewrite {shlex.quote(CHART)} --revert", 10)
    assert "x/rendered:1" in desk.run(said.command(r"(helm template .+)$")).text


def a_chart_without_helm(desk: Desk) -> None:
    _write_chart(desk)
    (desk.bin / "helm").rename(desk.bin / "helm.away")
    said = desk.run(f"PATH={shlex.quote(str(desk.bin))} airgap images {shlex.quote(CHART)}", 10)
    (desk.bin / "helm.away").rename(desk.bin / "helm")
    assert "x/rendered:1" in desk.run(said.command(r"(helm template .+)$")).text


def a_template_by_itself(desk: Desk) -> None:
    _write_chart(desk)
    said = desk.run(f"airgap images {shlex.quote(f'{CHART}/templates/web.yaml')}", 10)
    for pattern in (r"render it: (helm template .+?);", r"give the chart: (airgap images .+)$"):
        assert "x/rendered:1" in desk.run(said.command(pattern)).text


def _write_kustomization(desk: Desk) -> None:
    need("kubectl")
    desk.write("자료 폴더/app one/kustomization.yaml", "resources: [pod.yaml]\nnamePrefix: a-\n")
    desk.write("자료 폴더/app one/pod.yaml", pod("quay.io/x/kustomized:1"))


def a_kustomization_in_a_folder(desk: Desk) -> None:
    _write_kustomization(desk)
    said = desk.run("airgap images '자료 폴더'")
    shown = desk.run(said.command(r"for what it makes: (airgap images .+)$"))
    assert "(rendered)" in shown.text


def a_kustomization_that_does_not_reach_a_file(desk: Desk) -> None:
    _write_kustomization(desk)
    desk.write("자료 폴더/app one/other.yaml", pod("quay.io/x/unreached:1"))
    said = desk.run("airgap images '자료 폴더/app one'")
    shown = desk.run(said.command(r"to read all files: (airgap images .+)$"))
    assert "x/unreached:1" in shown.text


def templates_in_a_folder(desk: Desk) -> None:
    _write_chart(desk)
    desk.write("차트 폴더/pod.yaml", pod("quay.io/x/plain:1"))
    said = desk.run("airgap images '차트 폴더'", 3)
    assert "x/rendered:1" in desk.run(said.command(r"skipped 1 template .+: (airgap images .+)$")).text
    said = desk.run("airgap images '차트 폴더' --strict", 10)
    assert "x/rendered:1" in desk.run(said.command(r"^ *(airgap images .+)$")).text


def templates_of_several_charts(desk: Desk) -> None:
    _write_chart(desk)
    desk.write("차트 폴더/pod.yaml", pod("quay.io/x/plain:1"))
    for number in range(5):
        desk.write(f"차트 폴더/t {number}/Chart.yaml", f"apiVersion: v2\nname: t{number}\nversion: 1.0.0\n")
        desk.write(f"차트 폴더/t {number}/rendered", pod("quay.io/x/rendered:1"))
        desk.write(f"차트 폴더/t {number}/templates/web.yaml", "image: {{ .Values.image }}\n")
        if number in (0, 4):  # with two charts, and with more than are named
            said = desk.run("airgap images '차트 폴더'", 3)
            assert "x/rendered:1" in desk.run(said.command(r"skipped 1 template .+: (airgap images .+?); also")).text


def a_cluster_without_kubectl(desk: Desk) -> None:
    said = desk.run(f"PATH={shlex.quote(str(desk.bin))} airgap images --cluster", 2)
    desk.write("objects", pod("quay.io/x/running:1"))
    kubectl = desk.bin / "kubectl"
    kubectl.write_text("#!/bin/sh\ncat objects\n")
    kubectl.chmod(0o755)
    assert "x/running:1" in desk.run(said.command(r"where it is: (kubectl get .+)$")).text


def a_kustomization_without_kubectl(desk: Desk) -> None:
    _write_kustomization(desk)
    said = desk.run(f"PATH={shlex.quote(str(desk.bin))} airgap images '자료 폴더/app one'", 10)
    assert "x/kustomized:1" in desk.run(said.command(r"(kubectl kustomize .+)$")).text


def a_pull_secret_without_a_credential(desk: Desk) -> None:
    desk.run(f"airgap hosts http://{GUARDED} --for containerd -o 'nodes 1' --pull-secret registry")
    template = Said(0, (desk.folder / "nodes 1/pull-secret.yaml").read_text())
    desk.sign_in(template.command(r"^# +(airgap login .+)$"))


def doctor_wants_a_password(desk: Desk) -> None:
    said = desk.run(f"airgap doctor http://{GUARDED}/p", 51)
    desk.sign_in(said.command(r"^ +(airgap login .+)$"))
    wrong = {"AIRGAP_USERNAME": "admin", "AIRGAP_PASSWORD": "wrong"}
    said = desk.run(f"airgap doctor http://{GUARDED}/p", 51, **wrong)
    desk.sign_in(said.command(r"^ +(airgap login .+)$"))


def doctor_meets_plain_http(desk: Desk) -> None:
    said = desk.run(f"airgap doctor https://{OPEN}/p", 51)
    assert "speaks plain HTTP, as it was asked" in desk.run(said.command(r"^ +(airgap doctor .+)$")).text
    desk.run(said.command(r"^ +(airgap hosts .+)$"))
    assert f"http://{OPEN}" in (desk.folder / f"nodes/etc/containerd/certs.d/{OPEN}/hosts.toml").read_text()


def doctor_meets_tls(desk: Desk) -> None:
    said = desk.run(f"airgap doctor http://{SECURE}", 51)
    assert "speaks HTTPS, as it was asked" in desk.run(said.command(r"^ +(airgap doctor .+)$"), 51).text


def doctor_meets_an_unknown_certificate(desk: Desk) -> None:
    said = desk.run(f"airgap doctor https://{SECURE}/p", 51)
    desk.run(said.command(r"^ +(openssl .+)$"))
    good = desk.run(said.command(r"^ +(airgap doctor .+)$"))
    assert "certificate is good" in good.text
    for printed in (said, good):
        desk.run(printed.command(r"^ +(airgap hosts .+)$"))
        assert list((desk.folder / "nodes").rglob("*.crt"))
        shutil.rmtree(desk.folder / "nodes")


def a_volume_is_missing(desk: Desk) -> None:
    """The command that continues is the one that was given, quoted; here it has an option with a blank."""
    desk.run(f"airgap import {shlex.quote(BUNDLE)} --to http://{OPEN}/v && rm -r airgap-out *.receipt.json")
    desk.write("큰 파일.yaml", pod(f"{OPEN}/v/{IMAGE}") + f"# {'x' * 998}\n" * 1500)
    desk.run(f"airgap export '큰 파일.yaml' --plain-http {OPEN} --volume-size 1048576 -o '볼륨 (1).tar'")
    volume = sorted(desk.folder.glob("볼륨 (1).tar.[0-9]*"))[1]
    volume.rename(desk.folder / "away")
    said = desk.run(f"airgap import '볼륨 (1).tar' --to http://{OPEN}/w --output '나온 것 1'", 40)
    (desk.folder / "away").rename(volume)
    desk.run(said.command(r"to continue: (airgap import .+)$"))
    assert list(desk.folder.glob("*.receipt.json"))


def a_shard_is_there(desk: Desk) -> None:
    said = ""
    for number in (0, 1):
        said = desk.run(f"airgap import {shlex.quote(BUNDLE)} --shard {number}/2 --to http://{OPEN}/shards").text
    desk.run(Said(0, said).command(r"when all shards are done: (airgap import .+)$"))
    assert (desk.folder / "airgap-out").is_dir()
    desk.run(f"airgap verify {shlex.quote(BUNDLE)} --against http://{OPEN}/shards")


def nobody_has_signed_in(desk: Desk) -> None:
    """On a terminal it asks, for this run; the command that it names keeps the answer."""
    said = desk.answer(f"airgap inventory http://{GUARDED} -o 목록.json --force", ANSWERS)
    assert not (desk.home / ".docker").exists()
    desk.sign_in(Said(0, said.replace("\r", "")).command(r"to keep them: (airgap login .+)$"))


def a_key_is_made(desk: Desk) -> None:
    """The bundle in the command is the one of the guides."""
    shutil.copy(desk.folder / BUNDLE, desk.folder / "bundle.tar")
    said = desk.run("airgap keygen -o '내 키' --no-passphrase")
    desk.run(said.command(r"next: (airgap sign .+)$"))
    desk.run("airgap verify bundle.tar --key '내 키.pub'")


def a_trusted_key_has_the_name(desk: Desk) -> None:
    desk.run("airgap keygen -o one --no-passphrase && airgap keygen -o two --no-passphrase")
    desk.run("airgap trust add one.pub --name '내 키'")
    said = desk.run("airgap trust add two.pub --name '내 키'", 2)
    desk.run(said.command(r"^ +(airgap trust remove .+) removes that one$"))
    desk.run("airgap trust add two.pub --name '내 키'")


#: How a literal in airgap/ begins, with ``{}`` for what is filled in, and what shows that its command works.
SCENARIOS: dict[str, tuple[Callable[[Desk], None], ...]] = {
    "sign in once: airgap login {}": (no_password_is_known, the_target_is_reached_elsewhere),
    "it was tried once, to lock no account": (a_password_is_wrong,),
    "sign in to the registry itself: airgap login {}": (login_with_a_path,),
    "give them by --source-username and": (a_password_in_the_source,),
    "put it into AIRGAP_SOURCE_PASSWORD": (a_source_user_without_a_password,),
    "give them by --username with": (a_password_in_the_target,),
    "airgap import {} --to {}": (a_tag_is_missing,),
    "to continue: {same_command}": (a_volume_is_missing,),
    "next, when all shards are done: {same_command}": (a_shard_is_there,),
    "{} wants a user and password": (nobody_has_signed_in,),
    "next: airgap sign bundle.tar": (a_key_is_made,),
    "airgap trust remove {} removes that one": (a_trusted_key_has_the_name,),
    "nothing was pushed; {}export without --base": (a_layer_of_the_base_is_missing,),
    "check the spelling; this asks for all: airgap inventory": (nothing_is_below_the_prefix,),
    "an import writes the files that it carries": (a_bundle_as_a_resource,),
    "airgap export --from {} -o bundle.tar makes a bundle of it": (a_layout_that_is_no_bundle,),
    "a chart's archive ends in .tgz": (an_archive_as_a_resource,),
    "helm template {} | airgap images -": (a_chart_among_rewritten_files,),
    "install helm, or where it is": (a_chart_without_helm,),
    "render it: helm template {}": (a_template_by_itself,),
    "{}: inside a folder this {} is not rendered": (a_kustomization_in_a_folder,),
    "{}: rendering this {} does not reach": (a_kustomization_that_does_not_reach_a_file,),
    "airgap images {}": (templates_in_a_folder,),
    "skipped {} of the chart {}": (templates_in_a_folder, templates_of_several_charts),
    "where it is: kubectl get": (a_cluster_without_kubectl,),
    "install one of them, or where they are": (a_kustomization_without_kubectl,),
    "# An imagePullSecret without its credential": (a_pull_secret_without_a_credential,),
    "airgap login {}": (doctor_wants_a_password,),
    "airgap doctor {}": (doctor_meets_plain_http, doctor_meets_tls),
    "airgap hosts {} --for containerd{} --output nodes/": (doctor_meets_plain_http,),
    "airgap doctor {} --ca-file ca.pem": (doctor_meets_an_unknown_certificate,),
    "airgap hosts {} --for containerd --ca-file ca.pem": (doctor_meets_an_unknown_certificate,),
}
NO_COMMAND = "names a command of airgap in a sentence, and is no command to paste"
PLACEHOLDER = "has a word in capitals, or …, for what is not known where the message is made"
NEXUS = "is printed for Nexus alone, whose double serves loopback; tests/flows/test_doctor.py has it"
#: How a literal begins, and why no scenario runs it.
EXCEPTIONS = {
    "make it with airgap export": NO_COMMAND,
    "a bundle is made by airgap export": NO_COMMAND,
    "give the .tar that airgap export wrote": NO_COMMAND,
    "an address can only be given to airgap export": NO_COMMAND,
    "airgap import brings it together": NO_COMMAND,
    "airgap images --signatures shows what the registry has": NO_COMMAND,
    "# Made by airgap hosts. To sign in": NO_COMMAND,
    "# Made by airgap hosts: lays its files": NO_COMMAND,
    "airgap init takes the folder": NO_COMMAND,
    "airgap export -o - | age -r RECIPIENT": PLACEHOLDER,
    "zstd -dc FILE | airgap verify -": PLACEHOLDER,
    "airgap sign --detached writes": NO_COMMAND,
    "the contents: airgap inspect {} --identity FILE": PLACEHOLDER,
    "airgap keygen --no-passphrase makes": NO_COMMAND,
    "airgap export -o - --sign KEY --signature FILE signs": PLACEHOLDER,
    "airgap trust list takes no key": NO_COMMAND,
    "airgap trust add NAME.pub --name NAME": PLACEHOLDER,
    "ask whoever made it for whom it was sealed": NO_COMMAND,
    "give --key NAME.pub or --ca CA.pem": PLACEHOLDER,
    "add --signature FILE, which airgap export": PLACEHOLDER,
    "add --signature FILE, and give that file to airgap import": PLACEHOLDER,
    "airgap sign BUNDLE --key KEY adds the others": PLACEHOLDER,
    "airgap keygen and minisign -G write": NO_COMMAND,
    "it is signed by {}; airgap trust add": NO_COMMAND,
    "run it on a terminal, or use a key made with airgap keygen": NO_COMMAND,
    "airgap trust add writes it": NO_COMMAND,
    "airgap trust list shows the names": NO_COMMAND,
    "edit it; airgap init replaces nothing": NO_COMMAND,
    "airgap state lists what is there": NO_COMMAND,
    "# Settings of airgap for this folder.": NO_COMMAND,
    "{} with no reference in them": NO_COMMAND,
    "containerd cannot pull {}/{} from {}/{}": NO_COMMAND,
    "airgap export FILES {} --volume {}": PLACEHOLDER,
    "helm show crds {} | airgap rewrite - --to TARGET": PLACEHOLDER,
    "zstd -dc BUNDLE.tar.zst | airgap import -": PLACEHOLDER,
    "airgap inventory TARGET -o FILE": PLACEHOLDER,
    "airgap import writes one": NO_COMMAND,
    "airgap serve: run airgap serve LAYOUT --gc": PLACEHOLDER,
    "docker-registry deletes with REGISTRY_STORAGE_DELETE_ENABLED=true": NO_COMMAND,
    "airgap state clean …": PLACEHOLDER,
    "give all of it: kubectl describe pod POD": PLACEHOLDER,
    "kubectl kustomize {} | airgap rewrite - --to TARGET": PLACEHOLDER,
    "helm template {} {} --include-crds | airgap rewrite - --to TARGET": PLACEHOLDER,
    "no user or password belongs in it; airgap login REGISTRY": PLACEHOLDER,
    "airgap import BUNDLE --to NODES-ADDRESS": PLACEHOLDER,
    "airgap doctor {} --nexus URL --fix": PLACEHOLDER,
    "sign in to its pages as admin": PLACEHOLDER,
    "check the spelling of the repository in the address": PLACEHOLDER,
    "airgap doctor {} --nexus {}": NEXUS,
    "no user is known for Nexus: airgap login {}": NEXUS,
    "no user is known for it: airgap login {}": NEXUS,
    "carry the signatures too (airgap export --referrers)": NO_COMMAND,
    "{}; to sign in: airgap login {}": "is printed where a registry refuses a token that it gave; the arguments are "
    "those of the other login hints, and tests/registry/auth/test_authenticator.py has the message",
    "next: airgap export": "takes all from the file that was just written; tests/flows/test_init.py runs it",
    "--writable makes a new layout folder: airgap serve {}": "serves until it is stopped; tests/flows/test_serve.py",
    "airgap inspect {} --sbom": "tests/flows/test_inspect_sbom.py and test_inspect_image.py run it",
    "airgap inspect {} shows what is attached": "tests/flows/test_inspect_image.py runs it",
    "name it: airgap inspect {} --sbom IMAGE": PLACEHOLDER,
    "airgap inspect {} lists its images": "tests/flows/test_inspect_sbom.py runs it",
    "airgap hosts {} --for {}": "tests/artifacts/test_clients.py and test_apt.py have it",
    "airgap inspect {} lists what is in it": "tests/flows/test_attached.py has the message",
    "airgap scan --help": "tests/cli/test_help.py runs it for every command",
    "airgap scan BUNDLE": PLACEHOLDER,
    "airgap dossier BUNDLE": PLACEHOLDER,
    "airgap dossier {} --identity FILE": PLACEHOLDER,
    "airgap approve {} --key KEY signs it": PLACEHOLDER,
    "scan the bundle and approve it again": NO_COMMAND,
    "Whoever made the bundle attached these.": PLACEHOLDER,
    "The root digest follows from every byte": NO_COMMAND,
    "put NAME.p001 … in its folder": PLACEHOLDER,
    "airgap expand {} --base OLD": PLACEHOLDER,
    "airgap import {} --base OLD --to {}": PLACEHOLDER,
    "leave --dossier out; then airgap expand {} -o PLAIN": PLACEHOLDER,
    "the signatures are those of the recoded bundle: airgap verify BUNDLE": PLACEHOLDER,
    "airgap repair {}": "tests/flows/test_parity.py has the message and runs it",
    "airgap inspect {} names the files that are missing": "tests/flows/test_import_release.py runs it",
    "airgap images --why shows them": NO_COMMAND,
    "airgap release {} {}": "the comment of a signature, which names the release",
    "airgap rewrite PATH --to {} --output DIR": PLACEHOLDER,
    "airgap hosts {} --for {} --pull-secret": "tests/prove/test_faults.py has it",
    "airgap hosts {} --for {}{} --root /": "configures this machine; tests/prove/test_faults.py has it",
    "airgap export PATH -o missing.tar": PLACEHOLDER,
    "airgap import missing.tar --to {}": "follows the one above; tests/prove/test_faults.py has it",
    "read it as root: sudo airgap prove …": PLACEHOLDER,
    "install kubectl, or run airgap prove": NO_COMMAND,
    "this is no list of airgap prove": NO_COMMAND,
    "airgap export {} -o {}": "is what the demo shows while it does the same itself; its registries are not real",
    "airgap import {} --to {} --output {}": "is what the demo shows while it does the same itself",
}


def test_every_message_with_a_command_has_a_scenario_or_a_reason() -> None:
    texts = printed_texts()
    assert len(texts) > 40
    unknown = [
        f"{printed.place}: {printed.text!r}"
        for printed in texts
        if not printed.text.startswith((*SCENARIOS, *EXCEPTIONS))
    ]
    assert unknown == [], "give it a scenario in SCENARIOS, or a reason in EXCEPTIONS"
    unused = [key for key in (*SCENARIOS, *EXCEPTIONS) if not any(printed.text.startswith(key) for printed in texts)]
    assert unused == []


@pytest.mark.interop
@pytest.mark.requires("docker-registry", "htpasswd", "openssl")
@pytest.mark.parametrize(
    "scenario", dict.fromkeys(scenario for group in SCENARIOS.values() for scenario in group), ids=lambda s: s.__name__
)
def test_the_printed_command_works(desk: Desk, scenario: Callable[[Desk], None]) -> None:
    scenario(desk)


@pytest.mark.interop
@pytest.mark.requires("docker-registry", "htpasswd", "openssl")
@pytest.mark.parametrize("target", ["", f"http://{GUARDED}"])
def test_what_explain_says_to_sign_in_works(desk: Desk, target: str) -> None:
    seen = f'Error: Get "{"https" if target else "http"}://{GUARDED}/v2/": no basic auth credentials'
    said = desk.run(f"airgap doctor {target} --explain {shlex.quote(seen)}")
    desk.sign_in(said.command(r"^ +(airgap login .+)$"))


@pytest.mark.interop
@pytest.mark.requires("docker-registry", "htpasswd", "openssl")
def test_the_next_step_of_an_import_is_quoted(desk: Desk) -> None:
    need("kubectl")
    said = desk.run(f"airgap import {shlex.quote(BUNDLE)} --to http://{OPEN}/p --output '나온 것 1' --force")
    words = shlex.split(said.command(r"^next +(kubectl apply .+)$"))
    assert (desk.folder / words[-1]).is_dir()


def test_commands_that_explain_prints_are_ones_that_airgap_has(airgap: object) -> None:
    """Their options exist: ``--help`` after them is printed only if the rest of the line was understood."""
    from click.testing import CliRunner

    from airgap.cli.app import cli

    lines = [line for message in known_messages() for step in message.steps for line in step.run]
    commands = [match[1] for line in lines if (match := re.search(r"(?:^|\| )airgap ([a-z]+ .*)$", line))]
    assert len(commands) > 20
    for command in commands:
        words = shlex.split(re.sub(r"\{(host|target|name)\}", GUARDED, command).replace("{image}", f"{GUARDED}/x:1"))
        assert CliRunner().invoke(cli, [*words, "--help"]).exit_code == 0, command
