# SPDX-License-Identifier: Apache-2.0
"""Parity volumes: with N of them, any N volumes of a bundle may be lost or damaged and are made again from the rest.

``galois`` has the arithmetic, ``geometry`` the sizes and the form of a parity volume, ``encode`` makes them, ``assess``
finds what is missing or damaged, ``restore`` makes it again. Nothing here reads what is in the tar.
"""

from airgap.bundle.parity.assess import Assessment, assess, parity_set_of
from airgap.bundle.parity.encode import listed_volumes, make_parity
from airgap.bundle.parity.geometry import data_volume_size, parity_paths
from airgap.bundle.parity.restore import restore

__all__ = [
    "Assessment",
    "assess",
    "data_volume_size",
    "listed_volumes",
    "make_parity",
    "parity_paths",
    "parity_set_of",
    "restore",
]
