# SPDX-License-Identifier: Apache-2.0
"""Signing in: challenges, credentials from docker's and containers' files, and tokens."""
