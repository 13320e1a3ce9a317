# SPDX-License-Identifier: Apache-2.0
"""Nodes of a running cluster, by the user's own ``kubectl``: the files of one node, read through a debug pod, and the
same check on every node at once, as a DaemonSet. What these make in the cluster they remove again."""
