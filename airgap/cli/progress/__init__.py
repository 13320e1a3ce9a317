# SPDX-License-Identifier: Apache-2.0
"""Shows events on standard error while a command runs.

``model`` counts bytes, ``view`` draws the model as lines of text, ``display`` has a class for each ``--progress`` mode.
"""
