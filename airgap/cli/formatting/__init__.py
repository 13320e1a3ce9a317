# SPDX-License-Identifier: Apache-2.0
"""Turns results into text for the user. Functions here return text and print nothing.

``event_text`` and ``summary`` format events, ``message`` errors, ``unified_diff`` compares two contents,
``explanation`` formats what ``doctor --explain`` finds.
"""
