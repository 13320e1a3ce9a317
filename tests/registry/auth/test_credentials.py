# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import pytest

from airgap.errors import AirgapError, Unauthorized
from airgap.registry import Credential, Credentials

SECRET = "p:a ss→wörd"


def auth(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def write(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home)}


@pytest.fixture
def config(home: Path) -> Path:
    return home / ".docker" / "config.json"


# Reading


def test_nothing_there(environment: dict[str, str]) -> None:
    assert Credentials(environment).find("r.test") is None


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": auth("me", SECRET)}, Credential("me", SECRET)),
        ({"username": "me", "password": SECRET}, Credential("me", SECRET)),
        ({"auth": auth("me", ""), "identitytoken": "tok"}, Credential("me", "", "tok")),
        ({"identitytoken": "tok"}, Credential("", "", "tok")),
        ({"auth": base64.b64encode(b"me:pad\0\0").decode()}, Credential("me", "pad")),
        ({}, None),
        ("nonsense", None),
    ],
)
def test_forms_of_an_entry(
    environment: dict[str, str], config: Path, entry: object, expected: Credential | None
) -> None:
    write(config, {"auths": {"r.test:5000": entry}})
    assert Credentials(environment).find("r.test:5000") == expected
    assert Credentials(environment).find("r.test") is None


@pytest.mark.parametrize("key", ["r.test", "https://r.test", "https://r.test/", "http://r.test", "https://r.test/v2/"])
def test_spellings_of_a_registry(environment: dict[str, str], config: Path, key: str) -> None:
    write(config, {"auths": {key: {"auth": auth("me", "x")}}})
    assert Credentials(environment).find("r.test") == Credential("me", "x")


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_docker_hub(environment: dict[str, str], config: Path, key: str) -> None:
    write(config, {"auths": {key: {"auth": auth("me", "x")}}})
    assert Credentials(environment).find("docker.io", "library/nginx") == Credential("me", "x")
    assert Credentials(environment).find("r.test") is None


def test_the_folder_that_docker_config_names(environment: dict[str, str], config: Path, tmp_path: Path) -> None:
    write(config, {"auths": {"r.test": {"auth": auth("home", "x")}}})
    write(tmp_path / "other" / "config.json", {"auths": {"r.test": {"auth": auth("other", "x")}}})
    environment["DOCKER_CONFIG"] = str(tmp_path / "other")
    found = Credentials(environment).find("r.test")
    assert found is not None
    assert found.username == "other"


@pytest.mark.parametrize("where", ["REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "HOME"])
def test_containers_files(environment: dict[str, str], home: Path, tmp_path: Path, where: str) -> None:
    places = {
        "REGISTRY_AUTH_FILE": tmp_path / "given.json",
        "XDG_RUNTIME_DIR": tmp_path / "run" / "containers" / "auth.json",
        "XDG_CONFIG_HOME": tmp_path / "config" / "containers" / "auth.json",
        "HOME": home / ".config" / "containers" / "auth.json",
    }
    write(places[where], {"auths": {"r.test": {"auth": auth("me", "x")}}})
    given = {
        "REGISTRY_AUTH_FILE": str(places[where]),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "HOME": str(home),
    }
    environment[where] = given[where]
    assert Credentials(environment).find("r.test") == Credential("me", "x")


@pytest.mark.parametrize(
    ("variable", "value", "place"),
    [
        ("HELM_REGISTRY_CONFIG", "own/config.json", "own/config.json"),
        ("HELM_CONFIG_HOME", "helm-home", "helm-home/registry/config.json"),
        ("XDG_CONFIG_HOME", "config", "config/helm/registry/config.json"),
        ("", "", "home/.config/helm/registry/config.json"),
    ],
)
def test_the_file_of_helm_registry_login_goes_last(
    environment: dict[str, str], config: Path, tmp_path: Path, variable: str, value: str, place: str
) -> None:
    write(tmp_path / place, {"auths": {"r.test": {"auth": auth("helm", SECRET)}, "s.test": {"auth": auth("h", "s")}}})
    if variable:
        environment[variable] = str(tmp_path / value)
    assert Credentials(environment).find("r.test") == Credential("helm", SECRET)
    write(config, {"auths": {"r.test": {"auth": auth("docker", SECRET)}}})
    found = Credentials(environment)
    assert (found.find("r.test"), found.find("s.test")) == (Credential("docker", SECRET), Credential("h", "s"))


def test_the_given_file_goes_first(environment: dict[str, str], config: Path, tmp_path: Path) -> None:
    write(config, {"auths": {"r.test": {"auth": auth("docker", "x")}}})
    given = write(tmp_path / "given.json", {"auths": {"r.test": {"auth": auth("given", "x")}}})
    found = Credentials({**environment, "REGISTRY_AUTH_FILE": str(given)}).find("r.test")
    assert found is not None
    assert found.username == "given"


def test_keys_for_a_part_of_a_registry(environment: dict[str, str], tmp_path: Path) -> None:
    users = {"r.test": "all", "r.test/team": "team", "r.test/team/app": "app"}
    given = write(tmp_path / "a.json", {"auths": {key: {"auth": auth(user, "x")} for key, user in users.items()}})
    credentials = Credentials({**environment, "REGISTRY_AUTH_FILE": str(given)})
    expected = {"team/app": "app", "team/app/deep": "app", "team/application": "team", "other": "all", "": "all"}
    for repository, user in expected.items():
        found = credentials.find("r.test", repository)
        assert found is not None
        assert found.username == user, repository


def test_explicit_is_for_one_registry_alone(environment: dict[str, str], config: Path) -> None:
    write(config, {"auths": {"r.test": {"auth": auth("file", "x")}}})
    credentials = Credentials(environment, {"r.test": Credential("given", "y")})
    assert credentials.find("r.test") == Credential("given", "y")
    for other in ("r.test:443", "q.test", "docker.io"):
        assert credentials.find(other) is None


@pytest.mark.parametrize(
    "text", ["{", "[]", '"x"', "\xff\xfe", "[" * 100_000], ids=["cut", "list", "text", "bytes", "deep"]
)
def test_damaged_files_are_named(environment: dict[str, str], config: Path, text: str) -> None:
    config.parent.mkdir(parents=True)
    config.write_bytes(text.encode("latin-1"))
    with pytest.raises(Unauthorized) as caught:
        Credentials(environment).find("r.test")
    assert str(config) in str(caught.value)
    with pytest.raises(Unauthorized):
        Credentials(environment).save("r.test", Credential("a", "b"))
    assert config.read_bytes() == text.encode("latin-1")


def test_an_empty_file_holds_nothing(environment: dict[str, str], config: Path) -> None:
    write(config, "")
    assert Credentials(environment).find("r.test") is None


@pytest.mark.parametrize("value", ["%%%", base64.b64encode(b"\xff\xfe:secretbytes").decode(), ["x"]])
def test_a_damaged_entry(environment: dict[str, str], config: Path, value: object) -> None:
    write(config, {"auths": {"r.test": {"auth": value}, "q.test": {"auth": auth("me", "x")}}})
    with pytest.raises(Unauthorized, match=r"r\.test") as caught:
        Credentials(environment).find("r.test")
    assert "secretbytes" not in f"{caught.value!r}{caught.value.__cause__!r}"
    assert Credentials(environment).find("q.test") == Credential("me", "x")


@pytest.mark.parametrize("document", [{"auths": []}, {"auths": None}, {"credHelpers": 5}, {"credsStore": {}}])
def test_odd_shapes_hold_nothing(environment: dict[str, str], config: Path, document: object) -> None:
    write(config, document)
    assert Credentials(environment).find("r.test") is None


# Helpers

HELPER = r"""#!/bin/sh
read -r line
echo "$1 $line" >> "$0.log"
case "$1:$line" in
get:r.test) echo '{"ServerURL":"r.test","Username":"me","Secret":"from the helper"}' ;;
get:token.test) echo '{"Username":"<token>","Secret":"an identity"}' ;;
get:https://index.docker.io/v1/) echo '{"Username":"hub","Secret":"x"}' ;;
get:garbage.test) echo 'Secret: from the helper' ;;
get:list.test) echo '["from the helper"]' ;;
get:bytes.test) printf '\377\376' ;;
get:broken.test) echo 'from the helper' >&2; exit 3 ;;
get:*) echo 'credentials not found in native keychain'; exit 1 ;;
*) exit 0 ;;
esac
"""


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``docker-credential-test`` on the PATH; what it was asked is in its ``.log``."""
    program = write(tmp_path / "bin" / "docker-credential-test", HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program


def asked(helper: Path) -> list[str]:
    log = Path(f"{helper}.log")
    return log.read_text().splitlines() if log.exists() else []


@pytest.mark.parametrize("document", [{"credsStore": "test"}, {"credHelpers": {"r.test": "test"}}])
def test_a_helper_is_asked(
    environment: dict[str, str], config: Path, helper: Path, document: dict[str, object]
) -> None:
    write(config, {**document, "auths": {"r.test": {}}})
    assert Credentials(environment).find("r.test") == Credential("me", "from the helper")
    assert asked(helper) == ["get r.test"]


def test_a_helper_for_one_registry_is_asked_for_no_other(
    environment: dict[str, str], config: Path, helper: Path
) -> None:
    write(config, {"credHelpers": {"r.test": "test"}})
    assert Credentials(environment).find("q.test") is None
    assert asked(helper) == []


def test_answers_of_a_helper(environment: dict[str, str], config: Path, helper: Path) -> None:
    write(config, {"credsStore": "test"})
    credentials = Credentials(environment)
    assert credentials.find("token.test") == Credential("", "", "an identity")
    assert credentials.find("docker.io") == Credential("hub", "x")
    assert credentials.find("unknown.test") is None


@pytest.mark.parametrize("registry", ["garbage.test", "list.test", "bytes.test", "broken.test"])
def test_a_helper_that_fails(environment: dict[str, str], config: Path, helper: Path, registry: str) -> None:
    write(config, {"credsStore": "test"})
    with pytest.raises(Unauthorized, match="docker-credential-test") as caught:
        Credentials(environment).find(registry)
    assert "from the helper" not in f"{caught.value!r}{caught.value.hint}{caught.value.__cause__!r}"


@pytest.mark.parametrize("name", ["absent", "../bin/docker-credential-test", "plain"])
def test_a_helper_that_cannot_be_run(environment: dict[str, str], config: Path, helper: Path, name: str) -> None:
    write(helper.parent / "docker-credential-plain", "no program").chmod(0o644)
    write(config, {"credsStore": name})
    with pytest.raises(Unauthorized):
        Credentials(environment).find("r.test")
    assert asked(helper) == []


def test_saving_and_erasing_through_a_helper(environment: dict[str, str], config: Path, helper: Path) -> None:
    write(config, {"credsStore": "test"})
    credentials = Credentials(environment)
    credentials.save("r.test", Credential("me", SECRET))
    assert SECRET not in config.read_text()
    assert auth("me", SECRET) not in config.read_text()
    verb, _, said = asked(helper)[0].partition(" ")
    assert verb == "store"
    assert json.loads(said) == {"ServerURL": "r.test", "Username": "me", "Secret": SECRET}
    credentials.erase("r.test")
    assert asked(helper)[1] == "erase r.test"
    assert json.loads(config.read_text())["auths"] == {}


# Writing


def test_saving_keeps_everything_else(environment: dict[str, str], config: Path) -> None:
    before = {"auths": {"q.test": {"auth": auth("other", "y")}}, "HttpHeaders": {"A": "b"}, "psFormat": "x"}
    write(config, before)
    config.chmod(0o644)
    assert Credentials(environment).save("r.test", Credential("me", SECRET)) == config
    document = json.loads(config.read_text())
    assert document["auths"].pop("r.test") == {"auth": auth("me", SECRET)}
    assert document == before
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert Credentials(environment).find("r.test") == Credential("me", SECRET)


def test_saving_makes_the_folder(environment: dict[str, str], config: Path) -> None:
    Credentials(environment).save("r.test", Credential("me", "x"))
    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    assert os.listdir(config.parent) == ["config.json"]


def test_saving_through_a_link(environment: dict[str, str], config: Path, tmp_path: Path) -> None:
    real = write(tmp_path / "dotfiles" / "docker.json", {})
    config.parent.mkdir(parents=True)
    config.symlink_to(real)
    Credentials(environment).save("r.test", Credential("me", "x"))
    assert config.is_symlink()
    assert "r.test" in real.read_text()


def test_saving_docker_hub_as_docker_does(environment: dict[str, str], config: Path) -> None:
    Credentials(environment).save("docker.io", Credential("me", "x"))
    assert list(json.loads(config.read_text())["auths"]) == ["https://index.docker.io/v1/"]
    assert Credentials(environment).find("docker.io", "library/nginx") == Credential("me", "x")


def test_saving_replaces_every_spelling(environment: dict[str, str], config: Path) -> None:
    write(config, {"auths": {"https://r.test": {"auth": auth("old", "x")}, "r.test/team": {"auth": auth("t", "x")}}})
    Credentials(environment).save("r.test", Credential("new", "x"))
    assert set(json.loads(config.read_text())["auths"]) == {"r.test", "r.test/team"}


def test_erasing(environment: dict[str, str], config: Path) -> None:
    write(config, {"auths": {"https://r.test": {"auth": auth("me", "x")}, "q.test": {"auth": auth("q", "x")}}})
    assert Credentials(environment).erase("r.test") == config
    assert json.loads(config.read_text()) == {"auths": {"q.test": {"auth": auth("q", "x")}}}
    assert Credentials(environment).erase("r.test") is None
    assert stat.S_IMODE(config.stat().st_mode) == 0o600


def test_where_nothing_can_be_written(environment: dict[str, str], tmp_path: Path) -> None:
    environment["DOCKER_CONFIG"] = str(write(tmp_path / "file", "x") / "folder")
    with pytest.raises(AirgapError, match="cannot write credentials"):
        Credentials(environment).save("r.test", Credential("me", "x"))


def test_no_secret_in_a_repr() -> None:
    shown = repr(Credential("me", "s3cret", "tok3n"))
    assert "s3cret" not in shown
    assert "tok3n" not in shown
    assert "s3cret" not in repr(Credentials({}, {"r.test": Credential("me", "s3cret")}))
