# SPDX-License-Identifier: Apache-2.0
"""The types of this package: what a runtime asks for an image, what is wrong, and what came out for each image."""

from __future__ import annotations

from collections.abc import Mapping

from airgap.oci import Reference
from airgap.records import Record, field
from airgap.registry import Credential
from airgap.registry.http.connect import Trust

#: What an endpoint tries by plain HTTP after HTTPS: nothing, what answers HTTPS by HTTP, or whatever fails.
NO_FALLBACK, IF_PLAIN, IF_FAILED = "", "plain", "failed"


class Fault(Record):
    """One cause why images would not be pulled: faults with the same ``kind`` and ``subject`` are one.

    ``what`` is text for the user, ``fix`` the commands that mend it, or what to do. ``detail`` is about one image, such
    as the digest that is missing.
    """

    kind: str
    subject: str
    what: str = field(compare=False)
    fix: tuple[str, ...] = field(default=(), compare=False)
    detail: str = field(default="", compare=False)


class Login(Record):
    """A credential and where it is from, such as ``Secret shop/nexus``."""

    credential: Credential
    origin: str


class Endpoint(Record):
    """One address that a runtime asks for an image.

    Requests go to ``scheme://host`` and ``path``, such as ``/v2`` or ``/v2/k8s``, then ``/REPOSITORY/manifests``.
    ``origin`` is the file of the node that names it, empty for a default. ``resolves`` says whether it is asked for
    tags, and ``pings`` whether it must answer at ``/v2/`` first. ``sends_credentials`` is false where the runtime sends
    the login of an image to its own registry alone; ``login`` is the node's own for this address, without another one.
    ``group`` counts the names that are tried one after the other for a short name.
    """

    scheme: str
    host: str
    repository: str
    path: str = "/v2"
    trust: Trust = field(default_factory=Trust)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    query: str = ""
    origin: str = ""
    resolves: bool = True
    pulls: bool = True
    fallback: str = NO_FALLBACK
    overrides_path: bool = False
    sends_credentials: bool = True
    login: Login | None = None
    pings: bool = False
    group: int = 0

    def login_for(self, given: Login | None) -> Login | None:
        """Return the login that is sent there if the image's is ``given``."""
        return given if given is not None and self.sends_credentials else self.login

    @property
    def url(self) -> str:
        """``scheme://host``."""
        return f"{self.scheme}://{self.host}"


class PullPlan(Record):
    """What a runtime does for one image: ``endpoints`` in their order, or ``faults`` that stop it before it asks.

    ``remarks`` are faults of the configuration that may be why an image is not pulled, such as a file that is ignored.
    ``shares_blobs`` is true where the content of one image may come from several endpoints (containerd), and
    ``stays`` where the first endpoint with the manifest is asked for all the rest (podman, CRI-O).
    """

    endpoints: tuple[Endpoint, ...] = ()
    faults: tuple[Fault, ...] = ()
    remarks: tuple[Fault, ...] = ()
    shares_blobs: bool = False
    stays: bool = False


class PodPull(Record, order=True):
    """With what a pod pulls: its namespace, its pull secrets, and those of its service account if it names none."""

    namespace: str
    service_account: str = ""
    secrets: tuple[str, ...] = ()


class Need(Record):
    """An image that something needs. ``text`` is how it is written, which counts for short names.

    ``places`` says where it is named, and ``pods`` with what it is pulled there.
    """

    reference: Reference
    text: str
    places: tuple[str, ...] = ()
    pods: tuple[PodPull, ...] = ()


class Verdict(Record):
    """Whether a node would get an image: it would, if there are no ``faults``.

    ``sources`` are the hosts that it would come from. ``warnings`` are faults that do not keep it from being pulled.
    """

    need: Need
    faults: tuple[Fault, ...] = ()
    sources: tuple[str, ...] = ()
    warnings: tuple[Fault, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether the image would be pulled."""
        return not self.faults


class Cause(Record):
    """A fault, and the images that it affects with the detail of each, sorted."""

    fault: Fault
    images: tuple[tuple[str, str], ...]


def causes_of(faults: Mapping[str, tuple[Fault, ...]]) -> list[Cause]:
    """Group the faults of images: one cause for each, in the order in which they were met."""
    images: dict[Fault, dict[str, str]] = {}
    for image, found in faults.items():
        for fault in found:
            images.setdefault(fault, {}).setdefault(image, fault.detail)
    return [Cause(fault, tuple(sorted(details.items()))) for fault, details in images.items()]


def is_short(text: str) -> bool:
    """Whether a reference names no registry, so that the runtime chooses one."""
    first, slash, _ = text.partition("/")
    return not slash or not ("." in first or ":" in first or first == "localhost")
