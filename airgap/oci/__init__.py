# SPDX-License-Identifier: Apache-2.0
"""Values of the OCI and Docker specifications: digests, descriptors, platforms, references, manifests.

Everything here is a value or a pure function, without I/O. Manifests of other programs are never serialized again:
the digest of a manifest is the digest of its exact bytes.
"""

from airgap.oci.descriptor import Descriptor
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference

__all__ = ["Descriptor", "Platform", "Reference"]
