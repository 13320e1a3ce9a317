# SPDX-License-Identifier: Apache-2.0
"""Every fault of the line, for export and import, before docker-registry and before our own server.

Each ends in the same bytes, or in one clear error with its exit code and nothing half written, after which the same
command without the fault succeeds. What registry and bundle hold is read back and hashed, whatever happened.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import itertools
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest

from airgap import kube
from airgap.bundle import OutputFormat, open_bundle
from airgap.errors import AirgapError
from airgap.flows.export import ExportRequest, export
from airgap.flows.images import FoundImages
from airgap.flows.import_ import ImportRequest, import_
from airgap.oci import Descriptor
from airgap.registry import Credential, Credentials, Registries, RegistrySettings
from airgap.registry.http.retry import RetryPolicy
from airgap.store.readers import fetch
from airgap.targets import Mapping, PlainTarget, TargetAddress
from airgap.transfer import CancelToken, Context, Jobs
from tests.cli.command import Airgap, Registry, pod, settings
from tests.doubles.registry import Answer, Double, Request, double
from tests.parts.dockerregistry import docker_registry
from tests.parts.faulty_line import CLOSE, RESET, STALL, Break, Fault, FaultyLine, Reply, faulty_line
from tests.parts.images import Images
from tests.parts.matrix import long_unless

pytestmark = [pytest.mark.requires("docker-registry", "htpasswd"), pytest.mark.interop]

USER, PASSWORD = "porter", "a secret of the tests"
ME = Credential(USER, PASSWORD)
N = 1_000_000
#: Seconds: nothing in here takes longer, or it hangs.
BOUND = 60
#: What a registry is waited for: long on a busy machine, but short where a stall has to show. docker-registry checks
#: the password at each request, which takes its time.
TIMEOUT, STALLED = 10.0, {"own": 0.5, "docker": 1.0}
RESOURCE = pod("quay.io/a/x:1").encode()


@dataclass
class Side:
    """A real registry that wants a password. ``held`` gives every blob in its storage by the digest that it is kept
    under."""

    address: str
    held: Callable[[], Iterator[tuple[str, bytes]]]


@dataclass
class World:
    """One image with a layer of three million bytes in both kinds of registry, and the bundle that it makes."""

    images: Images
    root: Descriptor
    sources: dict[str, Side]
    target: Side
    bundle: Path
    counter: Iterator[int] = field(default_factory=lambda: itertools.count())

    @property
    def needed(self) -> list[Descriptor]:
        return self.images.needed(self.root)

    @property
    def big(self) -> Descriptor:
        return max(self.needed, key=lambda descriptor: descriptor.size)


@contextlib.contextmanager
def own() -> Iterator[Side]:
    with Registry(credentials=(USER, PASSWORD)) as registry:
        yield Side(registry.address, lambda: iter(list(registry.store._content.items())))


@contextlib.contextmanager
def dockers(folder: Path) -> Iterator[Side]:
    with docker_registry(folder, users={USER: PASSWORD}) as registry:

        def held() -> Iterator[tuple[str, bytes]]:
            for file in registry.data.glob("docker/registry/v2/blobs/sha256/*/*/data"):
                yield f"sha256:{file.parent.name}", file.read_bytes()

        yield Side(registry.address, held)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    images = Images(99)
    with contextlib.ExitStack() as stack:
        sources = {"own": stack.enter_context(own()), "docker": stack.enter_context(dockers(folder / "a"))}
        target = stack.enter_context(dockers(folder / "b"))
        made = World(images, images.two_platforms(size=3 * N), sources, target, folder / "clean.tar")
        for side in sources.values():
            with registries(side.address) as (reached, _):
                images.push_to(reached.repository(side.address, "a/x", push=True), {"1": made.root})
        exported(made, sources["own"].address, made.bundle)
        yield made


@contextlib.contextmanager
def registries(address: str, timeout: float = TIMEOUT) -> Iterator[tuple[Registries, list[float]]]:
    """Registries that sign in at ``address``, short of patience; and the seconds that they were told to wait."""
    waits: list[float] = []

    made = Registries(
        {
            "quay.io": RegistrySettings(mirror=f"http://{address}", timeout=timeout),
            address: RegistrySettings(timeout=timeout),
        },
        credentials=Credentials({}, {address: ME}),
        environment={},
        retry=RetryPolicy(base=0.01, sleep=waits.append),
    )
    with made:
        yield made, waits


def bounded(registries: Registries, work: Callable[[], object]) -> None:
    """Do it, or fail when it hangs."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised in the test's own thread
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(BOUND)
    if thread.is_alive():
        registries.abort()
        thread.join(5)
        pytest.fail(f"it hangs: nothing for {BOUND} s")
    if raised:
        raise raised[0]


def exported(world: World, address: str, output: Path, timeout: float = TIMEOUT) -> list[float]:
    resource = kube.ResourceFile("pod.yaml", "pod.yaml", RESOURCE)
    found = FoundImages(((resource, kube.scan(RESOURCE, "pod.yaml")),))
    with registries(address, timeout) as (reached, waits):
        stop = CancelToken(reached.abort)
        bounded(
            reached,
            lambda: export(ExportRequest(OutputFormat(output)), found, reached, Context(Jobs.of(3), cancel=stop)),
        )
    return waits


def imported(world: World, address: str, prefix: str, folder: Path, timeout: float = TIMEOUT) -> list[float]:
    mapping = Mapping(TargetAddress.parse(f"http://{address}/{prefix}"), "basename", {})
    request = ImportRequest(folder / "out", folder / "receipt.json")
    with registries(address, timeout) as (reached, waits), open_bundle(world.bundle) as bundle:
        stop, target = CancelToken(reached.abort), PlainTarget(reached, mapping)
        bounded(
            reached,
            lambda: import_(request, bundle, target, Context(Jobs.of(3), cancel=stop)),
        )
    return waits


def check_storage(side: Side) -> None:
    """Nothing in the registry's storage is anything else than its name says."""
    for digest, content in side.held():
        assert digest == f"sha256:{hashlib.sha256(content).hexdigest()}"


def check_target(world: World, side: Side, prefix: str) -> None:
    """The image is there, whole, byte for byte."""
    with registries(side.address) as (reached, _):
        repository = reached.repository(side.address, f"{prefix}/x")
        assert repository.resolve("1").digest == world.root.digest
        for descriptor in world.needed:
            assert fetch(repository, descriptor, limit=5 * N) == world.images.content[descriptor.digest]
    check_storage(side)


def check_error(error: AirgapError, code: int) -> None:
    assert error.exit_code == code, f"{error.exit_code}: {error}"
    assert error.where
    assert re.search(r"\w{3}", error.what)
    assert "\n" not in str(error)
    assert str(error).isprintable()
    assert PASSWORD not in f"{error} {error.hint}"


def reply(status: int, body: bytes = b"", **headers: str) -> Reply:
    return Reply(status, "as told", [(name.replace("_", "-"), value) for name, value in headers.items()], body)


def tomorrow_or_so() -> str:
    """Some seconds from now, as ``Retry-After`` may say it."""
    return format_datetime(datetime.now(timezone.utc) + timedelta(seconds=9), usegmt=True)


def wrong_range(answer: Reply) -> None:
    answer.headers = [(n, "bytes 5-9/10" if n.lower() == "content-range" else v) for n, v in answer.headers]


def shifted(answer: Reply) -> None:
    """Says the right range and gives another."""
    answer.body = b"x" + answer.body[:-1]


def zipped(answer: Reply) -> None:
    answer.body = gzip.compress(answer.body, 0)
    answer.headers.append(("Content-Encoding", "gzip"))


Make = Callable[[World, Double], "list[Fault]"]
OK = 0


def get(world: World, **more: object) -> Fault:
    return Fault("GET", f"/blobs/{world.big.digest}", **more)  # type: ignore[arg-type] # passed on


def put(world: World, **more: object) -> Fault:
    return Fault("PUT", f"digest={world.big.digest}", **more)  # type: ignore[arg-type] # passed on


def goes_on(world: World, **more: object) -> list[Fault]:
    """The body ends too early, and the request that goes on by Range meets the fault."""
    return [get(world, response=Break(CLOSE, N)), get(world, header="Range", **more)]


EXPORT: dict[str, tuple[int, Make]] = {
    "reset": (OK, lambda w, _: [get(w, response=Break(RESET, N))]),
    "reset-again-and-again": (OK, lambda w, _: [get(w, times=99, response=Break(RESET, N // 2))]),
    "reset-before-a-word": (OK, lambda w, _: [get(w, response=Break(RESET))]),
    "reset-of-a-manifest": (OK, lambda _, __: [Fault("GET", "/manifests/", response=Break(RESET, 50))]),
    "closed-too-early": (OK, lambda w, _: [get(w, response=Break(CLOSE, N))]),
    "closed-before-a-word": (OK, lambda w, _: [get(w, times=2, response=Break(CLOSE))]),
    "stalled": (OK, lambda w, _: [get(w, response=Break(STALL, N))]),
    "stalled-before-a-word": (OK, lambda w, _: [get(w, response=Break(STALL))]),
    "stalled-for-good": (24, lambda w, _: [get(w, times=99, response=Break(STALL))]),
    "corrupted": (OK, lambda w, _: [get(w, corrupt_response=N)]),
    "corrupted-for-good": (31, lambda w, _: [get(w, times=99, corrupt_response=N)]),
    "corrupted-manifest": (OK, lambda _, __: [Fault("GET", "/manifests/1", corrupt_response=99)]),
    "corrupted-manifest-for-good": (31, lambda _, __: [Fault("GET", "/manifests/1", 99, corrupt_response=99)]),
    "429-seconds": (OK, lambda w, _: [get(w, answer=reply(429, Retry_After="9"))]),
    "429-date": (OK, lambda w, _: [get(w, answer=reply(429, Retry_After=tomorrow_or_so()))]),
    "429-too-long": (24, lambda w, _: [get(w, answer=reply(429, Retry_After="86400"))]),
    "503-burst": (OK, lambda w, _: [get(w, times=4, answer=reply(503)),
                                    Fault("GET", "/manifests/", 3, answer=reply(503))]),
    "503-for-good": (24, lambda w, _: [get(w, times=99, answer=reply(503))]),
    "range-ignored": (OK, lambda w, _: goes_on(w, strip=("range",))),
    "wrong-content-range": (OK, lambda w, _: goes_on(w, change=wrong_range)),
    "another-range-than-it-says": (OK, lambda w, _: goes_on(w, change=shifted)),
    "gzip": (30, lambda w, _: [get(w, change=zipped)]),
    "gzip-of-the-rest": (30, lambda w, _: goes_on(w, change=zipped)),
    "shorter": (30, lambda w, _: [get(w, truncate=N)]),
    "redirected": (OK, lambda w, d: [get(w, answer=reply(307, Location=f"{d.url}/right"))]),
    "redirected-to-something-else": (OK, lambda w, d: [get(w, answer=reply(307, Location=f"{d.url}/wrong"))]),
    "redirected-wrong-for-good": (31, lambda w, d: [get(w, times=99, answer=reply(307, Location=f"{d.url}/wrong"))]),
    "redirected-in-a-circle": (24, lambda w, d: [get(w, times=99, answer=reply(307, Location=f"{d.url}/circle"))]),
}  # fmt: skip


@pytest.fixture
def elsewhere(world: World) -> Iterator[Double]:
    """Whom nobody gave a password for: storage that a registry may redirect to."""
    content = world.images.content[world.big.digest]
    body = {"/right": content, "/wrong": content[:-1] + b"!"}

    def answer(request: Request) -> Answer:
        if request.path == "/circle":
            return Answer(307, b"", {"Location": "/circle"})
        return Answer(200, body[request.path]) if request.path in body else Answer(404)

    with double(answer) as made:
        yield made


def check_elsewhere(elsewhere: Double) -> None:
    assert [request.authorization for request in elsewhere.requests if request.authorization] == []


def patience(name: str, kind: str) -> float:
    return STALLED[kind] if "stalled" in name else TIMEOUT


def hit(line: FaultyLine) -> bool:
    return all(fault.hits for fault in line.faults)


def check_tries(line: FaultyLine, code: int) -> None:
    """What is changed on its way each time is sent twice, and then it ends."""
    if code == 31:
        assert [fault.hits for fault in line.faults] == [2]


def short_export(name: str, kind: str) -> bool:
    """Every fault before our own server; before docker-registry those whose rest it answers itself. What the line
    answers in its place, or changes each time, is the same for every server."""
    seldom = name.startswith(("429", "503", "redirected", "gzip")) or name.endswith("for-good")
    return kind == "own" or not seldom


@pytest.mark.parametrize(("name", "kind"), long_unless(short_export, itertools.product(EXPORT, ["own", "docker"])))
def test_export(world: World, elsewhere: Double, tmp_path: Path, name: str, kind: str) -> None:
    code, make = EXPORT[name]
    side, output = world.sources[kind], tmp_path / "b.tar"
    with faulty_line(side.address, *make(world, elsewhere)) as line:
        if code:
            with pytest.raises(AirgapError) as caught:
                exported(world, line.address, output, patience(name, kind))
            check_error(caught.value, code)
            check_tries(line, code)
            assert not output.exists()
        else:
            waits = exported(world, line.address, output, patience(name, kind))
            assert output.read_bytes() == world.bundle.read_bytes()
            if name.startswith("429"):
                assert 6 <= max(waits) <= 9
        assert hit(line)
        assert any(authorized for _, _, authorized in line.requests)
    check_elsewhere(elsewhere)
    if code:
        exported(world, side.address, output)
        assert output.read_bytes() == world.bundle.read_bytes()


def tagged(world: World, **more: object) -> Fault:
    return Fault("PUT", "/manifests/1", **more)  # type: ignore[arg-type] # passed on


def to(place: str) -> Callable[[Reply], None]:
    def change(answer: Reply) -> None:
        answer.headers = [
            (name, f"{place}/{value.partition('//')[2].partition('/')[2] or value.lstrip('/')}")
            if name.lower() == "location" else (name, value)
            for name, value in answer.headers
        ]  # fmt: skip

    return change


def less(answer: Reply) -> None:
    answer.drop("range")
    answer.headers.append(("Range", "0-5"))


def an_architecture(world: World) -> int:
    """A byte that leaves the index valid when it is turned over."""
    return world.images.content[world.root.digest].index(b"amd64") + 1


UPLOADS = "/blobs/uploads/"
DENIED = b'{"errors":[{"code":"DENIED","message":"not you"}]}'
IMPORT: dict[str, tuple[int, Make]] = {
    "reset": (OK, lambda w, _: [put(w, request=Break(RESET, N))]),
    "reset-after-all-was-taken": (OK, lambda w, _: [put(w, response=Break(RESET))]),
    "reset-of-the-session": (OK, lambda _, __: [Fault("POST", UPLOADS, response=Break(RESET))]),
    "reset-of-a-manifest": (OK, lambda w, _: [tagged(w, response=Break(RESET))]),
    "reset-of-a-question": (OK, lambda _, __: [Fault("HEAD", "/blobs/", response=Break(RESET))]),
    "closed-too-early": (OK, lambda w, _: [put(w, request=Break(CLOSE, N))]),
    "closed-after-all-was-taken": (OK, lambda w, _: [put(w, times=2, response=Break(CLOSE))]),
    "stalled": (OK, lambda w, _: [put(w, request=Break(STALL, N))]),
    "stalled-answer": (OK, lambda w, _: [put(w, response=Break(STALL))]),
    "stalled-for-good": (24, lambda _, __: [Fault("POST", UPLOADS, 99, response=Break(STALL))]),
    "corrupted": (OK, lambda w, _: [put(w, corrupt_request=N)]),
    "corrupted-for-good": (31, lambda w, _: [put(w, times=99, corrupt_request=N)]),
    "corrupted-manifest": (OK, lambda w, _: [tagged(w, corrupt_request=an_architecture(w))]),
    "corrupted-manifest-for-good": (31, lambda w, _: [tagged(w, times=9, corrupt_request=an_architecture(w))]),
    "429-seconds": (OK, lambda w, _: [put(w, answer=reply(429, Retry_After="9"))]),
    "429-date": (OK, lambda _, __: [Fault("POST", UPLOADS, answer=reply(429, Retry_After=tomorrow_or_so()))]),
    "429-early": (OK, lambda w, _: [put(w, answer_after=N, answer=reply(429, Retry_After="9"))]),
    "429-too-long": (24, lambda w, _: [put(w, answer=reply(429, Retry_After="86400"))]),
    "503-burst": (OK, lambda w, _: [put(w, times=4, answer=reply(503)), tagged(w, times=3, answer=reply(503)),
                                    Fault("POST", UPLOADS, 3, answer=reply(503))]),
    "503-early": (OK, lambda w, _: [put(w, answer_after=N, answer=reply(503))]),
    "503-for-good": (24, lambda w, _: [put(w, times=99, answer=reply(503))]),
    "denied-early": (21, lambda w, _: [put(w, answer_after=N, answer=reply(403, DENIED))]),
    "too-large-early": (OK, lambda w, _: [put(w, answer_after=N, answer=reply(413))]),
    "chunk-reset": (OK, lambda w, _: [put(w, answer=reply(413)),
                                      Fault("PATCH", UPLOADS, request=Break(RESET, N))]),
    "chunk-closed-after-all-was-taken": (OK, lambda w, _: [put(w, answer=reply(413)),
                                                          Fault("PATCH", UPLOADS, response=Break(CLOSE))]),
    "chunk-corrupted": (OK, lambda w, _: [put(w, answer=reply(413)), Fault("PATCH", UPLOADS, corrupt_request=N)]),
    "wrong-range-of-a-chunk": (OK, lambda w, _: [put(w, answer=reply(413)), Fault("PATCH", UPLOADS, change=less)]),
    "gzip-of-an-error": (21, lambda w, _: [put(w, answer=reply(403, gzip.compress(DENIED), Content_Encoding="gzip"))]),
    "session-elsewhere": (OK, lambda _, d: [Fault("POST", UPLOADS, 9, change=to(d.url))]),
    "redirected": (20, lambda w, d: [put(w, answer=reply(307, Location=f"{d.url}/right"))]),
    "redirected-question": (OK, lambda w, d: [Fault("HEAD", f"/blobs/{w.big.digest}",
                                                    answer=reply(307, Location=f"{d.url}/absent"))]),
}  # fmt: skip


def short_import(name: str, kind: str) -> bool:
    """Before docker-registry those faults of which the upload or what follows depends on it."""
    return kind == "own" or not (name.endswith("for-good") or name in ("429-too-long", "stalled-answer"))


@pytest.mark.parametrize(("name", "kind"), long_unless(short_import, itertools.product(IMPORT, ["own", "docker"])))
def test_import(
    world: World, elsewhere: Double, services: contextlib.ExitStack, tmp_path: Path, name: str, kind: str
) -> None:
    code, make = IMPORT[name]
    side, prefix = services.enter_context(own()) if kind == "own" else world.target, f"p{next(world.counter)}"
    with faulty_line(side.address, *make(world, elsewhere)) as line:
        if code:
            with pytest.raises(AirgapError) as caught:
                imported(world, line.address, prefix, tmp_path, patience(name, kind))
            check_error(caught.value, code)
            check_tries(line, code)
            assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        else:
            waits = imported(world, line.address, prefix, tmp_path, patience(name, kind))
            check_target(world, side, prefix)
            assert (tmp_path / "out/pod.yaml").read_text() == pod(f"{line.address}/{prefix}/x:1")
            if name.startswith("429"):
                assert 6 <= max(waits) <= 9
        assert hit(line)
        assert any(authorized for _, _, authorized in line.requests)
    check_elsewhere(elsewhere)
    check_storage(side)
    if code and "for-good" not in name:
        imported(world, side.address, prefix, tmp_path)
        check_target(world, side, prefix)


def test_a_short_timeout_holds_for_the_whole_command(airgap: Airgap, quay: Registry) -> None:
    """As users set it, in airgap.yaml: a registry that says nothing is asked again soon."""
    with faulty_line(quay.address, Fault("GET", "/manifests/", 2, header="Host", response=Break(STALL, 10))) as line:
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": line.url, "timeout": 0.2}}))
        image = "quay.io/jetstack/cert-manager-webhook:v1.14.4"
        said = airgap.run("export", "--image", image, "-o", "b.tar")
    assert said.stderr.count("no answer in time") >= 2
