# SPDX-License-Identifier: Apache-2.0
"""Read the user's paths so that a folder of any repository gives a result.

A file that the user names must be readable. A file that a walk finds may be anything: what cannot be read is skipped
with a reason, and what is no resource file at all is counted. Nothing here connects to a registry.
"""
