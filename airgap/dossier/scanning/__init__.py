# SPDX-License-Identifier: Apache-2.0
"""Scans a bundle for malware with an engine that is installed beside this program; no engine ships with it.

- ``clamd`` and ``command`` are the engines, ``measured`` finds out clamd's limits;
- ``archives`` opens the archives inside layers and packages: ``zip_archive``, ``packages`` and those of the room above;
- ``scanner`` walks through everything, ``spool`` is the file that it looks at, ``verdicts`` what it has seen clean;
- ``findings`` collects, ``result`` is ``scan.json``.

What cannot be scanned is never passed over: it is ``unscannable``, with a reason.
"""
