# SPDX-License-Identifier: Apache-2.0
"""airgap carries the images that Kubernetes YAML names into a closed network.

The rooms, in the order in which data passes them:

1. ``kube``      reads resource files, finds the sites that name images, and later splices the new names in;
2. ``oci``       has the words of the specifications: references, digests, descriptors, platforms, manifests;
3. ``registry``  reads and writes images over HTTP; ``store`` keeps content in memory or in a folder;
4. ``transfer``  plans what must move and moves it in parallel, each digest once;
5. ``bundle``    is the tar that crosses, written in one pass and read where it lies;
6. ``targets``   names each image on the far side, checks the product there and refuses collisions;
7. ``nodes``     tells container runtimes how to pull from there; ``explain`` says what their errors mean;
8. ``server``    is a registry over any store, for the demo, for tests and for ``airgap serve``.

``durable`` writes what must survive a power cut. ``i18n`` translates messages. ``config`` reads ``airgap.yaml``.
``flows`` has one recipe for each verb; ``cli`` turns options into flows, events into text and errors into exit codes.
docs/architecture.md shows which room may import which.
"""

__version__ = "0.4.0"
