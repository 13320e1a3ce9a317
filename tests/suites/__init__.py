# SPDX-License-Identifier: Apache-2.0
"""Suites that several implementations of one protocol pass: subclass one as ``Test…`` and give its fixture."""
