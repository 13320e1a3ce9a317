# SPDX-License-Identifier: Apache-2.0
"""Charts and kustomizations, rendered by the user's own programs, and values that move their images."""
