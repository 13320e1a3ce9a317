# SPDX-License-Identifier: Apache-2.0
"""The dossier as one HTML page in Korean and English, for a browser without any right and for A4 paper.

It holds no script and no reference to anything outside, which its content security policy forbids too; the language is
switched by two radio buttons and the style sheet. ``markup`` escapes, the other modules are the sections in the order
of the page.
"""
