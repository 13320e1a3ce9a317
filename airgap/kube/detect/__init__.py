# SPDX-License-Identifier: Apache-2.0
"""Which scalars of a resource file name images: rules, the scanner that applies them, and the collector of sites."""
