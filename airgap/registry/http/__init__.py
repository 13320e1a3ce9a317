# SPDX-License-Identifier: Apache-2.0
"""HTTP as registries need it: connections, bodies, proxies, retries, rate limits and the translation of errors.

This room knows no registry API and no credentials.
"""
