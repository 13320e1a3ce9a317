# SPDX-License-Identifier: Apache-2.0
"""Finding images, beside libyaml's bare events over the same bytes, and the memory that it takes.

    python bench/discovery.py [FOLDER]

FOLDER holds resource files (``AIRGAP_CORPUS``/files where that is set); without one, only made files are measured:
pods as they come from a cluster, of 0.1, 1, 10 and 20 MB. CPU time, the minimum of three; memory is the growth of the
peak while a 20 MB file is scanned, and while it is rewritten, in processes of their own.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from airgap.errors import AirgapError
from airgap.kube import rewrite, scan

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
ROUNDS = 3


def made(size: int) -> bytes:
    """A list of pods as ``kubectl get pods -o yaml`` prints it, of about ``size`` bytes."""
    count = size // len(POD) + 1
    return ("apiVersion: v1\nkind: List\nitems:\n" + "".join(POD.format(number) for number in range(count))).encode()


def bare(contents: list[bytes]) -> None:
    for content in contents:
        try:
            for _ in yaml.parse(content, Loader=yaml.CSafeLoader):
                pass
        except yaml.YAMLError:
            continue


def ours(contents: list[bytes]) -> None:
    for content in contents:
        try:
            scan(content, "x.yaml")
        except AirgapError:
            continue


def seconds(work: Callable[[list[bytes]], None], contents: list[bytes]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        work(contents)
        best = min(best, time.process_time() - started)
    return best


def row(name: str, contents: list[bytes]) -> None:
    size = sum(map(len, contents)) / 1e6
    floor, own = seconds(bare, contents), seconds(ours, contents)
    print(
        f"{name:24} {size:7.1f} MB   bare {floor:7.3f} s   airgap {own:7.3f} s   {own / floor:4.2f} times", flush=True
    )


def grown(what: str, file: str) -> None:
    """In a process of its own, which has only read the file: the growth of the peak."""
    content = Path(file).read_bytes()
    scan(made(10_000), "x.yaml")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = scan(content, "x.yaml")
    if what == "rewrite":
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rewrite(content, [(site, "t.example:5000/p/x:1") for site in found.sites])
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{what} of 20 MB, {len(found.sites)} sites: {(after - before) / 1024:.0f} MiB above start", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--grown"]:
        grown(sys.argv[2], sys.argv[3])
        return
    corpus = os.environ.get("AIRGAP_CORPUS")
    folder = sys.argv[1] if len(sys.argv) > 1 else str(Path(corpus) / "files") if corpus else None
    if folder:
        row("the folder", [path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()])
    for size in (100_000, 1_000_000, 10_000_000, 20_000_000):
        row(f"made, {size / 1e6:g} MB", [made(size)])
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "pods.yaml"
        file.write_bytes(made(20_000_000))
        for what in ("scan", "rewrite"):
            subprocess.run([sys.executable, __file__, "--grown", what, str(file)], check=True)


if __name__ == "__main__":
    main()
