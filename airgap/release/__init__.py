# SPDX-License-Identifier: Apache-2.0
"""A release: one folder with everything that one version of a project needs to cross.

``document`` is ``release.json``, which says what each file of the folder is and which release a site must have for it.
The room reads and writes documents only. It neither fetches nor pushes anything, and it trusts no name, size or count
in a document before it was checked.
"""

from airgap.release.document import DOCUMENT_NAME, Release, ReleaseBundle, ReleaseFile, SiteRelease, read_release

__all__ = ["DOCUMENT_NAME", "Release", "ReleaseBundle", "ReleaseFile", "SiteRelease", "read_release"]
