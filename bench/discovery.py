# SPDX-License-Identifier: Apache-2.0
"""Finding images, beside libyaml's bare events over the same bytes, and the memory that it takes.

    python bench/discovery.py [FOLDER]

FOLDER holds resource files (``AIRGAP_CORPUS``/files where that is set); without one, only made files are measured:
pods as they come from a cluster, of 0.1, 1, 10 and 16 MB, then files of 0.4 MB in which every line is an image. Bare
and airgap in turns, CPU time, the minimum of each; time per byte of 0.1, 1 and 10 MB and how far they are apart.
libyaml sees a text inside a ConfigMap as one scalar; the second ratio of these files is that to libyaml's events over
the file and over the texts in it. Garbage is collected as seldom as the command line does it. Memory is
the growth of the peak (VmHWM) while a 16 MB file is scanned, and while it is rewritten, in processes of their own.
A file that is over the budget of a scan ends a measurement with its error.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from airgap.errors import AirgapError
from airgap.kube import rewrite_content, scan
from airgap.kube.parse.budget import OverBudget

POD = """\
- apiVersion: v1
  kind: Pod
  metadata:
    name: web-{0}
    namespace: shop
    uid: 0f9d1c52-5b1a-4a55-9b3e-{0:012}
    resourceVersion: "{0}"
    creationTimestamp: "2024-01-01T00:00:00Z"
    labels: {{app.kubernetes.io/name: web, app.kubernetes.io/instance: web-{0}}}
    ownerReferences:
    - {{apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: 0f9d1c52-5b1a-4a55-9b3e-000000000000, controller: true}}
  spec:
    containers:
    - name: web
      image: quay.io/example/web:v{0}
      imagePullPolicy: IfNotPresent
      args: [--listen=0.0.0.0:8080, --log-level=info]
      env:
      - {{name: TOKEN, value: "abcdef"}}
      - {{name: POD_NAME, valueFrom: {{fieldRef: {{apiVersion: v1, fieldPath: metadata.name}}}}}}
      ports:
      - {{containerPort: 8080, name: http, protocol: TCP}}
      livenessProbe:
        httpGet: {{path: /healthz, port: http, scheme: HTTP}}
        initialDelaySeconds: 10
        periodSeconds: 10
        timeoutSeconds: 1
      resources: {{requests: {{cpu: 100m, memory: 128Mi}}, limits: {{memory: 1Gi}}}}
      terminationMessagePath: /dev/termination-log
      terminationMessagePolicy: File
      volumeMounts:
      - {{mountPath: /var/run/secrets/kubernetes.io/serviceaccount, name: kube-api-access, readOnly: true}}
    dnsPolicy: ClusterFirst
    nodeName: node-1
    restartPolicy: Always
    schedulerName: default-scheduler
    serviceAccountName: web
    tolerations:
    - {{effect: NoExecute, key: node.kubernetes.io/not-ready, operator: Exists, tolerationSeconds: 300}}
    - {{effect: NoExecute, key: node.kubernetes.io/unreachable, operator: Exists, tolerationSeconds: 300}}
    volumes:
    - name: kube-api-access
      projected:
        defaultMode: 420
        sources:
        - serviceAccountToken: {{expirationSeconds: 3607, path: token}}
        - configMap: {{items: [{{key: ca.crt, path: ca.crt}}], name: kube-root-ca.crt}}
  status:
    conditions:
    - {{lastTransitionTime: "2024-01-01T00:00:00Z", status: "True", type: Initialized}}
    - {{lastTransitionTime: "2024-01-01T00:00:00Z", status: "True", type: Ready}}
    hostIP: 10.0.0.1
    phase: Running
    podIP: 10.1.0.1
    qosClass: Burstable
    startTime: "2024-01-01T00:00:00Z"
"""
ROUNDS = 5
#: A file of this size is just within the limit of bytes.
LARGEST = 16_000_000
#: Files of which each line names an image: by a key, in pods, in a list, as settings and as YAML inside ConfigMaps.
DENSE = {
    "keys": ("images:\n", "- image: quay.io/example/app-{0}:v{0}\n", 1),
    "pods": ("", "---\napiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: quay.io/e/app-{0}:v{0}\n", 1),
    "list": ("apiVersion: x/v1\nkind: X\nspec:\n  images:\n", "  - quay.io/example/app-{0}:v{0}\n", 1),
    "settings": (
        "",
        "---\napiVersion: v1\nkind: ConfigMap\ndata:\n  a.env: |\n" + "    APP_IMAGE=quay.io/e/app-{0}:v{0}\n" * 20,
        20,
    ),
    "embedded YAML": (
        "",
        "---\napiVersion: v1\nkind: ConfigMap\ndata:\n  a.yaml: |\n" + "    - image: quay.io/e/app-{0}:v{0}\n" * 20,
        20,
    ),
}


def made(size: int) -> bytes:
    """A list of pods as ``kubectl get pods -o yaml`` prints it, of about ``size`` bytes."""
    count = size // len(POD) + 1
    return ("apiVersion: v1\nkind: List\nitems:\n" + "".join(POD.format(number) for number in range(count))).encode()


def dense(name: str, size: int) -> tuple[bytes, int]:
    """A file of about ``size`` bytes in which each line names an image, and how many do."""
    head, unit, sites = DENSE[name]
    count = size // len(unit)
    return (head + "".join(unit.format(number) for number in range(count))).encode(), count * sites


def bare(contents: list[bytes]) -> None:
    for content in contents:
        try:
            for _ in yaml.parse(content, Loader=yaml.CSafeLoader):
                pass
        except yaml.YAMLError:
            continue


def bare_inside(contents: list[bytes]) -> None:
    """The same, and over each text of several lines in it."""
    for content in contents:
        for event in yaml.parse(content, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.ScalarEvent) and "\n" in event.value:
                bare([event.value.encode()])


def ours(contents: list[bytes]) -> None:
    for content in contents:
        try:
            scan(content, "x.yaml")
        except OverBudget:
            raise
        except AirgapError:
            continue


def measured(contents: list[bytes], floor: Callable[[list[bytes]], None]) -> tuple[float, float]:
    """Seconds of CPU for ``floor`` and for a scan; small contents are repeated until they weigh 1 MB."""
    times = max(1, 1_000_000 // sum(map(len, contents)))
    best = {floor: float("inf"), ours: float("inf")}
    for _ in range(ROUNDS):
        for work in best:
            started = time.process_time()
            for _ in range(times):
                work(contents)
            best[work] = min(best[work], time.process_time() - started)
    return best[floor] / times, best[ours] / times


def row(name: str, contents: list[bytes], sites: int = 0) -> float:
    """Print what was measured; nanoseconds for a byte."""
    size = sum(map(len, contents))
    floor, own = measured(contents, bare)
    each = own / size * 1e9
    more = f"   {each:5.0f} ns a byte"
    if sites:
        inside, own_beside = measured(contents, bare_inside)
        more = f", texts inside too {own_beside / inside:5.2f}   {own / sites * 1e6:5.1f} us a site"
    print(
        f"{name:24} {size / 1e6:7.1f} MB   bare {floor:7.3f} s   airgap {own:7.3f} s   {own / floor:5.2f} times{more}",
        flush=True,
    )
    return each


def peak() -> int:
    """KiB that this process held at most. Not ru_maxrss: that begins with what the parent held."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])


def grown(what: str, file: str) -> None:
    """In a process of its own, which has only read the file: the growth of the peak."""
    content = Path(file).read_bytes()
    scan(made(10_000), "x.yaml")
    before = peak()
    found = scan(content, "x.yaml")
    if what == "rewrite":
        before = peak()
        rewrite_content(content, [(site, "t.example:5000/p/x:1") for site in found.sites])
    print(f"{what} of 16 MB, {len(found.sites)} sites: {(peak() - before) / 1024:.0f} MiB above start", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--grown"]:
        grown(sys.argv[2], sys.argv[3])
        return
    gc.set_threshold(50_000, 20, 100)
    corpus = os.environ.get("AIRGAP_CORPUS")
    folder = sys.argv[1] if len(sys.argv) > 1 else str(Path(corpus) / "files") if corpus else None
    if folder:
        row("the folder", [path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()])
    each = [row(f"made, {size / 1e6:g} MB", [made(size)]) for size in (100_000, 1_000_000, 10_000_000)]
    print(f"time for a byte, slowest over fastest of these three: {max(each) / min(each):.2f}")
    row("made, 16 MB", [made(LARGEST)])
    for name in DENSE:
        content, sites = dense(name, 400_000)
        row(f"every line: {name}", [content], sites)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "pods.yaml"
        file.write_bytes(made(LARGEST))
        for what in ("scan", "rewrite"):
            subprocess.run([sys.executable, __file__, "--grown", what, str(file)], check=True)


if __name__ == "__main__":
    main()
