# SPDX-License-Identifier: Apache-2.0
"""Would a node get every image? The answer of ``airgap prove``.

The room reads a node's configuration (:mod:`airgap.prove.node_files`) and the pull secrets of the pods, resolves each
image as the node's container runtime does (:mod:`airgap.prove.runtimes`), and asks the registries what the runtime
would ask, up to a HEAD for each blob. Where something is missing it goes on as if that were mended, so that one run
names every cause. It pulls no layer, writes nothing on a node and changes nothing at a registry.
"""
