# SPDX-License-Identifier: Apache-2.0
"""A registry over any store: the OCI distribution specification 1.1, for tests, the demo and `airgap serve`.

A WSGI application (``app``) puts a store's content and names under ``/v2/``; ``gateway`` lets cheroot carry
it with bodies streamed both ways. The room keeps nothing of its own but unfinished uploads: blobs are
shared by all repositories of a store, a manifest belongs to the repositories whose names
(``repository:tag``, ``repository@digest``) lead to it. It refuses to write manifests anew, to keep content
that does not hash to its digest, and to tell a client what is inside the machine.
"""

from airgap.server.naming import MirrorNaming, Naming, PlainNaming
from airgap.server.server import Server

__all__ = ["MirrorNaming", "Naming", "PlainNaming", "Server"]
