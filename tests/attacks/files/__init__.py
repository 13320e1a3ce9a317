# SPDX-License-Identifier: Apache-2.0
"""Attacks by files and terminals: resource files, records, settings, bundles and layouts that strangers made."""
