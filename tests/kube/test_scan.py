# SPDX-License-Identifier: Apache-2.0
"""What is found where, and what is not, with places as people count them."""

from __future__ import annotations

import pytest

from airgap.errors import Failures, ResourceError
from airgap.kube import CustomRules, TakeRule, rewrite_content, scan
from tests.kube.support import only, pod, texts

pytestmark = pytest.mark.usefixtures("parser")

SPEC = """\
{i}initContainers:
{i}- image: a/init:1
{i}containers:
{i}- image: a/main:1
{i}  name: nginx
{i}ephemeralContainers: [{{image: a/debug:1}}]
{i}volumes:
{i}- name: v
{i}  image: {{reference: a/volume:1, pullPolicy: IfNotPresent}}
"""
FOUR = ["a/init:1", "a/main:1", "a/debug:1", "a/volume:1"]

WORKLOADS = [
    ("v1", "Pod", "spec"),
    ("v1", "ReplicationController", "spec.template.spec"),
    ("apps/v1", "Deployment", "spec.template.spec"),
    ("apps/v1", "StatefulSet", "spec.template.spec"),
    ("apps/v1beta2", "DaemonSet", "spec.template.spec"),
    ("extensions/v1beta1", "ReplicaSet", "spec.template.spec"),
    ("batch/v1", "Job", "spec.template.spec"),
    ("batch/v1", "CronJob", "spec.jobTemplate.spec.template.spec"),
    ("v1", "PodTemplate", "template.spec"),
]


def workload(api: str, kind: str, below: str, shift: int = 0) -> str:
    lines = [f"apiVersion: {api}", f"kind: {kind}"]
    for depth, key in enumerate(below.split(".")):
        lines.append("  " * depth + key + ":")
    text = "\n".join(lines) + "\n" + SPEC.format(i="  " * len(below.split(".")))
    return "".join(" " * shift + line + "\n" for line in text.splitlines())


@pytest.mark.parametrize(("api", "kind", "below"), WORKLOADS)
def test_every_workload(api: str, kind: str, below: str) -> None:
    found = scan(workload(api, kind, below).encode(), "x.yaml")
    assert texts(found) == FOUR
    assert {(site.kind, site.confidence) for site in found.sites} == {("field", "certain")}
    assert [site.path for site in found.sites] == [
        f"{below}.initContainers[0].image",
        f"{below}.containers[0].image",
        f"{below}.ephemeralContainers[0].image",
        f"{below}.volumes[0].image.reference",
    ]
    assert not found.misses


def test_what_kind_of_object_it_is_may_stand_last() -> None:
    (site,) = scan(b"spec:\n  containers:\n  - image: a\nkind: Pod\napiVersion: v1\n", "x").sites
    assert site.kind == "field"


@pytest.mark.parametrize("kind", ["List", "DeploymentList"])
def test_lists(kind: str) -> None:
    items = workload("apps/v1", "Deployment", "spec.template.spec", 2)
    content = f"apiVersion: v1\nkind: {kind}\nitems:\n-\n{items}-\n{items}"
    found = scan(content.encode(), "x")
    assert texts(found) == FOUR * 2
    assert {site.kind for site in found.sites} == {"field"}
    assert found.sites[4].path == "items[1].spec.template.spec.initContainers[0].image"


def test_items_of_a_typed_list_need_no_type_of_their_own() -> None:
    (site,) = scan(b"apiVersion: v1\nitems: [{spec: {containers: [{image: a}]}}]\nkind: PodList\n", "x").sites
    assert (site.kind, site.path) == ("field", "items[0].spec.containers[0].image")


def test_custom_resources() -> None:
    content = b"""\
apiVersion: example.com/v1
kind: Thing
spec:
  image: a/operand:1
  template:
    spec:
      containers: [{name: x, image: busybox}]
  steps:
  - {image: a/step@sha256:%s}
  split: {image: proxy, tag: v1}
  other: {global: {tag: v2, proxy: {image: proxy2}}}
  pullPolicy: {image: Always}
  nothing: [{image: }, {image: ""}, {image: ~}, {image: true}, {image: {x: 1}}, {image: [a/b:1]}]
---
apiVersion: batch.example.com/v1
kind: Job
spec: {template: {spec: {containers: [{image: a/other:1}]}}}
""" % (b"0" * 64)
    found = scan(content, "x")
    assert texts(found) == ["a/operand:1", "busybox", f"a/step@sha256:{'0' * 64}", "proxy", "proxy2", "a/other:1"]
    assert [str(site.reference) for site in found.sites[3:5]] == [
        "docker.io/library/proxy:v1",
        "docker.io/library/proxy2:v2",
    ]
    assert {(site.kind, site.confidence) for site in found.sites} == {("crd", "likely")}
    reasons = {miss.text: miss.reason for miss in found.misses}
    assert "lower case" in reasons["Always"]
    assert "no text" in reasons["true"]
    assert reasons[""] == "it is empty"


def test_keys_that_are_called_image_and_name_none() -> None:
    content = b"""\
apiVersion: v1
kind: Pod
metadata: {labels: {image: busybox}, annotations: {image: a/b:1}}
spec: {nodeSelector: {image: ubuntu}, containers: [{image: real}]}
status: {containerStatuses: [{image: "docker.io/library/real:latest"}]}
"""
    found = scan(content, "x")
    assert texts(found) == ["real"]
    assert [miss.text for miss in found.misses] == ["busybox", "a/b:1", "ubuntu", "docker.io/library/real:latest"]
    assert all("labels" in miss.reason for miss in found.misses[:3])
    assert "status" in found.misses[3].reason


def test_a_lone_surrogate_can_be_told() -> None:
    content = b'{"apiVersion": "x/v1", "kind": "T", "\\ud800": {"image": "a\\ud800"}}'
    (miss,) = scan(content, "x.json").misses
    assert f"{miss.path} {miss.text} {miss.reason}".encode().count(b"ud800") >= 2


@pytest.mark.parametrize(
    ("mapping", "parts"),
    [
        ("{image: q.io/a/b:1, version: '1', tag: x, registry: y}", "whole"),
        ("{image: q.io/a/b@sha256:%s, tag: '1'}" % ("0" * 64), "whole"),
        ("{image: a/b:1, version: '1'}", "whole"),
        ("{image: a/b:1, registry: q.io}", "name registry"),
        ("{image: q.io/a/b, tag: '1'}", "name tag"),
        ("{image: a/b}", "whole"),
        ("{image: localhost/b:1, registry: q.io}", "whole"),
    ],
)
def test_a_reference_is_whole_or_split_over_keys(mapping: str, parts: str) -> None:
    site = only(f"apiVersion: x/v1\nkind: T\nspec: {mapping}\n".encode())
    assert " ".join(part.role for part in site.parts) == parts


def test_schemas_of_custom_resources_name_no_images() -> None:
    content = b"""\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  names: {kind: Thing}
  versions:
  - schema:
      openAPIV3Schema:
        properties:
          image:
            description: "image: quay.io/a/b:1, for example"
            type: string
          apiVersion: {type: string}
          kind: {type: string}
"""
    assert scan(content, "x").sites == ()


def test_an_object_in_an_object_is_judged_by_its_own_type() -> None:
    content = b"""\
apiVersion: example.com/v1
kind: Bundle
spec:
  objects:
  - apiVersion: v1
    kind: Pod
    spec: {containers: [{image: a/inner:1}]}
  - apiVersion: v1
    kind: ConfigMap
    data: {image: "the picture"}
  image: a/outer:1
"""
    assert [(site.text, site.kind) for site in scan(content, "x").sites] == [
        ("a/inner:1", "field"),
        ("a/outer:1", "crd"),
    ]


ARGUMENTS = [
    ("[--acme-http01-solver-image=quay.io/a/b:v1]", ["quay.io/a/b:v1"]),
    ("[--image=busybox]", ["busybox"]),
    ("[-image=busybox, --sidecarImage=a/b]", ["busybox", "a/b"]),
    ("[--x-image, busybox, --y]", ["busybox"]),
    ("[--x-image, --y, busybox]", []),
    ("[--x-image, '', busybox]", []),
    ("[--image=]", []),
    ("[--image-pull-policy=always, --image-pull-secret, regcred]", []),
    ("[--images=a=q.io/a:1, '--images=b=q.io/b:1,c=q.io/c', --images=regcred]", ["q.io/a:1", "q.io/b:1", "q.io/c"]),
    ("['sh -c \"run --image q.io/a:1 --other-image=\\'b\\'\"']".replace("\\'", "''"), ["q.io/a:1", "b"]),
    ("['give --image to it']", []),
    ("[--image=$(IMAGE), '--x-image={{ .Values.x }}', '--y-image=${Y}']", []),
    ("[--config-reloader=quay.io/a/b:v1, quay.io/c/d@sha256:" + "0" * 64 + "]",
     ["quay.io/a/b:v1", "quay.io/c/d@sha256:" + "0" * 64]),
    ("[--listen=0.0.0.0:8080, --url=http://a.b/c:1, 10.0.0.0/8, a/b:1]", []),
]  # fmt: skip


@pytest.mark.parametrize(("items", "expected"), ARGUMENTS)
@pytest.mark.parametrize("key", ["args", "command"])
def test_arguments(items: str, expected: list[str], key: str) -> None:
    found = scan(pod(f"  - {key}: {items}\n".encode()), "x")
    assert texts(found) == expected
    assert {site.kind for site in found.sites} <= {"arg"}


def test_an_argument_behind_a_name_that_does_not_say_image_is_only_possible() -> None:
    content = pod(b"  - args: [--image=q.io/a:1, --reloader=q.io/b:1, --build-arg, BASE=q.io/c:1, x_image=q.io/d:1]\n")
    assert [site.confidence for site in scan(content, "x").sites] == ["likely", "likely", "possible", "likely"]


def test_environment() -> None:
    content = pod(
        b"""\
  - env:
    - {name: RELATED_IMAGE_X, value: a/b:1}
    - {value: 'busybox', name: SIDECAR_IMAGE}
    - {name: IMAGE_PULL_POLICY, value: IfNotPresent}
    - {name: SERVER, value: q.io/a/b:1}
    - {name: A_IMAGE, value: "$(B_IMAGE)"}
    - {name: B_IMAGE, valueFrom: {fieldRef: {fieldPath: x}}}
    - {name: C_IMAGE, value: }
    - {name: URL, value: "http://q.io/a:1"}
    - {name: GREETING, value: "hello from q.io/c:1"}
"""
    )
    found = scan(content, "x")
    assert [(site.text, site.kind, site.confidence) for site in found.sites] == [
        ("a/b:1", "env", "likely"),
        ("busybox", "env", "possible"),
        ("q.io/a/b:1", "env", "likely"),
    ]
    misses = [(miss.text, "placeholder" in miss.reason) for miss in found.misses]
    assert misses == [("$(B_IMAGE)", True), ("q.io/c:1", False)]


def test_yaml_that_is_no_object() -> None:
    compose = scan(b"services:\n  web:\n    image: nginx\n    build: .\n", "x").sites
    assert [(site.text, site.kind, site.confidence) for site in compose] == [("nginx", "compose", "likely")]
    values = scan(b"a:\n  image: q.io/a:1\nb: {image: q.io/b, tag: '1'}\n", "x")
    assert [(site.text, site.kind) for site in values.sites] == [("q.io/a:1", "helm-values"), ("q.io/b", "helm-values")]
    assert str(values.sites[1].reference) == "q.io/b:1"


def test_what_looks_like_a_reference_and_is_not_taken_is_told() -> None:
    content = b"apiVersion: v1\nkind: Thing\n"
    content += b"spec:\n  someKey: &a quay.io/a/b:1\n  url: https://quay.io/a/b\nstatus:\n  x: quay.io/c/d:1\n"
    found = scan(content, "f.yaml")
    assert [(site.text, site.rule, site.confidence) for site in found.sites] == [
        ("quay.io/a/b:1", "reference-shape", "possible")
    ]
    (miss,) = found.misses
    assert (miss.file, miss.line, miss.column, miss.path, miss.text) == (
        "f.yaml",
        7,
        6,
        "status.x",
        "quay.io/c/d:1",
    )


PLACEHOLDERS = ["{{ .Values.image }}", "q.io/a:${TAG}", "$(IMAGE)", "ko://example.com/cmd", "<your image>", "a:%TAG%"]


@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_placeholders_are_no_error(value: str) -> None:
    found = scan(pod(f"  - image: '{value}'\n".encode()), "x")
    assert found.sites == ()
    assert [miss.text for miss in found.misses] == [value]


def test_a_certain_place_must_hold_a_reference() -> None:
    content = pod(b"  - image: 'Upper/Case:1'\n  - image: fine\n  - image: 'a:b:c'\n  - image: 1.5\n")
    with pytest.raises(Failures) as caught:
        scan(content, "x.yaml")
    assert caught.value.exit_code == 10
    lines = [str(error) for error in caught.value.errors]
    assert [line.split(" ")[0] for line in lines] == ["x.yaml:5:", "x.yaml:7:", "x.yaml:8:"]
    assert "lower case" in lines[0]
    assert "1.5 is no text" in lines[2]
    with pytest.raises(ResourceError, match=r"^x\.yaml:5: .*lower case"):
        scan(pod(b"  - image: 'Upper/Case:1'\n"), "x.yaml")


def test_places() -> None:
    content = (
        "\ufeff# é\r\n{apiVersion: v1, kind: Pod, spec: {containers: [{name: '€😀', image: &x 'nginx'}]}}\r\n".encode()
    )
    site = only(content)
    line = content.decode()[1:].split("\n")[1]
    assert (site.line, site.column) == (2, line.index("nginx") + 1)
    ((start, end),) = site.spans
    assert content[start:end] == b"nginx"
    assert content[site.scalar.start : site.scalar.end] == b"'nginx'"
    assert site.scalar.flow


@pytest.mark.parametrize("size", [0, 1, 900, 1024, 5000])
def test_a_place_at_the_end_of_a_file_that_is_not_ascii(size: int) -> None:
    content = pod("  - {{name: '{}'}}\n  - image: nginx".format("é" * size).encode())
    assert only(content).spans == ((len(content) - 5, len(content)),)
    assert only(content).scalar.end == len(content)


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("spec.containers[].args[]", "", ["a/b:1", "c/d:2"]),
        ("spec.containers[].args[]", "Deployment", []),
        ("spec.*", "Pod", ["host/a"]),
        ("**[]", "Pod", ["a/b:1", "c/d:2", "e/f", "busybox"]),
        ("spec.workers[]", "", ["e/f", "busybox"]),
        ("spec.workers", "", []),
    ],
)
def test_a_rule_of_ones_own_takes_items_of_lists(path: str, kind: str, expected: list[str]) -> None:
    content = pod(
        b"  - args: [run, --worker=a/b:1, --verbose, 'c/d:2', --x=1]\n  workers: [e/f, busybox]\n  node: host/a\n"
    )
    custom = CustomRules(take=[TakeRule(path, "our operator starts it", kind)])
    found = scan(content, "x", custom)
    assert texts(found) == expected
    assert {site.rule for site in found.sites} <= {"airgap.yaml"}
    done = rewrite_content(content, [(site, "t.example/x:1") for site in found.sites])
    wanted = content
    for text in expected:
        wanted = wanted.replace(text.encode(), b"t.example/x:1")
    assert done.content == wanted


def test_lines_end_at_line_feeds_alone() -> None:
    content = "x: 'a\u2028b\rc'\n".encode() + pod(b"  - image: nginx\n")
    assert only(content).line == 6


def test_keys_that_are_no_words() -> None:
    content = (
        b"apiVersion: x/v1\nkind: T\n'a.b': {? [x, y] : {image: q/a:1}, '': {image: q/b:1}, ? {image: q/c:1} : z}\n"
    )
    found = scan(content, "x").sites
    assert [(site.text, site.path) for site in found] == [
        ("q/a:1", "['a.b'].?.image"),
        ("q/b:1", "['a.b'][''].image"),
        ("q/c:1", "['a.b'].?.image"),
    ]


def test_one_site_for_all_users_of_an_anchor() -> None:
    content = b"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  annotations: {note: &image quay.io/a/b:1}
spec:
  template:
    spec:
      containers: [{image: *image}, {image: *image}]
"""
    found = scan(content, "x")
    (site,) = found.sites
    assert (site.line, site.kind, found.misses) == (4, "field", ())
    assert site.path == "spec.template.spec.containers[0].image"


def test_an_anchor_ends_with_its_document() -> None:
    assert scan(b"x: &a some/thing\n---\n" + pod(b"  - image: *a\n"), "x").sites == ()


def test_merge_keys_and_unknown_tags() -> None:
    content = b"""\
apiVersion: x/v1
kind: T
base: &b {image: q/a:1}
use: {<<: *b, other: !custom [1]}
last: !c {image: !d q/b:1}
"""
    assert texts(scan(content, "x")) == ["q/a:1", "q/b:1"]


def test_a_config_map_of_images_may_hold_addresses_too() -> None:
    content = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: my-images}\n"
    content += b"data: {redis: 'redis:7', web: 'a/b:1', mirror: 'registry:5000', ports: '8080:80', mode: 'a: b'}\n"
    assert texts(scan(content, "x")) == ["redis:7", "a/b:1"]
