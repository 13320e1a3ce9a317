# SPDX-License-Identifier: Apache-2.0
"""New names spliced into the bytes of sites, and the proof that nothing else changed."""
