# SPDX-License-Identifier: Apache-2.0
"""Recoded bundles: layers cross as zstd of their tars, with an older tar as prefix, and become the same gzip again.

- ``zstd`` makes and reads the frames of a payload; ``gunzip`` reads gzip layers; ``raw_files`` has tars on the disk;
- ``codecs`` asks the exact encoders; ``restore`` gives the gzip bytes of a layer as a stream;
- ``prefixes`` gets the older tars; ``bases`` finds older layers in bundles;
- ``encode`` recodes one layer, ``spool`` keeps what is recoded until the bundle is written;
- ``layout`` turns a plain bundle's head into a recoded one's, and back.

Nothing here is imported for a bundle without recoded layers. ``airgap.bundle.recoded`` has the words of the inventory.
"""
