# SPDX-License-Identifier: Apache-2.0
"""Parse YAML and JSON into events with positions, and map the values of scalars to their bytes."""
