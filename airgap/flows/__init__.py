# SPDX-License-Identifier: Apache-2.0
"""One page for each verb, read top to bottom: what is found, planned, moved, checked and written, in order.

A flow knows no threads, no HTTP and no terminal; what it needs comes in as arguments, what happens goes
out as events, what it found is returned.
"""
