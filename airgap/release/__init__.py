# SPDX-License-Identifier: Apache-2.0
"""A release: one folder with everything that one version of a project needs to cross.

- ``document`` is ``release.json``, which says what each file of the folder is and which release a site must have for
  it; ``versions`` is the order of releases, ``remembered`` the folder ``releases/`` that later ones build on;
- ``folder`` is a release while it is made, with ``install`` pages, ``notes`` (from ``packages`` and ``updates``)
  and the table of ``sites``;
- ``at_hand`` is a release on the far side, of whose files ``choice`` picks the cheapest.

The room fetches and pushes nothing, and it trusts no name, size or count in a document before it was checked.
"""

from airgap.release.document import DOCUMENT_NAME, Release, ReleaseBundle, ReleaseFile, SiteRelease, read_release

__all__ = ["DOCUMENT_NAME", "Release", "ReleaseBundle", "ReleaseFile", "SiteRelease", "read_release"]
