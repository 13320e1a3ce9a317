# SPDX-License-Identifier: Apache-2.0
"""Find the scalars of a resource file that name images: rules, walker, scanner and collector."""
