# SPDX-License-Identifier: Apache-2.0
"""``python -m airgap``, and the entry of ``airgap.pyz``."""

from airgap.cli import main

if __name__ == "__main__":
    main()
