# SPDX-License-Identifier: Apache-2.0
"""The words of the OCI and Docker specifications: digests, descriptors, platforms, references, manifests.

Everything here is a value or a pure function. The room does no I/O, knows no registry and never
serialises a manifest that somebody else wrote: a manifest's bytes are its identity.
"""

from airgap.oci.descriptor import Descriptor
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference

__all__ = ["Descriptor", "Platform", "Reference"]
