# SPDX-License-Identifier: Apache-2.0
"""Progress for people and programs: ``model`` counts, ``view`` draws, ``display`` chooses by ``--progress``."""
