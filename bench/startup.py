# SPDX-License-Identifier: Apache-2.0
"""How long airgap takes to start, beside an interpreter that does nothing.

    python bench/startup.py
    python bench/startup.py ./airgap-portable/airgap    # another airgap beside the installed one

Wall time of fresh processes, in turns, byte code cached as an installation has it; the minimum and the median
of 20. Also says which heavy modules ``airgap images`` on one small file has loaded.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 20
HEAVY = ("httpx", "http.client", "ssl", "rich", "cheroot")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        yaml = Path(folder) / "pod.yaml"
        yaml.write_text("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: nginx\n")
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(folder) / "cache")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        airgap = str(Path(sys.executable).with_name("airgap"))
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "airgap --version": [airgap, "--version"],
            "airgap --help": [airgap, "--help"],
            "airgap images one.yaml": [airgap, "images", str(yaml)],
        }
        for other in sys.argv[1:]:
            commands[f"{other} --version"] = [other, "--version"]
            commands[f"{other} images"] = [other, "images", str(yaml)]
        times: dict[str, list[float]] = {name: [] for name in commands}
        for round_ in range(ROUNDS + 1):
            for name, command in commands.items():
                started = time.perf_counter()
                subprocess.run(command, env=environment, check=True, capture_output=True)
                if round_:  # the first fills the cache of byte code
                    times[name].append(1000 * (time.perf_counter() - started))
        for name, measured in times.items():
            print(f"{name:24} {min(measured):5.0f} ms, median {statistics.median(measured):5.0f} ms")
        code = (
            "import sys, airgap.cli.run as run; run.run(sys.argv[1:]); "
            f"print('loaded:', [m for m in {HEAVY!r} if m in sys.modules] or 'none of', {HEAVY!r})"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, "images", str(yaml)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        print("airgap images one.yaml,", done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
