# SPDX-License-Identifier: Apache-2.0
"""HTTP for registries: connections, bodies, proxies, retries, rate limits and the translation of errors.

This room knows neither the registry API nor credentials.
"""
