# SPDX-License-Identifier: Apache-2.0
"""What a project says once (``airgap.yaml``), how registries are reached, and where state is kept.

This room reads settings and makes the objects of other rooms from them. It sends nothing.
"""
