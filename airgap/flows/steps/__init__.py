# SPDX-License-Identifier: Apache-2.0
"""Steps that several verbs share: resolving images, and finding out where an image is on the target."""
