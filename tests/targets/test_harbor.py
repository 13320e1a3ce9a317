# SPDX-License-Identifier: Apache-2.0
"""Harbor as a target: projects that must exist, robot accounts, the token's address."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from airgap.errors import NotFound, NotReady, Unauthorized
from airgap.flows.doctor import DoctorRequest, examine_and_fix
from airgap.registry import Credential, Credentials, Registries
from airgap.registry.http.retry import RetryPolicy
from airgap.targets import Mapping, TargetAddress, target_for
from airgap.targets.harbor.target import HarborTarget
from tests.doubles.harbor import Harbor, harbor
from tests.doubles.registry import Answer
from tests.parts.images import Images
from tests.suites.target_suite import Make, Placed, TargetSuite


def registries_for(address: str, user: str = "admin", password: str = "admin-word") -> Registries:
    mine = Credentials({}, {address: Credential(user, password)})
    return Registries(credentials=mine, environment={}, retry=RetryPolicy(attempts=2, base=0.001))


def target(stack: contextlib.ExitStack, there: Harbor, prefix: str = "", user: Any = (), **more: Any) -> HarborTarget:
    registries = stack.enter_context(registries_for(there.address, *user))
    made = target_for(registries, Mapping(TargetAddress.parse(f"{there.address}/{prefix}".rstrip("/"))), **more)
    assert isinstance(made, HarborTarget)
    return made


ROBOT = ("robot$carrier", "robot-word")


class TestHarbor(TargetSuite):
    @pytest.fixture
    def make(self, services: contextlib.ExitStack) -> Make:
        there = services.enter_context(harbor(projects={"some", "a"}))

        def make(prefix: str, policy: str) -> Placed:
            registries = services.enter_context(registries_for(there.address, *ROBOT))
            address = TargetAddress.parse(f"{there.address}/{prefix or 'a'}")
            mapping = Mapping(address, policy)
            return Placed(_Inside(target_for(registries, mapping), "" if prefix else "a/"), mapping)

        return make


class _Inside:
    """For the suite's case without a prefix, which in Harbor there is not: names lie in a project."""

    def __init__(self, inner: Any, prefix: str) -> None:
        self._inner, self._prefix, self.mapping = inner, prefix, inner.mapping

    def preflight(self) -> Any:
        return self._inner.preflight()

    def locate(self, reference: Any) -> Any:
        return self._inner.locate(reference)

    def open(self, repository: str) -> Any:
        return self._inner.open(f"{self._prefix}{repository}")


def test_a_missing_project_is_refused_before_anything_is_pushed(services: contextlib.ExitStack) -> None:
    there = services.enter_context(harbor())
    with pytest.raises(NotReady, match="no project new") as caught:
        target(services, there, "new/inner").preflight()
    assert "--create-projects" in (caught.value.hint or "")
    assert there.created == []


def test_a_project_request_that_harbor_limits_is_sent_again(services: contextlib.ExitStack) -> None:
    there = services.enter_context(harbor())
    busy = Answer(429, headers={"Retry-After": "0"})
    there.front.on("HEAD", "/api/v2.0/projects", busy)
    with pytest.raises(NotReady, match="no project new"):
        target(services, there, "new").preflight()
    there.front.on("POST", "/api/v2.0/projects", busy)
    assert "was made" in target(services, there, "new", create_projects=True).preflight()[-1].what
    assert there.projects == {"library", "new"}


def test_reading_asks_for_no_project_and_lists_what_there_is(services: contextlib.ExitStack) -> None:
    there = services.enter_context(harbor())
    assert [one.level for one in target(services, there, "new/inner", read_only=True).preflight()] == ["ok"]
    reader = target(services, there, "new", ROBOT, read_only=True)
    with pytest.raises(NotFound):
        reader.open("new/x").resolve("1")
    with pytest.raises(Unauthorized, match="does not list its repositories"):
        reader.repositories()
    images, made = Images(5), target(services, there, "library")
    root = images.image()
    images.push_to(made.open("library/x"), {"1": root})
    assert target(services, there, "library", read_only=True).repositories() == ["library/x"]


def test_it_is_made_where_that_was_asked_for_and_private(services: contextlib.ExitStack) -> None:
    there = services.enter_context(harbor())
    made = target(services, there, "new/inner", create_projects=True)
    assert "was made" in made.preflight()[-1].what
    assert there.created == [{"project_name": "new", "metadata": {"public": "false"}}]
    made.open("new/inner/x")
    made.open("other/x")  # --mapping path without a prefix: each first element is a project
    assert there.projects == {"library", "new", "other"}


def test_a_dry_run_makes_none(services: contextlib.ExitStack) -> None:
    there = services.enter_context(harbor())
    made = target(services, there, "new", create_projects=True, dry_run=True)
    assert "would be made" in made.preflight()[-1].what
    made.open("new/x")
    assert there.projects == {"library"}


def test_a_robot_signs_in_and_may_not_make_projects(services: contextlib.ExitStack) -> None:
    there = services.enter_context(harbor())
    assert [one.level for one in target(services, there, "library", ROBOT).preflight()] == ["ok", "ok"]
    with pytest.raises(NotReady, match="403 forbidden") as caught:
        target(services, there, "new", ROBOT, create_projects=True).preflight()
    assert "robot account" in (caught.value.hint or "")


def test_a_robots_name_that_the_shell_has_eaten(services: contextlib.ExitStack) -> None:
    there = services.enter_context(harbor())
    with pytest.raises(Unauthorized):
        target(services, there, "library", ("robot", "robot-word")).preflight()
    assert there.failed == 1


def test_an_image_outside_of_any_project_is_refused(services: contextlib.ExitStack) -> None:
    there = services.enter_context(harbor())
    with pytest.raises(NotReady, match="lies in a project"):
        target(services, there).open("nginx")


def test_a_token_address_in_https_over_http_is_external_url(services: contextlib.ExitStack) -> None:
    there = services.enter_context(harbor())
    there.realm = there.url.replace("http:", "https:")
    found = target(services, there, "library").preflight()
    assert [one.level for one in found] == ["problem"]
    assert "external_url" in found[0].hint
    assert there.failed == 0


def test_doctor_names_the_missing_project_and_makes_it(services: contextlib.ExitStack) -> None:
    there = services.enter_context(harbor())
    request = DoctorRequest(Mapping(TargetAddress.parse(f"{there.address}/new/inner")))
    said, done = examine_and_fix(request, lambda: registries_for(there.address), lambda _: False)
    assert [one.check for one in said.problems] == ["project"]
    said, done = examine_and_fix(request, lambda: registries_for(there.address), lambda _: True)
    assert (said.problems, len(done), there.projects) == ([], 1, {"library", "new"})
