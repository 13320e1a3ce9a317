# SPDX-License-Identifier: Apache-2.0
"""The objects that run the check on every node: a DaemonSet, a ConfigMap with the images, and a Secret with the
pull secrets if there are any. The container reads the node's root, mounted read-only, and has no other rights."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Sequence
from typing import Any

from airgap.prove.needs import Needs
from airgap.prove.nodes.needs_file import images_file, secrets_file
from airgap.records import Record

NAMESPACE = "kube-system"
#: The container whose log is the answer; the other one only keeps the pod.
CONTAINER = "prove"
#: The words before an answer in the log, and before an error.
PROOF, FAILURE = "airgap-proof:", "airgap-failure:"
_LABEL = "app.kubernetes.io/name"
_APP = "airgap-prove"
#: ``airgap`` ends with 51 where images are missing, which is an answer too.
_CHECK = """\
{command} > /tmp/proof 2> /tmp/errors; code=$?
if [ $code = 0 ] || [ $code = 51 ]; then echo {proof}; cat /tmp/proof; else echo {failure}; cat /tmp/errors; fi
echo
"""
_WAIT = """\
trap 'exit 0' TERM
while :; do sleep 3600 & wait $!; done
"""


class Check(Record):
    """What the pods run: airgap's ``arguments`` beside the list, and ``ca``, certificates that airgap trusts there."""

    name: str
    image: str
    arguments: Sequence[str]
    ca: bytes = b""

    @property
    def selector(self) -> str:
        """The labels of all objects, for ``kubectl -l``."""
        return f"{_LABEL}={_APP},airgap/run={self.name}"


def objects(check: Check, needs: Needs) -> list[dict[str, Any]]:
    """Return the objects, the DaemonSet last."""
    labels = {_LABEL: _APP, "airgap/run": check.name}
    metadata = {"name": check.name, "namespace": NAMESPACE, "labels": labels}
    data = {"images.json.gz": images_file(needs)}
    if check.ca:
        data["ca.pem"] = check.ca
    has_secrets = bool(needs.secrets.secrets or needs.secrets.service_accounts)
    made = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": _encoded(data)}]
    if has_secrets:
        content = {"secrets.json.gz": secrets_file(needs.secrets)}
        made.append({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": _encoded(content)})
    made.append(
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": metadata,
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": _pod(check, has_secrets=has_secrets)},
            },
        }
    )
    return made


def _pod(check: Check, *, has_secrets: bool) -> dict[str, Any]:
    words = ["airgap", "prove", "--needs", "/needs/images.json.gz", "--root", "/node", "--json", "--progress", "none"]
    words += ["--needs-secrets", "/secrets/secrets.json.gz"] if has_secrets else []
    words += ["--ca-file", "/needs/ca.pem"] if check.ca else []
    command = _CHECK.format(command=shlex.join([*words, *check.arguments]), proof=PROOF, failure=FAILURE)
    security: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    own = {"image": check.image, "imagePullPolicy": "IfNotPresent"}
    mounts = [
        {"name": "needs", "mountPath": "/needs", "readOnly": True},
        {"name": "node", "mountPath": "/node", "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},
    ]
    volumes: list[dict[str, Any]] = [
        {"name": "needs", "configMap": {"name": check.name}},
        {"name": "node", "hostPath": {"path": "/", "type": "Directory"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    if has_secrets:
        mounts.append({"name": "secrets", "mountPath": "/secrets", "readOnly": True})
        volumes.append({"name": "secrets", "secret": {"secretName": check.name, "defaultMode": 0o400}})
    return {
        "automountServiceAccountToken": False,
        # The node's names, its routes and its /etc/hosts are those by which the runtime finds a registry.
        "hostNetwork": True,
        "dnsPolicy": "Default",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [
            {
                "name": CONTAINER,
                **own,
                "command": ["sh", "-c", command],
                "env": [{"name": "HOME", "value": "/tmp"}, {"name": "AIRGAP_LANG", "value": "en"}],
                "securityContext": {**security, "runAsUser": 0},
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
                "volumeMounts": mounts,
            }
        ],
        "containers": [
            {
                "name": "wait",
                **own,
                "command": ["sh", "-c", _WAIT],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "runAsUser": 65534,
                    "runAsNonRoot": True,
                },
                "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"memory": "32Mi"}},
            }
        ],
        "volumes": volumes,
    }


def _encoded(data: dict[str, bytes]) -> dict[str, str]:
    return {name: base64.b64encode(content).decode() for name, content in data.items()}
