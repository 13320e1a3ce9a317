# SPDX-License-Identifier: Apache-2.0
"""airgap carries the images that Kubernetes YAML names into a closed network.

The journey of the data, and where each station lives:

1. ``kube``      reads resource files and yields the sites that name images;
2. ``oci``       gives the words: references, digests, descriptors, platforms, manifests;
3. ``registry``  reads those images over HTTP, ``store`` keeps content elsewhere (memory, a folder);
4. ``copy``      plans what must move and moves it, in parallel, each digest once;
5. ``bundle``    is the tar that crosses the gap, written in one pass and read where it lies;
6. ``target``    names each image on the far side and refuses collisions;
7. ``kube``      again: splices the new names into the YAML, every other byte as it was;
8. ``nodes``     tells container runtimes how to pull from there, ``explain`` what their errors mean;
9. ``server``    is a registry over any store, for the demo, for tests and for `airgap serve`.

``flows`` has one page for each verb that strings these together; ``cli`` turns options into
flows, events into words and errors into exit codes. Imports only ever go down that list:
``cli → flows → (kube | target | nodes | server | bundle) → copy → (store | registry) → (oci | explain)``.
"""

__version__ = "0.1.0"
