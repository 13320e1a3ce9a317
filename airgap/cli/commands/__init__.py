# SPDX-License-Identifier: Apache-2.0
"""One module for each command: its options, its help with an example, its words. No work is done here."""
