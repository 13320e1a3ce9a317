# SPDX-License-Identifier: Apache-2.0
"""Attacks by registries, token servers, REST APIs and credential helpers: each limit at the limit and one past it."""
