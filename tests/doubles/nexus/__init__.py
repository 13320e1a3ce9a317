# SPDX-License-Identifier: Apache-2.0
"""A Nexus Repository 3 in memory, by the numbered contract of what is known about the real one.

``with nexus(Settings(profile="3.96")) as double:`` gives a main port, connectors, users and repositories. Docstrings
name the contract's statements (1 to 45) that they follow; what no source establishes is a field of :class:`Settings`.
It refuses to guess in silence: whatever it says beyond the contract is marked *inferred*. The program under test never
imports it.

``settings`` what is given · ``double`` the ports and what tests look at · ``routes`` which repository is meant ·
``access`` who asks and may they · ``answers`` how it speaks · ``content`` what a repository holds · ``policy`` what
may be written · ``uploads``, ``blobs``, ``manifests``, ``listing`` the registry API · ``rest_*`` the REST API.
"""

from tests.doubles.nexus.double import Nexus, nexus
from tests.doubles.nexus.settings import ADMIN, PUSHER, READER, STRANGER, Repository, Settings, User

__all__ = ["ADMIN", "PUSHER", "READER", "STRANGER", "Nexus", "Repository", "Settings", "User", "nexus"]
