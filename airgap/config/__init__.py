# SPDX-License-Identifier: Apache-2.0
"""Settings: ``airgap.yaml``, the connections to registries, and the folder for state.

``airgap_yaml`` reads the project file, ``connections`` combines it with options and environment variables into
registries and target mappings, ``state`` keeps the journal of unfinished uploads. Nothing here sends a request.
"""
