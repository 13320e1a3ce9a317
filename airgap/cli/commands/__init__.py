# SPDX-License-Identifier: Apache-2.0
"""One module per command: its options, its help with an example, and what it prints. The work is done in flows.

A module holds the click command as ``command``. A part that few runs of a command need has a module of its own, named
``COMMAND_PART`` and imported on demand.
"""
