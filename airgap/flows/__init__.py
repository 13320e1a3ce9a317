# SPDX-License-Identifier: Apache-2.0
"""One page for each verb, read top to bottom: what is found, planned, moved, checked and written, in order.

A flow starts no threads, sends no HTTP and uses no terminal. It gets what it needs as arguments, reports what happens
as events and returns its result. ``steps`` holds what several verbs share.
"""
