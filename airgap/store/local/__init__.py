# SPDX-License-Identifier: Apache-2.0
"""Images that are at hand: archives that other programs wrote, layout folders, and the content of a containerd.

Each is a source of :mod:`airgap.store.protocols` that also knows its images by their references. Archives are read
where they lie: nothing is unpacked. They may come from anybody, so their sizes and numbers are limited.
"""
