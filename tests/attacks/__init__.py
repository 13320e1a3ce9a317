# SPDX-License-Identifier: Apache-2.0
"""Attacks: input made to do harm, each against the program as users run it."""
