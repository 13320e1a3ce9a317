# SPDX-License-Identifier: Apache-2.0
"""``airgap prove``: would a node get every image? Reads what is needed and its files, and asks registries."""

from __future__ import annotations

import itertools
import platform as machine

from airgap.errors import UsageError
from airgap.events import ImageChecked, Noted, Sink, Warned
from airgap.flows.images import FoundImages
from airgap.formatting import counted
from airgap.i18n import tr
from airgap.kube.cluster import ClusterScope, read_pull_secrets
from airgap.kube.model import POSSIBLE
from airgap.oci import Platform
from airgap.prove.content import Contents
from airgap.prove.examiner import Examiner
from airgap.prove.faults import Faults
from airgap.prove.model import Need, Verdict
from airgap.prove.needs import Needs, read_needs
from airgap.prove.node_files import NodeFiles
from airgap.prove.proof import Proof
from airgap.prove.pull_secrets import PullSecrets
from airgap.prove.runtimes import runtime_for
from airgap.prove.sessions import Sessions
from airgap.records import Record, replace
from airgap.registry import Registries
from airgap.targets import Mapping
from airgap.transfer import Context
from airgap.transfer.pool import parallel_map

#: Images between two lines about the progress.
_REPORTED = 1000
#: What ``uname -m`` says of 32-bit ARM; other names are those of platforms.
_ARM = {"armv6l": "arm/v6", "armv7l": "arm/v7", "armv8l": "arm/v7"}


class ProveRequest(Record):
    """Which node: its ``runtime`` and the ``version`` of it if that is known, its ``files``, what messages call it, and
    its ``platform``.

    ``ca_file`` is the user's option, for the commands in the answer.
    """

    mapping: Mapping
    runtime: str
    files: NodeFiles
    node: str
    platform: str = ""
    ca_file: str = ""
    version: str = ""


def needs_of(found_images: FoundImages, namespace: str, cluster: ClusterScope | None, emit: Sink) -> Needs:
    """Return what resource files need, without what only looks like an image, and the pull secrets beside them.

    ``namespace`` is that of objects that name none. The pull secrets of ``cluster`` are read too.
    """
    secrets = PullSecrets()
    if cluster is not None:
        objects, skipped = read_pull_secrets(cluster)
        for item in objects:
            secrets.add(item, namespace)
        for unread in skipped:
            emit(Warned(tr("pull secrets may be missing: {error}", error=unread.error)))
    files = [
        (file, replace(scan, sites=tuple(site for site in scan.sites if site.confidence != POSSIBLE)))
        for file, scan in found_images.files
    ]
    needs = read_needs(files, found_images.extra, namespace or "default", secrets)
    if not needs.images:
        raise UsageError(
            tr("only values that may be images were found, and none that is surely one"),
            hint=tr("airgap images --why shows them; --image REF or rules: in airgap.yaml take them"),
        )
    return needs


def prove(request: ProveRequest, needs: Needs, registries: Registries, context: Context) -> Proof:
    """Examine every image as the node would pull it, and return the verdicts in the order of the images."""
    node_platform = Platform.parse(request.platform or this_platform())
    sessions = Sessions(registries, request.mapping.address.registry)
    faults = Faults(request.mapping.address, sessions.target_hosts, request.runtime, request.ca_file)
    examiner = Examiner(
        runtime_for(request.runtime, request.files, request.version),
        sessions,
        needs.secrets,
        request.mapping,
        faults,
        Contents(faults, node_platform),
    )
    context.emit(Noted(tr("checking {count} at {target}", count=counted(len(needs.images), "image"),
                          target=request.mapping.address)))  # fmt: skip

    checked = itertools.count(1)

    def examine(need: Need) -> Verdict:
        verdict = examiner.examine(need)
        context.emit(ImageChecked(str(need.reference), verdict.ready))
        if (number := next(checked)) % _REPORTED == 0:
            context.emit(Noted(tr("{number:,} of {images:,} images checked", number=number, images=len(needs.images))))
        return verdict

    verdicts = parallel_map(needs.images, examine, workers=context.jobs.control, cancel=context.cancel)
    return Proof(
        str(request.mapping.address), request.runtime, request.node, str(node_platform),
        tuple(verdict for verdict in verdicts if isinstance(verdict, Verdict)), registries.requests,
    )  # fmt: skip


def this_platform() -> str:
    """Return the platform of this machine, which is the node's if nothing else is said."""
    name = machine.machine().lower()
    return f"linux/{_ARM.get(name, name)}"
