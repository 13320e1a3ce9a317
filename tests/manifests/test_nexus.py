# SPDX-License-Identifier: Apache-2.0
"""manifests/nexus without a cluster: schemas, kustomize, and that its parts agree with one another.

There is no API server here. What can be known without one is held: every object is one that the
Kubernetes schemas take, ports and selectors meet, and the README says what the files say.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from airgap.kube import scan
from tests.manifests.applied import NEXUS, ROOT, Object, containers, documents, images, objects, pods
from tests.parts.helm import helm

READMES = [ROOT / "manifests" / "README.md", ROOT / "manifests" / "README.ko.md"]
KUBERNETES = ("1.27", "1.32")  # the oldest that the manifests are meant for, and the one of Debian's kubectl
CARRIED = ("statefulset.yaml", "tls.yaml", "provision.yaml")  # those that name images
ANNOTATIONS = {
    "nginx.ingress.kubernetes.io/proxy-body-size": "0",
    "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "900",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "900",
}

APPLIED = [*sorted(set(NEXUS.glob("*.yaml")) - {NEXUS / "kustomization.yaml"}), NEXUS / "helm" / "nodeports.yaml"]
ARTIFACTS = ROOT / "samples" / "artifacts"  # settings and a chart: its objects are there once it is rendered
SAMPLES = sorted(path for path in (ROOT / "samples").glob("*/**/*.yaml") if not path.is_relative_to(ARTIFACTS))


def behind(service: Object) -> Object:
    """The one pod template that a Service selects."""
    selector = service["spec"]["selector"].items()
    (found,) = [pod for _, pod in pods() if selector <= pod["metadata"]["labels"].items()]
    return found


def container_port(pod: Object, name: str) -> int:
    (found,) = [
        port["containerPort"]
        for container in pod["spec"]["containers"]
        for port in container.get("ports", ())
        if port["name"] == name
    ]
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("path", [*APPLIED, *SAMPLES], ids=lambda path: str(path.relative_to(ROOT)))
def test_the_kubernetes_schemas_take_every_object(path: Path, version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    items = documents(path)
    assert items
    for item in items:
        kubernetes_validate.validate(item, version, strict=True)


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_kubernetes_schemas_take_the_chart_of_the_artifacts(version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    command = [str(helm()), "template", "now", str(ARTIFACTS / "charts" / "notice")]
    rendered = subprocess.run(command, capture_output=True, check=True).stdout
    (item,) = yaml.safe_load_all(rendered)
    kubernetes_validate.validate(item, version, strict=True)


def test_the_schemas_refuse_a_misspelt_key() -> None:
    """So that the test above is known to be able to fail."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    (item,) = documents(NEXUS / "statefulset.yaml")
    item["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenessprobe"):
        kubernetes_validate.validate(item, KUBERNETES[0], strict=True)


def test_the_kustomization_lists_every_file_beside_it() -> None:
    listed = documents(NEXUS / "kustomization.yaml")[0]["resources"]
    there = {path.name for path in NEXUS.glob("*.yaml")} - {"kustomization.yaml"}
    assert sorted(listed) == sorted(there)
    assert listed[0] == "namespace.yaml"


def test_kubectl_builds_the_kustomization() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed (Debian: kubernetes-client)")
    done = subprocess.run([kubectl, "kustomize", str(NEXUS)], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    built = [(item["kind"], item["metadata"]["name"]) for item in yaml.safe_load_all(done.stdout)]
    listed = documents(NEXUS / "kustomization.yaml")[0]["resources"]
    expected = [(item["kind"], item["metadata"]["name"]) for name in listed for item in documents(NEXUS / name)]
    assert sorted(built) == sorted(expected)
    assert len(set(built)) == len(built)


def test_everything_is_in_the_namespace() -> None:
    (namespace,) = objects("Namespace")
    for path in APPLIED:
        for item in documents(path):
            if item["kind"] != "Namespace":
                assert item["metadata"]["namespace"] == namespace, path


def test_services_meet_the_ports_of_their_pods() -> None:
    services = objects("Service")
    reached = {}
    for name, service in services.items():
        pod = behind(service)
        for port in service["spec"]["ports"]:
            number = container_port(pod, port["targetPort"])
            assert port["port"] == number
            reached[name] = (service["spec"].get("type"), port.get("nodePort"), number)
    assert reached == {
        "nexus": ("ClusterIP", None, 8081),
        "nexus-headless": (None, None, 8081),
        "nexus-docker-http": ("NodePort", 30018, 8082),
        "nexus-docker-https": ("NodePort", 30443, 8443),
    }
    server = objects("StatefulSet")["nexus"]["spec"]
    assert server["serviceName"] == "nexus-headless"
    assert server["replicas"] == 1


def test_workloads_select_their_own_pods_only() -> None:
    for workload, pod in pods():
        if workload["kind"] == "Job":  # its selector is made by the cluster
            continue
        wanted = workload["spec"]["selector"]["matchLabels"].items()
        chosen = [other for _, other in pods() if wanted <= other["metadata"]["labels"].items()]
        assert chosen == [pod]


def test_volumes_are_there_for_every_mount() -> None:
    claims, maps = objects("PersistentVolumeClaim"), objects("ConfigMap")
    for _, pod in pods():
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        for container in containers(pod):
            assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                for how in ("httpGet", "tcpSocket"):
                    if how in container.get(probe, {}):
                        container_port(pod, container[probe][how]["port"])
        for volume in volumes.values():
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps


def test_pods_keep_to_the_restricted_standard_that_the_namespace_enforces() -> None:
    (namespace,) = objects("Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for _, pod in pods():
        whole = pod["spec"]["securityContext"]
        assert whole["runAsNonRoot"] is True
        assert whole["runAsUser"] == whole["fsGroup"] > 0
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["spec"]["automountServiceAccountToken"] is False
        for container in containers(pod):
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert objects("StatefulSet")["nexus"]["spec"]["template"]["spec"]["securityContext"]["fsGroup"] == 200


def mebibytes(text: str) -> int:
    """``2703m`` as Java writes it, ``8Gi`` as Kubernetes does."""
    ((number, unit),) = re.findall(r"^(\d+)(m|Mi|Gi)$", text)
    return int(number) * (1024 if unit == "Gi" else 1)


def java_memory(arguments: str) -> int:
    """Heap and direct memory in MiB."""
    ((heap, direct),) = re.findall(r"-Xmx(\S+) .*MaxDirectMemorySize=(\S+)", arguments)
    return mebibytes(heap) + mebibytes(direct)


def test_java_fits_into_the_memory_limit_with_room_to_spare() -> None:
    (container,) = objects("StatefulSet")["nexus"]["spec"]["template"]["spec"]["containers"]
    arguments = {item["name"]: item["value"] for item in container["env"]}["INSTALL4J_ADD_VM_PARAMS"]
    assert "-Djava.util.prefs.userRoot=/nexus-data/" in arguments
    assert java_memory(arguments) + 2048 <= mebibytes(container["resources"]["limits"]["memory"])
    chart = documents(NEXUS / "helm" / "values.yaml")[0]
    assert java_memory(chart["install4jAddVmParams"]) + 2048 <= mebibytes(chart["resources"]["limits"]["memory"])


def test_layers_pass_every_ingress() -> None:
    services = objects("Service")
    for ingress in objects("Ingress").values():
        assert ingress["metadata"]["annotations"] == ANNOTATIONS
        hosts = [rule["host"] for rule in ingress["spec"]["rules"]]
        assert hosts == [host for entry in ingress["spec"]["tls"] for host in entry["hosts"]]
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                ports = {port["name"] for port in services[backend["name"]]["spec"]["ports"]}
                assert backend["port"]["name"] in ports
    assert documents(NEXUS / "helm" / "values.yaml")[0]["ingress"]["annotations"] == ANNOTATIONS


def test_the_chart_values_say_what_the_manifests_say() -> None:
    chart = documents(NEXUS / "helm" / "values.yaml")[0]
    (service,) = documents(NEXUS / "helm" / "nodeports.yaml")
    (extra,) = chart["service"]["additionalPorts"]
    (port,) = service["spec"]["ports"]
    assert extra["name"] == port["targetPort"]
    assert extra["containerPort"] == port["port"] == 8082
    assert port["nodePort"] == objects("Service")["nexus-docker-http"]["spec"]["ports"][0]["nodePort"]
    assert service["spec"]["selector"]["app.kubernetes.io/name"] == chart["nameOverride"]
    (container,) = objects("StatefulSet")["nexus"]["spec"]["template"]["spec"]["containers"]
    assert f"{chart['image']['repository']}:{chart['image']['tag']}" == container["image"] + "-ubi"


@pytest.mark.parametrize("page", ["nexus.md", "nexus.ko.md"])
def test_by_helm_the_objects_have_the_names_that_the_guide_uses(page: str) -> None:
    """The chart names StatefulSet and Service by fullnameOverride (its templates, version 5.17.1)."""
    chart = documents(NEXUS / "helm" / "values.yaml")[0]
    (nodeport,) = documents(NEXUS / "helm" / "nodeports.yaml")
    by_helm = {("statefulset", chart["fullnameOverride"]), ("service", chart["fullnameOverride"])}
    by_helm |= {("service", nodeport["metadata"]["name"])}
    by_kustomize = {("statefulset", name) for name in objects("StatefulSet")}
    by_kustomize |= {("service", name) for name in objects("Service")}
    guide = (NEXUS.parents[1] / "docs" / page).read_text(encoding="utf-8")
    used = set(re.findall(r"\b(statefulset|service)/([a-z0-9-]+)", guide))
    assert {("statefulset", "nexus"), ("service", "nexus")} <= used
    assert used <= by_helm
    assert used <= by_kustomize
    job = (NEXUS / "provision.yaml").read_text(encoding="utf-8")
    hosts = set(re.findall(r"\b([a-z0-9-]+)\.nexus\.svc\b", job))
    assert {("service", host) for host in hosts} <= by_helm & by_kustomize
    plain = objects("StatefulSet")["nexus"]["metadata"]["labels"]["app.kubernetes.io/name"]
    assert chart["nameOverride"] == nodeport["spec"]["selector"]["app.kubernetes.io/name"] == plain


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_readme_says_what_the_files_say(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    services = objects("Service")
    for name in ("nexus-docker-http", "nexus-docker-https"):
        (port,) = services[name]["spec"]["ports"]
        (row,) = [line for line in text.splitlines() if line.startswith("|") and f"`{port['nodePort']}`" in line]
        assert str(port["port"]) in row
    assert f"`nexus.nexus.svc:{services['nexus']['spec']['ports'][0]['port']}`" in text
    for path in NEXUS.glob("*.yaml"):
        assert f"`nexus/{path.name}`" in text
    for ingress in objects("Ingress").values():
        assert all(f"`{rule['host']}`" in text for rule in ingress["spec"]["rules"])
    (claim,) = objects("PersistentVolumeClaim").values()
    assert claim["spec"]["resources"]["requests"]["storage"] in text
    (container,) = objects("StatefulSet")["nexus"]["spec"]["template"]["spec"]["containers"]
    assert f"`{container['image'].rpartition(':')[2]}`" in text
    secrets = {
        volume["secret"]["secretName"] for _, pod in pods() for volume in pod["spec"]["volumes"] if "secret" in volume
    } | {entry["secretName"] for ingress in objects("Ingress").values() for entry in ingress["spec"]["tls"]}
    assert set(re.findall(r"create secret tls (\S+)", text)) == secrets
    for named in re.findall(r"manifests/nexus[\w./-]*", text):
        assert (ROOT / named).exists(), named


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_repository_that_the_readme_makes_listens_where_the_service_points(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    (body,) = re.findall(r"```json\n(.*?)```", text, flags=re.DOTALL)
    made = json.loads(body)
    pod = objects("StatefulSet")["nexus"]["spec"]["template"]
    assert made["docker"]["httpPort"] == container_port(pod, "docker-http")
    for right in ("add", "edit", "read", "browse"):
        assert f"-{right}`" in text
    assert f"nx-repository-view-docker-{made['name']}-add" in text


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
def test_what_was_not_run_is_said(path: Path) -> None:
    head = path.read_text(encoding="utf-8")[:700]
    assert "**Not run here with a real Nexus.**" in head or "**실제 Nexus로는 실행해 보지 못했습니다.**" in head
    for manifest in [*APPLIED, NEXUS / "helm" / "values.yaml"]:
        assert "# Written from" in manifest.read_text(encoding="utf-8")[:300], manifest


def test_airgap_finds_the_images_that_must_be_on_the_node() -> None:
    """What the guide's first command carries: every image that a pod names, pinned, and kept where it is there."""
    assert len(images()) == 3
    assert all(re.search(r":\d+\.\d+\.\d+", image) for image in images())
    assert {one["imagePullPolicy"] for _, pod in pods() for one in containers(pod)} == {"IfNotPresent"}
    found = [site for name in CARRIED for site in scan((NEXUS / name).read_bytes(), name).sites]
    assert {site.text for site in found} == images()
    assert all(site.kind == "field" and site.confidence == "certain" for site in found)
    # The guide carries these files: no other of the folder may name an image.
    for path in APPLIED:
        if path.name not in CARRIED:
            assert not scan(path.read_bytes(), path.name).sites, path
