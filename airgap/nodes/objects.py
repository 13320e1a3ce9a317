# SPDX-License-Identifier: Apache-2.0
"""Kubernetes objects: an imagePullSecret, and a DaemonSet that copies files to every node."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from airgap.errors import UsageError
from airgap.i18n import tr
from airgap.nodes.model import Create, NodeFile

#: The runtimes that a DaemonSet can configure, and the folder whose files they read again without a restart.
DAEMONSET_FOLDERS = {"containerd": "/etc/containerd/certs.d", "crio": "/etc/containers/registries.conf.d"}
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_COPY_SCRIPT = """\
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
_WAIT_SCRIPT = "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"
_HEADER = """\
# Made by airgap hosts: lays its files in {folder} on every node, and again whenever they change.
# The image needs a shell, and nodes must have it, or be able to pull it, before these files are there. From the
# registry that the files are about they cannot; bring it once: ctr -n k8s.io images import bundle.tar
# A file that is already there with other content is kept beside it as *.before-airgap and not merged.
"""
_SECRET_TEMPLATE = """\
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
    """Return the YAML of an imagePullSecret for ``address``.

    ``credential`` is (user, password). Without one, returns a template with comments that say how to fill it in.
    Raises :class:`UsageError` for a ``name`` or ``namespace`` that Kubernetes does not accept.
    """
    for text in (name, namespace):
        if not _OBJECT_NAME.fullmatch(text):
            raise UsageError(
                tr("{text!r} is no name that Kubernetes takes", text=text), hint=tr("a-z, 0-9, '-' and '.'")
            )
    if credential is None:
        return _SECRET_TEMPLATE.format(address=address, name=name, namespace=namespace).encode()
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
    return _dump(secret)


def daemonset(runtime: str, files: Sequence[NodeFile], image: str) -> bytes:
    """Return the YAML of a ConfigMap with ``files`` and of a DaemonSet whose init container copies them to each node.

    The container runs as root with one host folder mounted, without privileges, capabilities or a token. ``image``
    must contain a shell, and nodes must have it or be able to pull it before they can pull from the target.
    Raises :class:`UsageError` for a runtime that needs a restart, and for a file outside of the mounted folder.
    """
    if runtime not in DAEMONSET_FOLDERS:
        raise UsageError(
            tr("a DaemonSet cannot configure {runtime}, which must be restarted for it", runtime=runtime),
            hint="lay the files on each node by your own means (ansible, pdsh), then restart it",
        )
    folder = DAEMONSET_FOLDERS[runtime]
    copied = {f"{number:03}": file for number, file in enumerate(files) if file.path.startswith(f"{folder}/")}
    outside = [file.path for file in files if file.create is not Create.ON_NODE and file not in copied.values()]
    if outside:
        raise UsageError(
            tr("the DaemonSet can lay files in {folder} only, not {outside}", folder=folder, outside=outside[0]),
            hint=tr("trust the certificate on each node by your own means, then leave --ca-file out here"),
        )
    data = {key: file.content.decode() for key, file in copied.items()}
    lines = [f"lay {key} {shlex.quote(file.path[len(folder) + 1 :])}" for key, file in copied.items()]
    checksum = hashlib.sha256(json.dumps([data, lines]).encode()).hexdigest()
    labels = {"app.kubernetes.io/name": "airgap-nodes", "app.kubernetes.io/component": runtime}
    metadata = {"name": f"airgap-nodes-{runtime}", "namespace": "kube-system", "labels": labels}
    security_context: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    container: dict[str, Any] = {"image": image, "imagePullPolicy": "IfNotPresent"}
    pod_spec = {
        "automountServiceAccountToken": False,
        "tolerations": [{"operator": "Exists"}],
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [
            {
                "name": "lay-files",
                **container,
                "command": ["sh", "-c", _COPY_SCRIPT.format(lines="\n".join(lines))],
                "env": [{"name": "ROOT", "value": "/node"}],
                "securityContext": {**security_context, "runAsUser": 0},
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
                "command": ["sh", "-c", _WAIT_SCRIPT],
                "securityContext": {**security_context, "runAsUser": 65534, "runAsNonRoot": True},
                "resources": _resources("1m"),
            }
        ],
        "volumes": [
            {"name": "files", "configMap": {"name": metadata["name"]}},
            {"name": "node", "hostPath": {"path": folder, "type": "DirectoryOrCreate"}},
        ],
    }
    template = {"metadata": {"labels": labels, "annotations": {"airgap/files": checksum}}, "spec": pod_spec}
    objects = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data},
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": metadata,
            "spec": {
                "selector": {"matchLabels": labels},
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
                "template": template,
            },
        },
    ]
    return _HEADER.format(folder=folder).encode() + b"---\n".join(_dump(document) for document in objects)


def _resources(cpu: str) -> dict[str, Any]:
    return {"requests": {"cpu": cpu, "memory": "8Mi"}, "limits": {"memory": "32Mi"}}


def _dump(document: Any) -> bytes:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes strings of several lines as blocks, and equal values in full instead of as aliases."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, represent_text)
    text: str = yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=4096)
    return text.encode()
