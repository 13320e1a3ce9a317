# SPDX-License-Identifier: Apache-2.0
"""manifests/nexus/provision.yaml without a cluster: its own commands, run as processes against the double of Nexus,
with a program that ``make dist`` makes. Schemas, kustomization and pod security are in test_nexus.py."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.nexus import ADMIN, Nexus, Repository, Settings, nexus
from tests.doubles.nexus.settings import BASIC_REALMS, Profile
from tests.doubles.registry import Answer
from tests.manifests.applied import ROOT, containers, objects
from tests.parts.pages import commands, section
from tests.parts.service import clean_environment, free_port
from tests.parts.waiting import wait_until

JOB = objects("Job")["nexus-provision"]
WAITS, DOCTOR = containers(JOB["spec"]["template"])
UI, CONNECTOR, NODES = "http://nexus.nexus.svc:8081", "http://nexus-docker-http.nexus.svc:8082", "172.25.0.84:30018"
RAW = Repository("maven-releases", format="maven2")
GUIDES = {"nexus.md": "Nexus from nothing", "nexus.ko.md": "아무것도 없는 곳에 Nexus 세우기"}
BY_HAND = {"README.md": "In Nexus, after the first start", "README.ko.md": "첫 시작 후 Nexus에서 할 일"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that is mounted at /program, with airgap.pyz in it."""
    folder = tmp_path_factory.mktemp("program")
    command = [sys.executable, str(ROOT / "tools/pyz.py"), "--output", str(folder / "airgap.pyz")]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture
def fresh() -> Iterator[Nexus]:
    """As after the first start of Community Edition: the licence not accepted, nothing of Docker's."""
    with nexus(Settings(repositories=(RAW,), realms=BASIC_REALMS, eula_accepted=False)) as double:
        yield double


def expanded(arguments: list[str], program: Path, double: Nexus, connector: int) -> list[str]:
    """The container's arguments with its folder, the two Services and the connector being ours."""
    places = {
        UI: double.url,
        CONNECTOR: f"http://127.0.0.1:{connector}",
        "--connector=8082": f"--connector={connector}",
    }
    made = []
    for argument in arguments:
        for there, here in places.items():
            argument = argument.replace(there, here)
        made.append(re.sub(r"(?<![\w.])/program(?=/|$)", str(program), argument))
    assert made[0] == "python3"
    return [sys.executable, *made[1:]]


def provisioned(program: Path, double: Nexus, connector: int, password: str) -> subprocess.CompletedProcess[str]:
    """One run of the Job's container, the Secret's two keys in its environment."""
    command = expanded([*DOCTOR["command"], *DOCTOR["args"]], program, double, connector)
    environment = clean_environment(program, AIRGAP_USERNAME=ADMIN.name, AIRGAP_PASSWORD=password)
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def changes(double: Nexus) -> list[str]:
    """The requests by which REST was told to change something, since the last call."""
    asked = [one for one in double.seen if one.method != "GET" and "/service/rest/" in one.target]
    double.seen.clear()
    return [f"{one.method} {one.target.rpartition('/v1/')[2]} {one.status}" for one in asked]


@pytest.mark.parametrize("profile", ["3.8x", "3.96"])
def test_the_first_run_sets_nexus_up_and_the_second_changes_nothing(program: Path, profile: Profile) -> None:
    settings = Settings(profile, (RAW,), realms=BASIC_REALMS, eula_accepted=False)
    connector = free_port()
    with nexus(settings) as double:
        done = provisioned(program, double, connector, ADMIN.password)
        assert done.returncode == 0, done.stdout + done.stderr
        assert changes(double) == [
            "POST system/eula 204",
            "POST repositories/docker/hosted 201",
            "PUT security/realms/active 204",
        ]
        assert double.eula_accepted
        assert double.access.realms == [*BASIC_REALMS, "DockerToken"]
        made = double.repository("docker-hosted")
        assert (made.settings.kind, made.settings.format, made.http_port) == ("hosted", "docker", connector)
        assert f"nodes can pull from {NODES}" in done.stdout
        # By hand it would be the same repository.
        sent = json.loads(next(line for line in done.stderr.splitlines() if '"httpPort"' in line))
        sent["docker"]["httpPort"] = 8082
        for readme, heading in BY_HAND.items():
            (body,) = re.findall(r"```json\n(.*?)```", section(ROOT / "manifests" / readme, heading), flags=re.DOTALL)
            assert json.loads(body) == sent

        before = (dict(double.contents), list(double.access.realms))
        again = provisioned(program, double, connector, ADMIN.password)
        assert again.returncode == 0, again.stdout + again.stderr
        assert changes(double) == []
        assert (dict(double.contents), list(double.access.realms)) == before
        assert "done:" not in again.stdout


def test_what_is_right_already_is_left_as_it_is(program: Path) -> None:
    """Somebody made the repository by hand, with a policy of their own; only the realm is missing."""
    mine = Repository("docker-hosted", connector="http", write_policy="ALLOW_ONCE", force_basic=False)
    with nexus(Settings(repositories=(RAW, mine), realms=BASIC_REALMS)) as double:
        done = provisioned(program, double, double.connector().port, ADMIN.password)
        assert done.returncode == 0, done.stdout + done.stderr
        assert changes(double) == ["PUT security/realms/active 204"]
        assert double.repository().settings == mine


def test_a_wrong_password_is_one_sign_in_and_a_failed_job(program: Path, fresh: Nexus) -> None:
    done = provisioned(program, fresh, free_port(), "wrong")
    assert done.returncode == 51
    assert "password is wrong" in done.stderr
    assert fresh.tries == {ADMIN.name: (0, 1, 0)}
    assert changes(fresh) == []
    # Nothing starts it again, in its pod or in another.
    assert JOB["spec"]["backoffLimit"] == 0
    assert JOB["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_it_waits_for_the_whole_program_and_for_nexus(program: Path, tmp_path: Path, fresh: Nexus) -> None:
    fresh.main.on("GET", "/service/rest/v1/status", Answer(503))
    command = expanded([part.replace("sleep(1)", "sleep(0.1)") for part in WAITS["command"]], tmp_path, fresh, 1)
    whole = (program / "airgap.pyz").read_bytes()
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, env=clean_environment(tmp_path))
    try:
        (tmp_path / "airgap.pyz").write_bytes(whole[: len(whole) // 2])
        wait_until(lambda: "waiting for" in (tmp_path / "said").read_text())
        assert fresh.main.requests == []
        (tmp_path / "airgap.pyz").write_bytes(whole)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    lines = (tmp_path / "said").read_text().splitlines()
    assert lines == [f"waiting for {tmp_path}/airgap.pyz", "waiting for Nexus"]
    assert len(fresh.main.seen("GET", "/service/rest/v1/status")) == 2
    assert fresh.tries == {}


def test_credentials_come_from_the_secret_that_the_guide_makes() -> None:
    written = json.dumps([JOB["spec"]["template"]["spec"][kind] for kind in ("initContainers", "containers")])
    assert "PASSWORD" not in written.upper()
    assert "env" not in WAITS
    assert "envFrom" not in WAITS
    ((source),) = DOCTOR["envFrom"]
    for page, heading in GUIDES.items():
        (made,) = [line for line in commands(ROOT / "docs" / page, heading) if "create secret generic" in line]
        assert made.startswith(f"kubectl -n {JOB['metadata']['namespace']} create secret generic")
        assert f" {source['secretRef']['name']} " in made
        assert re.findall(r"--from-\w+=(\w+)=", made) == ["AIRGAP_USERNAME", "AIRGAP_PASSWORD"]


def test_the_guide_hands_the_program_to_the_container_that_waits_for_it() -> None:
    english, korean = (commands(ROOT / "docs" / page, heading) for page, heading in GUIDES.items())
    assert english == korean
    (handed,) = [line for line in english if "cat > " in line]
    assert f"exec -i job/{JOB['metadata']['name']} -c {WAITS['name']} " in handed
    (taken,) = [line for line in english if line.startswith("tar xf")]
    assert handed.endswith(f"< {taken.split()[-1]}")
    (mount,) = WAITS["volumeMounts"]
    # Without the second command containerd cuts the input short.
    assert f"'cat > {mount['mountPath']}/airgap.pyz && echo copied'" in handed
    assert english.index(taken) < english.index(handed)
    steps = ["images import", "apply -k manifests/nexus", "exec -i job/", "create secret generic", "wait --for"]
    places = [next(index for index, line in enumerate(english) if step in line) for step in steps]
    assert places == sorted(places)
