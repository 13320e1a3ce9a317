# SPDX-License-Identifier: Apache-2.0
"""Soak: commands that are killed, stopped, cut off, doubled, and run on disks and clocks that fail, at random moments.

Each round breaks one command a few times in different ways, then runs it to its end in peace: the digests must be the
expected ones, every blob whole, and no file left that does not belong there. ``python -m tests.soak SECONDS [SEED]``.
"""
