# SPDX-License-Identifier: Apache-2.0
"""``airgap demo``: the whole journey on this machine, between two embedded registries."""
