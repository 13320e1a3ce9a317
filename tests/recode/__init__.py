# SPDX-License-Identifier: Apache-2.0
"""Exact encoders: their bytes, their names, and what they do without their library or with hostile input."""
