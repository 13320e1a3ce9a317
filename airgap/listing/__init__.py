# SPDX-License-Identifier: Apache-2.0
"""The page that ``airgap serve`` shows: what the server holds, and for each thing the lines that fetch it.

``entries`` lists what a bundle or a layout folder holds, ``commands`` has the lines, ``page`` makes one HTML document
of them, ``site`` puts it in front of the files that clients of artifacts read.
"""

from airgap.listing.site import BundleSite, LayoutSite

__all__ = ["BundleSite", "LayoutSite"]
