# SPDX-License-Identifier: Apache-2.0
"""A registry that serves any store (OCI distribution specification 1.1), for tests, the demo and ``airgap serve``.

``app`` is a WSGI application that serves the content and names of a store under ``/v2/``. ``front`` accepts
connections and reads headers without blocking, ``workers`` are the threads that answer, and ``gateway`` joins both
with cheroot and streams bodies in both directions. ``limits`` lists what a client may use. The server itself stores
only unfinished uploads. All repositories of a store share their blobs; a manifest is in the repositories whose names
(``repository:tag``, ``repository@digest``) lead to it. Manifests are stored byte for byte, content that does not
match its digest is refused, and responses contain no paths or other details of this machine.
``site`` answers for what is not below ``/v2/``: a page, and the files of other formats.
"""

from airgap.server.limits import parse_limits
from airgap.server.naming import MirrorNaming, Naming, PlainNaming
from airgap.server.server import Server

__all__ = ["MirrorNaming", "Naming", "PlainNaming", "Server", "parse_limits"]
