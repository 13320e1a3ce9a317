# SPDX-License-Identifier: Apache-2.0
"""What airgap knows of Sonatype Nexus Repository: its routes, its refusals, and its REST API beside the registry.

``detection`` recognizes it; ``probe`` is an address that is examined together with its REST API; ``routes`` finds the
address to push to and the names that nodes pull, ``pages`` the repositories to read behind Nexus's own pages
(``every_repository`` reads several as one registry);
``refusals`` explains its errors; ``repository`` pushes and works around its deviations from the distribution
specification; ``rest`` is the client of the REST API, ``settings`` what it says of a repository's settings and
``components`` its lists of a repository's contents; ``target`` combines these. Nothing here assumes a deviation that no
source documents: each is handled when it occurs.
"""
