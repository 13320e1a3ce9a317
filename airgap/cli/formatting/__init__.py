# SPDX-License-Identifier: Apache-2.0
"""Turns results into text for the user. Functions here return text and print nothing.

``printable`` removes control characters, ``event_text`` and ``summary`` format events, ``unified_diff`` compares two
contents, ``explanation`` formats what ``doctor --explain`` finds, ``inventory_table`` a bundle's list of images.
"""
