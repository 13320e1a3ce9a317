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
    Place("variables that list images by version", "`{name: X_IMAGES, value: \"4.2.0=REF\"}`",
          f'{_POD}    env: [{{name: X_IMAGES, value: "4.1.0={IMAGE}\\n4.2.0={IMAGE}\\n"}}]\n'),
    Place("variables with image among other words", "`{name: IMAGE_PRUNER, value: REF}`",
          f"{_POD}    env: [{{name: IMAGE_PRUNER, value: '{IMAGE}'}}, {{name: X_IMAGE_NAME, value: '{IMAGE}'}}]\n"),
    Place("options whose names do not say image", "`--config-reloader=REF`",
          f"{_POD}    args: [--config-reloader={IMAGE}, -shell-image-win, '{IMAGE}']\n"),
    Place("names of variables that end in an image's part", "`xImagePullSpec: REF`",
          f"{_THING}spec: {{xImagePullSpec: '{IMAGE}'}}\n"),
    Place("the reference below image", "`image: {full: REF}`",
          f"{_THING}spec: {{image: {{full: '{IMAGE}'}}, xImage: {{ref: '{IMAGE}'}}}}\n"),
    Place("ConfigMaps whose own name says image", "`metadata: {name: x-images}`",
          "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x-images}\ndata:\n  " + f"web: {IMAGE}\n"),
    Place("a newName with its tag", "`newName: REF`", f"images:\n- name: x\n  newName: {IMAGE}\n"),
    Place("OCI artifacts by address and tag", "`url: oci://N`, `ref: {tag: T}`",
          "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\n"
          "spec:\n  url: oci://q.example/a/b\n  ref: {tag: '1'}\n"),
    Place("OCI addresses", "`url: oci://REF`", f"{_THING}spec: {{url: 'oci://{IMAGE}'}}\n"),
    Place("applications from OCI", "`repoURL: oci://N`, `targetRevision: T`",
          "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
          "spec: {source: {repoURL: 'oci://q.example/a/b', path: ., targetRevision: '1'}}\n"),
    Place("units of systemd", "`ExecStart=podman run REF`",
          f"{_THING}spec:\n  contents: |\n    [Service]\n    ExecStartPre=-/usr/bin/docker pull {IMAGE}\n"
          f"    ExecStart=/usr/bin/podman run --rm {IMAGE}\n"),
    Place("lists that a script loops over", "`for i in REF REF; do ctr i pull $i; done`",
          f"{_CONFIG}  x.sh: |\n    for i in {IMAGE} {IMAGE}; do ctr i pull $i; done\n"),
    Place("lists in variables of scripts", "`images=(REF REF)`",
          f"{_CONFIG}  x.sh: |\n    images=({IMAGE}\n      {IMAGE})\n    IMAGES=\"{IMAGE} {IMAGE}\"\n"),
    Place("commands that set images", "`kubectl set image d c=REF`",
          f"{_CONFIG}  x.sh: |\n    kubectl set image deploy/d c={IMAGE}\n    kustomize edit set image a={IMAGE}\n"
          f"    helm upgrade x y --set image={IMAGE}\n"),
    Place("commands that copy images", "`skopeo copy docker://REF`",
          f"{_CONFIG}  x.sh: |\n    skopeo copy docker://{IMAGE} dir:/tmp/x\n"),
    Place("lists of commands in custom resources", "`preKubeadmCommands: [ctr i pull REF]`",
          f"{_THING}spec: {{preKubeadmCommands: ['ctr -n k8s.io images pull {IMAGE}']}}\n"),
    Place("Dockerfiles in ConfigMaps", "`FROM REF AS builder`",
          f"{_CONFIG}  Dockerfile: |\n    FROM {IMAGE} AS builder\n    RUN make\n"),
    Place("JSON behind blanks", "`\" {\\\"image\\\": …}\"`", f"{_CONFIG}  x: '  {{\"image\": \"{IMAGE}\"}}'\n"),
    Place("objects as defaults of schemas", "`default: {image: REF}`",
          f"{_SCHEMA}  versions: [{{schema: {{properties: {{x: {{default: {{image: '{IMAGE}'}}}}}}}}}}]\n"),
    Place("repositories in defaults of schemas", "`default: {repository: N, tag: T}`",
          f"{_SCHEMA}  versions: [{{schema: {{properties: "
          "{x: {default: {repository: q.example/a/b, tag: '1'}}}}}]\n"),
    Place("properties of images in schemas", "`images: {properties: {x: {default: REF}}}`",
          f"{_SCHEMA}  versions: [{{schema: {{properties: "
          f"{{images: {{properties: {{x: {{default: '{IMAGE}'}}}}}}}}}}}}]\n"),
    Place("lists of images in one value", "`images: \"a=REF;b=REF\"`",
          f"{_THING}spec: {{images: 'a={IMAGE};b={IMAGE}'}}\n"),
    Place("names in lists called images", "`images: [{name: REF}]`",
          f"{_THING}spec: {{images: [{{name: '{IMAGE}'}}]}}\n"),
    Place("mappings inside images", "`images: {x: {y: REF}}`",
          f"{_THING}spec: {{images: {{x: {{y: '{IMAGE}'}}}}}}\n"),
    Place("literal defaults of Go templates", "`{{ .x \\| default \"REF\" }}`",
          f'{_CONFIG}  x: |\n    containers:\n    - image: {{{{ .x | default "{IMAGE}" }}}}\n'),
    Place("literal defaults in a value of one line", "`x: '{{ .x \\| default \"REF\" }}'`",
          f'{_CONFIG}  x: \'image: {{{{ .x | default "{IMAGE}" }}}}\'\n'),
    Place("registry, organisation, name and tag under keys", "`registry: R`, `org: O`, `name: N`, `tag: T`",
          f"{_THING}spec: {{image: {{registry: q.example, org: a, name: b, tag: '1'}}}}\n"),
    Place("parts that a block holds for all", "`defaults: {registry: R, tag: T}`",
          "defaults: {registry: q.example, tag: '1'}\nweb: {image: {name: a/b}}\n"),
    Place("JSON patches", "`{op: replace, path: /…/image, value: REF}`",
          f"- op: replace\n  path: /spec/template/spec/containers/0/image\n  value: {IMAGE}\n"),
    Place("JSON patches in a kustomization", "`patch: '[{op: replace, path: /…/image, value: REF}]'`",
          "kind: Kustomization\npatches:\n- patch: |-\n    - op: add\n      path: /spec/x~1image\n"
          f"      value: {IMAGE}\n"),
    Place("arguments in JSON patches", "`{op: add, path: /…/args/-, value: --x-image=REF}`",
          f"- {{op: add, path: /spec/template/spec/containers/0/args/-, value: '--x-image={IMAGE}'}}\n"),
    Place("bundles of tasks", "`taskRef: {params: [{name: bundle, value: REF}]}`",
          "apiVersion: tekton.dev/v1\nkind: Pipeline\nspec: {tasks: [{taskRef: {resolver: bundles, params: "
          f"[{{name: bundle, value: '{IMAGE}'}}]}}}}]}}\n"),
    Place("annotations with image among other words", "`images.v1.proxy: REF`",
          f"apiVersion: v1\nkind: Pod\nmetadata: {{annotations: {{images.v1.proxy: '{IMAGE}'}}}}\n"),
    Place("parts in parameters", "`{name: image.repository, value: N}`, `{name: image.tag, value: T}`",
          f"{_THING}spec: {{parameters: [{{name: image.repository, value: q.example/a/b}}, "
          "{name: image.tag, value: '1'}]}\n"),
    Place("parts in variables", "`DB_REPO_URL: R`, `DB_IMAGE: N`, `DB_TAG: T`",
          f"{_POD}    env: [{{name: DB_REPO_URL, value: q.example}}, {{name: DB_IMAGE, value: a/b}}, "
          "{name: DB_TAG, value: '1'}]\n"),
    Place("anything with the shape of a whole reference", "`any: REF`", f"{_THING}spec: {{any: '{IMAGE}'}}\n", "",
          "by a pattern, if the registry confirms it"),
)  # fmt: skip


class Other(NamedTuple):
    """``content`` names something that looks like an image, and no site is in it; the scan says why."""

    what: str
    shown: str
    content: str


NEVER = (
    Other("block devices of Ceph", "`rbd: {image: X}`",
          "apiVersion: v1\nkind: PersistentVolume\n"
          "spec: {rbd: {monitors: ['10.0.0.1:6789'], pool: p, image: disk-1}}\n"),
    Other("disks of machines", "`spec: {image: X}` of a machine",
          "apiVersion: kops.k8s.io/v1alpha2\nkind: InstanceGroup\n"
          "spec: {image: 0123456789/ubuntu/images/jammy-20240627, machineType: m}\n"),
    Other("disks of machine templates", "`spec: {template: {spec: {image: X}}}`",
          "apiVersion: infrastructure.cluster.x-k8s.io/v1beta1\nkind: OpenStackMachineTemplate\n"
          "spec: {template: {spec: {image: ubuntu-2404-kube-v1.31.1}}}\n"),
    Other("disks in lists", "`disks: [{image: X}]`",
          f"{_THING}spec: {{disks: [{{boot: true, image: projects/x/global/images/y}}]}}\n"),
    Other("backing images", "`backingImage: X`", f"{_THING}spec: {{backingImage: '{IMAGE}'}}\n"),
    Other("versions of runtimes in a status", "`containerRuntimeVersion: docker://V`",
          "apiVersion: v1\nkind: Node\nstatus: {nodeInfo: {containerRuntimeVersion: 'docker://17.3.2'}}\n"),
    Other("parts that are empty", "`{repository: \"\", image: X, version: \"\"}`",
          f"{_THING}spec: {{x: {{repository: '', image: vgpu, version: ''}}}}\n"),
    Other("names that an operator completes", "`DB_IMAGE: X` beside `DB_REPO_URL: R`",
          f"{_POD}    env: [{{name: DB_IMAGE, value: server}}, {{name: DB_REPO_URL, value: quay.io/x}}]\n"),
    Other("two registries that differ", "`global: {imageRegistry: R}` beside `registry: S`",
          "global: {imageRegistry: g.example}\nweb: {image: {registry: q.example, repository: a/b, tag: '1'}}\n"),
    Other("repositories of charts", "`repository: alias:X` in Chart.yaml",
          "apiVersion: v2\nname: x\nversion: 1.0.0\n"
          "dependencies: [{name: y, version: 1.0.0, repository: 'alias:x'}]\n"),
    Other("packages of software", "`repository: X` in package.json",
          '{"name": "x", "version": "1.2.3", "repository": "acme/shop"}\n'),
    Other("images that are built here", "`artifacts: [{image: X}]`",
          "apiVersion: skaffold/v4beta11\nkind: Config\nbuild: {artifacts: [{image: 'a/b:1', context: b}]}\n"),
    Other("images that are written", "`--destination=REF`", f"{_POD}    args: ['--destination={IMAGE}']\n"),
    Other("labels and taints", "`kubernetes.io/os:linux`", f"{_THING}spec: {{x: 'kubernetes.io/os:linux'}}\n"),
    Other("source code", "`github.com/x/y:V`", f"{_THING}spec: {{x: 'github.com/x/y:v1'}}\n"),
    Other("references in text", "`text: see REF for more`", f"{_THING}spec: {{text: 'see {IMAGE} for more'}}\n"),
    Other("keys", "`REF: x`", f"{_THING}spec: {{x: {{'{IMAGE}': here}}}}\n"),
    Other("classic charts of Argo CD", "`repoURL: https://…`, `chart: X`",
          "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
          "spec: {source: {repoURL: 'https://charts.example', chart: x, targetRevision: 1.0.0}}\n"),
    Other("charts of Flux", "`chart: {spec: {chart: X}}`",
          "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
          "spec: {chart: {spec: {chart: x, version: 1.0.0, sourceRef: {kind: HelmRepository, name: y}}}}\n"),
    Other("repositories of charts in OCI", "`url: oci://X` of a HelmRepository",
          "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\n"
          "spec: {type: oci, url: 'oci://q.example/a'}\n"),
    Other("ranges of versions", "`ref: {semver: \">=1\"}`",
          "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\n"
          "spec: {url: 'oci://q.example/a/b', ref: {semver: '>=1.0'}}\n"),
)  # fmt: skip
