# SPDX-License-Identifier: Apache-2.0
"""airgap beside other programs that carry images: export, import and an import with everything there.

``packages`` and ``workloads`` make the images, ``registries`` holds them and proves what arrived, ``line`` delays,
``tools`` has the command lines, ``measure`` what one of them costs, ``turns`` the order, ``report`` the page.
Loopback alone is spoken to once the packages are there. Refuses to count a figure whose images did not arrive.
"""
