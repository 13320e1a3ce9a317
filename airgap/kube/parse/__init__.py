# SPDX-License-Identifier: Apache-2.0
"""YAML and JSON as streams of events with positions, and scalars with the bytes that they stand for."""
