# SPDX-License-Identifier: Apache-2.0
"""Each runtime's files, byte by byte where people compare them with a guide, and how they are merged."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from airgap.errors import OutputError, TargetError, UsageError
from airgap.nodes import (
    RUNTIMES,
    Create,
    MirroredRegistry,
    NodeSetup,
    PullEndpoint,
    containerd,
    mirrored_registries,
    objects,
    setup_for,
)
from airgap.oci import Reference

ADDRESS = "172.25.0.84:30018"
CA = b"-----BEGIN CERTIFICATE-----\n"
PLAIN, SECURE, BLIND = (
    PullEndpoint(ADDRESS, plain_http=True),
    PullEndpoint(ADDRESS, ca=CA),
    PullEndpoint(ADDRESS, insecure=True),
)


def files(setup: NodeSetup) -> dict[str, str]:
    return {file.path: file.content.decode() for file in setup.files if file.create is Create.ALWAYS}


def merged(setup: NodeSetup, path: str, there: str) -> str:
    (file,) = [one for one in setup.files if one.path == path]
    return file.merge(there.encode()).decode()


def moved(*pairs: tuple[str, str]) -> list[MirroredRegistry]:
    return mirrored_registries(
        [(Reference.parse(source), Reference.parse(target)) for source, target in pairs], ADDRESS
    )


WHOLE = moved(("quay.io/a/b:1", f"{ADDRESS}/k/a/b:1"), ("quay.io/c:1", f"{ADDRESS}/k/c:1"))
SHORT = moved(("quay.io/a/b:1", f"{ADDRESS}/k/b:1"), ("nginx", f"{ADDRESS}/k/nginx"))


def test_containerds_file_is_the_one_of_the_guides() -> None:
    assert files(setup_for("containerd", PLAIN, ())) == {
        f"/etc/containerd/certs.d/{ADDRESS}/hosts.toml": f'server = "http://{ADDRESS}"\n'
        f'[host."http://{ADDRESS}"]\n'
        '  capabilities = ["pull", "resolve", "push"]\n'
        "  skip_verify = true\n"
    }


def test_a_certificate_authority_lies_beside_hosts_toml_and_is_named_relative_to_it() -> None:
    made = files(setup_for("containerd", SECURE, WHOLE))
    for host in (ADDRESS, "quay.io"):
        assert made[f"/etc/containerd/certs.d/{host}/ca.crt"] == CA.decode()
        assert made[f"/etc/containerd/certs.d/{host}/hosts.toml"].count('ca = "ca.crt"\n') == 2
        assert "skip_verify" not in made[f"/etc/containerd/certs.d/{host}/hosts.toml"]


def test_a_mirror_of_containerd_never_pushes_and_never_asks_the_internet() -> None:
    made = files(setup_for("containerd", PLAIN, WHOLE))["/etc/containerd/certs.d/quay.io/hosts.toml"]
    url = f"http://{ADDRESS}/v2/k"
    keys = 'capabilities = ["pull", "resolve"]\n{0}skip_verify = true\n{0}override_path = true\n'
    assert made == f'server = "{url}"\n{keys.format("")}[host."{url}"]\n  {keys.format("  ")}'
    assert "push" not in made


def test_containerd_cannot_follow_basename_and_says_why() -> None:
    made = setup_for("containerd", PLAIN, SHORT)
    assert any(re.search(r"docker\.io/library/nginx from .*:30018/k/nginx,", warning) for warning in made.warnings)
    assert all("need --mapping path" in warning for warning in made.warnings)
    # The target's own entry is there all the same, since the rewritten names need it.
    assert [path for path in files(made) if path.endswith("hosts.toml")] == [
        f"/etc/containerd/certs.d/{ADDRESS}/hosts.toml"
    ]
    mixed = moved(("quay.io/a/b:1", f"{ADDRESS}/a/b:1"), ("quay.io/a/c:1", f"{ADDRESS}/x/a/c:1"))
    (warning,) = setup_for("containerd", PLAIN, mixed).warnings
    assert warning.endswith(": quay.io/a/b, quay.io/a/c")


def test_nerdctl_is_containerds() -> None:
    assert files(setup_for("nerdctl", SECURE, WHOLE)) == files(setup_for("containerd", SECURE, WHOLE))


def test_hosts_toml_of_others_keeps_what_we_do_not_say() -> None:
    path = f"/etc/containerd/certs.d/{ADDRESS}/hosts.toml"
    there = '# by us\nserver = "https://x"\n[host."http://first.test"]\n  capabilities = ["pull"]\n'
    made = merged(setup_for("containerd", PLAIN, ()), path, there)
    assert made.startswith(f'# by us\nserver = "http://{ADDRESS}"\n[host."http://first.test"]\n')
    assert f'[host."http://{ADDRESS}"]\n  capabilities' in made


@pytest.mark.parametrize(
    ("there", "paths"),
    [
        ("version = 2\n", "/etc/containerd/certs.d"),
        (
            'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/x"\n',
            "/x:/etc/containerd/certs.d",
        ),
        ("version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\n", "/etc/containerd/certs.d"),
        ("[plugins.cri]\n", "/etc/containerd/certs.d"),
    ],
)
def test_config_path_is_set_where_each_version_has_it(there: str, paths: str) -> None:
    made = containerd.with_config_path(there.encode()).decode()
    assert made.count(f'config_path = "{paths}"') == 1
    assert containerd.with_config_path(made.encode()).decode() == made


def test_config_path_that_is_there_already_changes_nothing() -> None:
    there = (
        b"version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\n"
        b"config_path = '/etc/containerd/certs.d:/etc/docker/certs.d'\n"
    )
    assert containerd.with_config_path(there) == there


@pytest.mark.parametrize("key", ['mirrors."quay.io"', 'configs."a.test".tls'])
def test_settings_with_which_containerd_would_not_start_are_refused(key: str) -> None:
    registry = '[plugins."io.containerd.grpc.v1.cri".registry'
    with pytest.raises(OutputError, match="takes no config_path"):
        containerd.with_config_path(f"version = 2\n{registry}.{key}]\nx = 1\n".encode())
    auth = f'version = 2\n{registry}]\n{registry}.mirrors]\n{registry}.configs."a.test".auth]\nx = "1"\n'
    containerd.with_config_path(auth.encode())


def test_an_unknown_version_is_left_alone() -> None:
    with pytest.raises(OutputError, match="version is 4"):
        containerd.with_config_path(b"version = 4\n")


def test_podman_goes_by_prefix_where_a_registry_does_and_by_image_where_not() -> None:
    (whole,) = files(setup_for("podman", PLAIN, WHOLE)).values()
    assert f'prefix = "quay.io"\nlocation = "{ADDRESS}/k"\ninsecure = true\n' in whole
    (short,) = files(setup_for("crio", BLIND, SHORT)).values()
    assert f'prefix = "quay.io/a/b"\nlocation = "{ADDRESS}/k/b"\ninsecure = true\n' in short
    assert f'prefix = "docker.io/library/nginx"\nlocation = "{ADDRESS}/k/nginx"\n' in short
    secure = files(setup_for("podman", SECURE, ()))
    assert "insecure" not in "".join(secure.values())
    assert secure[f"/etc/containers/certs.d/{ADDRESS}/ca.crt"] == CA.decode()


def test_podmans_other_entries_stay() -> None:
    path = "/etc/containers/registries.conf.d/90-airgap.conf"
    setup = setup_for("podman", PLAIN, WHOLE)
    there = (
        'short-name-mode = "disabled"\n[[registry]]\nprefix = "ghcr.io"\nlocation = "x.test"\n[[registry.mirror]]\n'
        'location = "m.test"\n[[registry]]\nlocation = "quay.io"\nblocked = true\n[[registry.mirror]]\n'
        'location = "old"\n'
        '[aliases]\n"a" = "b.test/a"\n'
    )
    made = merged(setup, path, there)
    assert 'prefix = "ghcr.io"\nlocation = "x.test"\n[[registry.mirror]]\nlocation = "m.test"\n' in made
    assert '[aliases]\n"a" = "b.test/a"\n' in made
    assert "blocked" not in made
    assert '"old"' not in made
    assert merged(setup, path, made) == made
    (fresh,) = files(setup).values()
    assert merged(setup, path, fresh) == fresh


def test_dockers_lists_grow_and_the_rest_stays() -> None:
    path = "/etc/docker/daemon.json"
    there = '{\n\t"log-driver": "json-file",\n\t"insecure-registries": ["old:5000"]\n}\n'
    setup = setup_for("docker", PLAIN, moved(("nginx", f"{ADDRESS}/library/nginx")))
    made = merged(setup, path, there)
    assert json.loads(made) == {
        "log-driver": "json-file",
        "insecure-registries": ["old:5000", ADDRESS],
        "registry-mirrors": [f"http://{ADDRESS}"],
    }
    assert '\n\t"log-driver"' in made
    assert merged(setup, path, made) == made
    for wrong in ("{", "[]", '{"insecure-registries": "a"}'):
        with pytest.raises(OutputError):
            merged(setup, path, wrong)


def test_docker_says_what_it_cannot_mirror() -> None:
    made = setup_for("docker", SECURE, SHORT)
    assert list(files(made)) == [f"/etc/docker/certs.d/{ADDRESS}/ca.crt"]
    assert len(made.warnings) == 2
    assert "no mirrors for quay.io" in "".join(made.warnings)
    assert "library/nginx" in "".join(made.warnings)


def k3s(endpoint: PullEndpoint, images: list[MirroredRegistry], runtime: str = "k3s") -> Any:
    made = files(setup_for(runtime, endpoint, images))
    return yaml.safe_load(made[f"/etc/rancher/{runtime}/registries.yaml"])


def test_k3s_rewrites_whatever_the_mapping_did() -> None:
    assert k3s(PLAIN, WHOLE) == {
        "mirrors": {
            ADDRESS: {"endpoint": [f"http://{ADDRESS}"]},
            "quay.io": {"endpoint": [f"http://{ADDRESS}"], "rewrite": {"^(.*)$": "k/$1"}},
        }
    }
    short = k3s(BLIND, SHORT)
    assert short["mirrors"]["quay.io"]["rewrite"] == {"^a/b$": "k/b"}
    assert short["mirrors"]["docker.io"]["rewrite"] == {"^library/nginx$": "k/nginx"}
    assert short["configs"] == {ADDRESS: {"tls": {"insecure_skip_verify": True}}}
    file = "/etc/rancher/rke2/airgap-172.25.0.84_30018.crt"
    assert k3s(SECURE, [], "rke2")["configs"] == {ADDRESS: {"tls": {"ca_file": file}}}


def test_k3s_keeps_other_registries_and_credentials_and_no_old_rewrites() -> None:
    path = "/etc/rancher/k3s/registries.yaml"
    there = {
        "mirrors": {"x.test": {"endpoint": ["http://x"]}, "quay.io": {"endpoint": ["old"], "rewrite": {"a": "b"}}},
        "configs": {ADDRESS: {"auth": {"username": "u", "password": "p"}}},
    }
    setup = setup_for("k3s", SECURE, moved(("quay.io/a", f"{ADDRESS}/a")))
    made = yaml.safe_load(merged(setup, path, yaml.safe_dump(there)))
    assert made["mirrors"]["x.test"] == {"endpoint": ["http://x"]}
    assert made["mirrors"]["quay.io"] == {"endpoint": [f"https://{ADDRESS}"]}
    assert made["configs"][ADDRESS]["auth"] == {"username": "u", "password": "p"}
    assert "ca_file" in made["configs"][ADDRESS]["tls"]
    assert merged(setup, path, "# nothing\n") == "# nothing\n" + merged(setup, path, "")
    for wrong in ("a: [", "- a", "mirrors: 3", f"configs: {{'{ADDRESS}': 3}}"):
        with pytest.raises(OutputError):
            merged(setup, path, wrong)


def test_one_name_that_became_two_is_refused() -> None:
    with pytest.raises(TargetError, match="both as x and as y"):
        moved(("quay.io/a:1", f"{ADDRESS}/x:1"), ("quay.io/a:2", f"{ADDRESS}/y:2"))
    assert moved((f"{ADDRESS}/a:1", f"{ADDRESS}/a:1")) == []


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("endpoint", [PLAIN, SECURE, BLIND], ids=["http", "ca", "insecure"])
def test_every_setup_is_settled_and_says_what_to_restart(runtime: str, endpoint: PullEndpoint) -> None:
    setup = setup_for(runtime, endpoint, moved(("quay.io/a/b", f"{ADDRESS}/a/b")))
    assert setup.restart
    assert len({file.path for file in setup.files}) == len(setup.files)
    for file in setup.files:
        assert file.path.startswith("/etc/")
        assert file.create is Create.NEVER or file.merge(file.content) == file.content


def test_a_pull_secret_holds_the_credential_as_kubernetes_reads_it() -> None:
    import base64

    secret = yaml.safe_load(objects.pull_secret(ADDRESS, "nexus", "apps", ("u", "p:w'\""), login_address=ADDRESS))
    assert secret["metadata"] == {"name": "nexus", "namespace": "apps"}
    document = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    (entry,) = document["auths"].values()
    assert list(document["auths"]) == [ADDRESS]
    assert base64.b64decode(entry["auth"]).decode() == "u:p:w'\""
    template = objects.pull_secret(ADDRESS, "nexus", "apps", None, login_address=ADDRESS).decode()
    assert ADDRESS in yaml.safe_load(template)["stringData"][".dockerconfigjson"]
    assert "--from-file=.dockerconfigjson" in template
    with pytest.raises(UsageError):
        objects.pull_secret(ADDRESS, "Nexus", "apps", None, login_address=ADDRESS)


def test_a_daemonset_takes_what_needs_no_restart_only() -> None:
    with pytest.raises(UsageError, match="restarted"):
        objects.daemonset("k3s", setup_for("k3s", PLAIN, ()).files, "x")
    with pytest.raises(UsageError, match=r"certs\.d"):
        objects.daemonset("crio", setup_for("crio", SECURE, ()).files, "x")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_earlier_insecure_does_not_outlive_a_run_with_an_authority(runtime: str) -> None:
    """Whoever moves to a certificate authority must not go on trusting anybody, unseen."""
    before = {file.path: file.content for file in setup_for(runtime, BLIND, WHOLE).files}
    for file in setup_for(runtime, SECURE, WHOLE).files:
        there = before.get(file.path)
        after = file.content if there is None else file.merge(there)
        assert b"skip_verify" not in after
        assert b"insecure = true" not in after
        if file.path.endswith("daemon.json"):
            assert json.loads(after) == {"insecure-registries": []}


def test_nor_does_an_old_scheme_or_prefix_of_containerd() -> None:
    path = "/etc/containerd/certs.d/quay.io/hosts.toml"
    there = files(setup_for("containerd", PLAIN, WHOLE))[path]
    theirs = '# theirs\n[host."https://mirror.corp"]\n  skip_verify = true\n'
    new = setup_for("containerd", SECURE, moved(("quay.io/a/b:1", f"{ADDRESS}/new/a/b:1")))
    assert merged(new, path, there + theirs) == (
        f'server = "https://{ADDRESS}/v2/new"\ncapabilities = ["pull", "resolve"]\noverride_path = true\n'
        'ca = "ca.crt"\n'
        f'{theirs}\n[host."https://{ADDRESS}/v2/new"]\n  capabilities = ["pull", "resolve"]\n  ca = "ca.crt"\n'
        "  override_path = true\n"
    )


def test_k3s_without_insecure_is_verified_again() -> None:
    path = "/etc/rancher/k3s/registries.yaml"
    there = files(setup_for("k3s", BLIND, ()))[path]
    after = yaml.safe_load(merged(setup_for("k3s", PullEndpoint(ADDRESS), ()), path, there))
    assert after["configs"] == {ADDRESS: {"tls": {}}}


def test_docker_over_a_public_certificate_makes_no_file_and_takes_the_old_entry_out() -> None:
    (file,) = setup_for("docker", PullEndpoint(ADDRESS), ()).files
    assert file.create is Create.NEVER
    there = json.dumps(
        {"insecure-registries": ["x", ADDRESS], "registry-mirrors": [f"http://{ADDRESS}/"], "debug": True}
    )
    assert json.loads(file.merge(there.encode())) == {
        "insecure-registries": ["x"],
        "registry-mirrors": [],
        "debug": True,
    }
