# SPDX-License-Identifier: Apache-2.0
"""A bundle as a folder, one file for each member of the tar: for a diode or a transfer station that takes small files.

- ``virtual_tar`` maps offsets of the tar that the folder would be to its files, headers and padding;
- ``files`` opens files of a folder that may be a stranger's;
- ``medium`` reads such a folder as a tar, ``draft`` writes one, ``place`` checks where and how large it may be.

The inventory is the same as in the tar, so a bundle has the same ID in both forms. Nothing here follows a link.
"""
