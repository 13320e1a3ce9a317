# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.soak SECONDS [SEED]``: rounds until the time is over, or one fails."""

from __future__ import annotations

import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.soak.rounds import soak


def main(seconds: float, seed: int) -> None:
    """Print the seed, each round, and how many commands and registries were broken off; keep the files of a failure."""
    folder = Path(tempfile.mkdtemp(prefix="airgap-soak-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # its servers end with it
    try:
        soak(folder, seconds, seed, lambda said: print(said, flush=True))
    except AssertionError:
        print(f"failed; its files are in {folder}", file=sys.stderr)
        raise
    except BaseException:
        shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else random.SystemRandom().randrange(1 << 32))
