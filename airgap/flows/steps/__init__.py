# SPDX-License-Identifier: Apache-2.0
"""Steps that several commands share: resolving images, looking up where images are on the target, finding Secrets."""
