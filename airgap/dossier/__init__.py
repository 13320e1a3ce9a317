# SPDX-License-Identifier: Apache-2.0
"""What the office between the two networks reads, scans and approves.

``facts`` are what a dossier says; ``images``, ``bundle_files``, ``usage`` and ``planned`` find them out; ``document``,
``table``, ``cyclonedx`` and ``page`` write them, as JSON, CSV, CycloneDX and HTML. No signature of an image is verified
here, and no file has the time when it was made: the same bundle gives the same bytes.

``layers`` reads a layer or an archive as a stream of entries, without unpacking it to the disk: ``tar_stream`` and
``decompression`` are its formats, ``entry`` is one file of it, ``budget`` are the limits against archives that are
made to exhaust the machine. Nothing here trusts a name, a size or a count in an archive, and nothing is ever written
under a name of an archive. ``scanning`` gives all that comes out of it to an engine that finds malware.
"""
