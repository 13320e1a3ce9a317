# SPDX-License-Identifier: Apache-2.0
"""Fuzzing: mutated seeds through every door for bytes from outside. ``make fuzz SECONDS=…`` runs it for hours."""
