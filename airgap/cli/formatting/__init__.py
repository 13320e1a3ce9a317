# SPDX-License-Identifier: Apache-2.0
"""Text for people: tables, summaries, and what comes from outside made safe for a terminal."""
