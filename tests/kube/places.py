# SPDX-License-Identifier: Apache-2.0
"""One example for each kind of place in which an image hides. tests/kube/test_places.py proves them, and
tools/discovery.py makes the table of docs/discovery.md from them.

``peers`` says what two others do there, as far as their sources were read: kbld (of 2024-03) and Zarf (of 2026-08).
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """``content`` names ``q.example/a/b:1``, and nothing else; no peer's word where nothing is known."""

    what: str
    shown: str
    content: str
    kbld: str = ""
    zarf: str = ""


IMAGE = "q.example/a/b:1"
_POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: x\n"
_THING = "apiVersion: x.example/v1\nkind: Thing\nmetadata: {name: x}\n"
_CONFIG = "apiVersion: v1\nkind: ConfigMap\ndata:\n"
_SCHEMA = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n"
_BY_KEY = "yes, by the key `image`"
_BY_RULE = "with a rule written by hand"

PLACES = (
    Place("containers of workloads", "`image: REF`", f"{_POD}    image: {IMAGE}\n", _BY_KEY, "yes, typed"),
    Place("image volumes", "`volumes: [{image: {reference: REF}}]`",
          f"apiVersion: v1\nkind: Pod\nspec:\n  volumes: [{{name: v, image: {{reference: '{IMAGE}'}}}}]\n"),
    Place("pod templates in custom resources", "`containers: [{image: REF}]`",
          f"{_THING}spec: {{template: {{spec: {{containers: [{{image: '{IMAGE}'}}]}}}}}}\n", _BY_KEY),
    Place("a custom resource's image", "`image: REF`", f"{_THING}spec: {{image: '{IMAGE}'}}\n", _BY_KEY,
          "by a pattern, which passes over some tags and digests"),
    Place("other fields called so", "`sidecarImage: REF`", f"{_THING}spec: {{sidecarImage: '{IMAGE}'}}\n"),
    Place("registry, repository and tag under keys", "`registry: R`, `repository: N`, `tag: T`",
          f"{_THING}spec: {{image: {{registry: q.example, repository: a/b, tag: '1'}}}}\n"),
    Place("arguments", "`args: [--x-image=REF]`", f"{_POD}    args: [--x-image={IMAGE}]\n", _BY_RULE),
    Place("arguments in two items", "`args: [--x-image, REF]`", f"{_POD}    args: [--x-image, '{IMAGE}']\n", _BY_RULE),
    Place("options of a script", "`command: [sh, -c, \"run --image=REF\"]`",
          f"{_POD}    command: [sh, -c, 'run --image={IMAGE} x']\n", _BY_RULE),
    Place("variables by name", "`{name: X_IMAGE, value: REF}`",
          f"{_POD}    env: [{{name: X_IMAGE, value: '{IMAGE}'}}]\n", _BY_RULE),
    Place("variables by value", "`{name: X, value: REF}`",
          f"{_POD}    env: [{{name: X, value: '{IMAGE}'}}]\n", _BY_RULE),
    Place("lists in a variable", "`value: \"a=REF,b=REF\"`",
          f"{_POD}    env: [{{name: X_IMAGE, value: 'a={IMAGE},b={IMAGE}'}}]\n"),
    Place("settings of ConfigMaps", "`worker-image: REF`", f"{_CONFIG}  worker-image: {IMAGE}\n", _BY_RULE),
    Place("YAML in ConfigMaps", "`x.yaml: \\|`",
          f"{_CONFIG}  x.yaml: |\n    spec:\n      image: {IMAGE} # why\n", _BY_RULE),
    Place("JSON in strings", "`\"{\\\"image\\\": …}\"`", f'{_CONFIG}  x: "{{\\"image\\": \\"{IMAGE}\\"}}"\n', _BY_RULE),
    Place("TOML, INI, shell in ConfigMaps", "`sandbox_image = \"REF\"`",
          f'{_CONFIG}  x.toml: |\n    [plugins]\n      sandbox_image = "{IMAGE}"\n', _BY_RULE),
    Place("settings split over lines", "`image.repository=N`, `image.tag=T`",
          f"{_CONFIG}  x.properties: |\n    registry=q.example\n    image.repository=a/b\n    image.tag=1\n"),
    Place("commands of scripts that pull or run", "`docker pull REF`",
          f"{_POD}    command: [sh, -c, 'crictl pull {IMAGE} && nerdctl run --rm {IMAGE} true']\n"),
    Place("here-documents of scripts", "`cat <<EOF`",
          f"{_POD}    args:\n    - |\n      kubectl apply -f - <<E\n      spec:\n        image: {IMAGE}\n      E\n"),
    Place("annotations", "`proxyImage: REF`",
          f"apiVersion: x.example/v1\nkind: Thing\nmetadata: {{annotations: {{proxyImage: '{IMAGE}'}}}}\n"),
    Place("JSON in annotations", "`last-applied: '{…}'`",
          "apiVersion: x.example/v1\nkind: Thing\n"
          f"metadata:\n  annotations:\n    last-applied: '{{\"spec\": {{\"image\": \"{IMAGE}\"}}}}'\n"),
    Place("what kubectl applied last", "`kubectl.kubernetes.io/last-applied-configuration: '{…}'`",
          "apiVersion: x.example/v1\nkind: Thing\nmetadata:\n  annotations:\n"
          f"    kubectl.kubernetes.io/last-applied-configuration: '{{\"spec\": {{\"image\": \"{IMAGE}\"}}}}'\n"),
    Place("lists called images", "`relatedImages: [{image: REF}]`",
          f"{_THING}spec: {{relatedImages: [{{image: '{IMAGE}'}}]}}\n"),
    Place("parameters", "`{name: x-image, value: REF}`",
          f"{_THING}spec: {{params: [{{name: x-image, value: '{IMAGE}'}}]}}\n"),
    Place("defaults of schemas", "`image: {default: REF}`",
          f"{_SCHEMA}  versions: [{{schema: {{properties: {{image: {{default: '{IMAGE}'}}}}}}}}]\n"),
    Place("kustomization's images", "`newName: N`, `newTag: T`",
          "images:\n- name: x\n  newName: q.example/a/b\n  newTag: '1'\n"),
    Place("Helm values", "`repository: N`, `tag: T`", "image: {repository: q.example/a/b, tag: '1'}\n"),
    Place("Helm values with a registry for all", "`global: {imageRegistry: R}`",
          "global: {imageRegistry: q.example}\nimage: {repository: a/b, tag: '1'}\n"),
    Place("compose files", "`services: {x: {image: REF}}`", f"services:\n  x:\n    image: {IMAGE}\n"),
    Place("addresses", "`url: docker://REF`", f"{_THING}spec: {{url: 'docker://{IMAGE}'}}\n"),
    Place("packages that controllers unpack", "`spec: {package: REF}`",
          f"apiVersion: pkg.crossplane.io/v1\nkind: Provider\nspec: {{package: '{IMAGE}'}}\n"),
    Place("anything with the shape of a whole reference", "`any: REF`", f"{_THING}spec: {{any: '{IMAGE}'}}\n", "",
          "by a pattern, if the registry confirms it"),
)  # fmt: skip
