# SPDX-License-Identifier: Apache-2.0
"""Replace the bytes of sites, verify that nothing else changed, write the files and keep a log to revert them."""
