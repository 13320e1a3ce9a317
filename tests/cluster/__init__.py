# SPDX-License-Identifier: Apache-2.0
"""What only a Kubernetes cluster can tell, against any that the environment names; without one these tests are skipped.

They need a cluster that may be changed: they make namespaces, a DaemonSet in ``kube-system``, and files on a node, and
remove them afterwards. Where a namespace of the manifests exists already, they leave it alone and skip.

========================== =========================================================================================
AIRGAP_TEST_KUBECONFIG     the kubeconfig of its administrator
AIRGAP_TEST_REGISTRY_HOST  an address of this machine that nodes and pods reach; registries are started on free ports
AIRGAP_TEST_NODE_ROOT      the root folder of the node that runs the pods (``/`` on the node itself), for tests that
                           write its files; other nodes must be cordoned. The node's containerd must have
                           ``config_path = "/etc/containerd/certs.d"``
AIRGAP_TEST_CONTAINERD     the socket of that node's containerd, for tests that bring images as files
AIRGAP_TEST_IMAGE          the archive that ``make image`` has made; without it the tests make one, from Debian packages
========================== =========================================================================================

Nothing is pulled from the internet: the images are made of this machine's busybox and of airgap itself. The cluster
needs neither a DNS nor a storage class. ``pytest -m cluster -rs tests/cluster`` runs them and says what was skipped.
"""
