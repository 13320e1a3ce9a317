# SPDX-License-Identifier: Apache-2.0
"""Kubernetes objects for nodes: an imagePullSecret, and a DaemonSet that lays files on every node."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from airgap.errors import UsageError
from airgap.nodes.model import NodeFile

#: The folders whose files count without a restart, which is all that a DaemonSet can do.
FOLDERS = {"containerd": "/etc/containerd/certs.d", "crio": "/etc/containers/registries.conf.d"}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_SCRIPT = """\
set -eu
lay() {{
  there="$ROOT/$2"
  mkdir -p "${{there%/*}}"
  if cmp -s "/files/$1" "$there"; then return; fi
  if [ -e "$there" ] && [ ! -e "$there.before-airgap" ]; then cp -p "$there" "$there.before-airgap"; fi
  cp "/files/$1" "$there.new"
  chmod 0644 "$there.new"
  mv -f "$there.new" "$there"
  echo "laid $2"
}}
{lines}
"""
_WAIT = "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"
_HEAD = """\
# Made by airgap hosts: lays its files in {folder} on every node, and again whenever they change.
# The image needs a shell, and nodes must have it, or be able to pull it, before these files are there. From the
# registry that the files are about they cannot; bring it once: ctr -n k8s.io images import bundle.tar
# A file that is already there with other content is kept beside it as *.before-airgap and not merged.
"""
_TEMPLATE = """\
# An imagePullSecret without its credential. Never put a password on a command line, where every user of the
# machine can read it. Either sign in once and let kubectl take the file that this writes:
#   airgap login {address}
#   kubectl -n {namespace} create secret generic {name} --type=kubernetes.io/dockerconfigjson \\
#     --from-file=.dockerconfigjson="$HOME/.docker/config.json"
# (that file may hold credentials of other registries too), or run airgap hosts again with --username and
# --password-stdin, which writes the whole Secret here. Then name it in pods:
#   imagePullSecrets: [{{name: {name}}}]
apiVersion: v1
kind: Secret
metadata:
  name: {name}
  namespace: {namespace}
type: kubernetes.io/dockerconfigjson
stringData:
  .dockerconfigjson: '{{"auths": {{"{address}": {{"auth": "BASE64 OF USER:PASSWORD"}}}}}}'
"""


def pull_secret(address: str, name: str, namespace: str, credential: tuple[str, str] | None) -> bytes:
    """A Secret with user and password for ``address``; without them a template that says how to fill it."""
    for text in (name, namespace):
        if not _NAME.fullmatch(text):
            raise UsageError(f"{text!r} is no name that Kubernetes takes", hint="a-z, 0-9, '-' and '.'")
    if credential is None:
        return _TEMPLATE.format(address=address, name=name, namespace=namespace).encode()
    auth = base64.b64encode(":".join(credential).encode()).decode()
    user, password = credential
    document = {"auths": {address: {"username": user, "password": password, "auth": auth}}}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(json.dumps(document).encode()).decode()},
    }
    return _dumped(secret)


def daemonset(runtime: str, files: Sequence[NodeFile], image: str) -> bytes:
    """A ConfigMap with the files and a DaemonSet whose first container copies them to each node, each whole.

    It needs root on the node's own folder and nothing more: no privileges, no capabilities, no token. ``image`` must
    have a shell, and be one that nodes can pull, or have, before they know the target.
    """
    if runtime not in FOLDERS:
        raise UsageError(
            f"a DaemonSet cannot configure {runtime}, which must be restarted for it",
            hint="lay the files on each node by your own means (ansible, pdsh), then restart it",
        )
    folder = FOLDERS[runtime]
    laid = {f"{number:03}": one for number, one in enumerate(files) if one.path.startswith(f"{folder}/")}
    missing = [one.path for one in files if not one.node_only and one not in laid.values()]
    if missing:
        raise UsageError(
            f"the DaemonSet can lay files in {folder} only, not {missing[0]}",
            hint="trust the certificate on each node by your own means, then leave --ca-file out here",
        )
    data = {key: one.content.decode() for key, one in laid.items()}
    lines = [f"lay {key} {shlex.quote(one.path[len(folder) + 1 :])}" for key, one in laid.items()]
    checksum = hashlib.sha256(json.dumps([data, lines]).encode()).hexdigest()
    labels = {"app.kubernetes.io/name": "airgap-nodes", "app.kubernetes.io/component": runtime}
    meta = {"name": f"airgap-nodes-{runtime}", "namespace": "kube-system", "labels": labels}
    least: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    container: dict[str, Any] = {"image": image, "imagePullPolicy": "IfNotPresent"}
    pod = {
        "automountServiceAccountToken": False,
        "tolerations": [{"operator": "Exists"}],
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [
            {
                "name": "lay-files",
                **container,
                "command": ["sh", "-c", _SCRIPT.format(lines="\n".join(lines))],
                "env": [{"name": "ROOT", "value": "/node"}],
                "securityContext": {**least, "runAsUser": 0},
                "resources": _resources("50m"),
                "volumeMounts": [
                    {"name": "files", "mountPath": "/files", "readOnly": True},
                    {"name": "node", "mountPath": "/node"},
                ],
            }
        ],
        "containers": [
            {
                "name": "wait",
                **container,
                "command": ["sh", "-c", _WAIT],
                "securityContext": {**least, "runAsUser": 65534, "runAsNonRoot": True},
                "resources": _resources("1m"),
            }
        ],
        "volumes": [
            {"name": "files", "configMap": {"name": meta["name"]}},
            {"name": "node", "hostPath": {"path": folder, "type": "DirectoryOrCreate"}},
        ],
    }
    template = {"metadata": {"labels": labels, "annotations": {"airgap/files": checksum}}, "spec": pod}
    objects = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data},
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": meta,
            "spec": {
                "selector": {"matchLabels": labels},
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
                "template": template,
            },
        },
    ]
    return _HEAD.format(folder=folder).encode() + b"---\n".join(_dumped(one) for one in objects)


def _resources(cpu: str) -> dict[str, Any]:
    return {"requests": {"cpu": cpu, "memory": "8Mi"}, "limits": {"memory": "32Mi"}}


def _dumped(document: Any) -> bytes:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Texts of several lines as blocks, which people can read; no anchors for what occurs twice."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    made: str = yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=4096)
    return made.encode()
