# SPDX-License-Identifier: Apache-2.0
"""The result of a proof: a verdict for each image, the causes, and the same as JSON."""

from __future__ import annotations

from typing import Any

from airgap.prove.model import Cause, Fault, Verdict, causes_of
from airgap.records import Record


class Proof(Record):
    """What one node would get. ``runtime``, ``node`` and ``platform`` say of which, ``target`` from where.

    ``requests`` is how many were sent.
    """

    target: str
    runtime: str
    node: str
    platform: str
    verdicts: tuple[Verdict, ...]
    requests: int = 0

    @property
    def ready(self) -> bool:
        """Whether every image would be pulled."""
        return all(verdict.ready for verdict in self.verdicts)

    @property
    def missing(self) -> list[Verdict]:
        """The images that would not be pulled."""
        return [verdict for verdict in self.verdicts if not verdict.ready]

    @property
    def causes(self) -> list[Cause]:
        """Why images would not be pulled, the cause with the most images first."""
        return _sorted_causes({verdict.need.text: verdict.faults for verdict in self.verdicts})

    @property
    def warnings(self) -> list[Cause]:
        """What keeps no image from being pulled, and may surprise later."""
        return _sorted_causes({verdict.need.text: verdict.warnings for verdict in self.verdicts})

    @property
    def other_sources(self) -> dict[str, list[str]]:
        """The images of other registries that would come from elsewhere than the target, by that host."""
        registry = self.target.partition("/")[0]
        others: dict[str, list[str]] = {}
        for verdict in self.verdicts:
            for host in verdict.sources:
                if verdict.ready and registry not in (host, verdict.need.reference.registry):
                    others.setdefault(host, []).append(verdict.need.text)
        return others

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``--json`` prints."""
        return {
            "target": self.target,
            "runtime": self.runtime,
            "node": self.node,
            "platform": self.platform,
            "ready": self.ready,
            "requests": self.requests,
            "images": [
                {
                    "image": str(verdict.need.reference),
                    "text": verdict.need.text,
                    "ready": verdict.ready,
                    "from": list(verdict.sources),
                    "places": list(verdict.need.places),
                    "namespaces": sorted({pod.namespace for pod in verdict.need.pods}),
                    "causes": [_identity(fault) for fault in verdict.faults],
                }
                for verdict in self.verdicts
            ],
            "causes": [_cause_json(cause) for cause in self.causes],
            "warnings": [_cause_json(cause) for cause in self.warnings],
        }


def _sorted_causes(faults: dict[str, tuple[Fault, ...]]) -> list[Cause]:
    return sorted(causes_of(faults), key=lambda cause: -len(cause.images))


def _identity(fault: Fault) -> dict[str, str]:
    return {"kind": fault.kind, "subject": fault.subject}


def _cause_json(cause: Cause) -> dict[str, Any]:
    return {
        **_identity(cause.fault),
        "what": cause.fault.what,
        "fix": list(cause.fault.fix),
        "images": [{"image": image, "detail": detail} for image, detail in cause.images],
    }
