# SPDX-License-Identifier: Apache-2.0
"""What the messages of docker, containerd, podman, skopeo, helm, kubelet and Nexus mean, and what to do.

``data/messages.yaml`` is the table: one :class:`Entry` for each family of messages; ``search`` finds the entries
that a text speaks of and fills in the address that stands in it. The room asks nobody: what a look at a live target
shows belongs to ``target``. docs/error-messages.md is made from the same data by tools/error_messages.py.
"""

from airgap.explain.model import Entry, Step
from airgap.explain.search import Match, explain
from airgap.explain.table import table

__all__ = ["Entry", "Match", "Step", "explain", "table"]
