# SPDX-License-Identifier: Apache-2.0
"""The far side's repositories: what they have, how a file gets there, and the proof that it is there.

``nexus`` is a repository of Nexus, ``folder`` a plain folder; the native ways of other servers are the formats'.
``addresses`` is what the user names, ``opening`` finds out what is there. ``store`` lets a copy fill repositories,
``publication`` is all of an import's repositories together.
"""
