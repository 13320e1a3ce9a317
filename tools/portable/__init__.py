# SPDX-License-Identifier: Apache-2.0
"""The portable folder: Debian's CPython, the libraries that it needs, their loader, airgap and its dependencies.

``packages`` gets the Debian packages by apt, for any of Debian's architectures; ``elf`` reads what a library needs;
``folder`` puts the files in their places; ``__main__`` is the command line, ``image`` makes a container image of
the folder. What it is for: ADR 0026.
"""
