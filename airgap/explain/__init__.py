# SPDX-License-Identifier: Apache-2.0
"""Explains error messages of docker, containerd, podman, skopeo, helm, kubelet and Nexus.

``data/messages.yaml`` has one :class:`KnownMessage` for each family of messages. :func:`find_matches` returns those
that occur in a text, with the addresses of the text in their steps. Nothing here connects to a registry: checks of a
live target are in ``airgap.targets.doctor``. tools/error_messages.py makes docs/error-messages.md from the same data.

To add a message, add it to ``data/messages.yaml``, run ``make messages``, and put its Korean text into
``airgap/locale/ko/LC_MESSAGES/airgap.po``.
"""

from airgap.explain.messages import known_messages
from airgap.explain.model import PLACEHOLDERS, KnownMessage, Step, fill_in
from airgap.explain.search import Match, find_matches

__all__ = [
    "PLACEHOLDERS",
    "KnownMessage",
    "Match",
    "Step",
    "fill_in",
    "find_matches",
    "known_messages",
]
