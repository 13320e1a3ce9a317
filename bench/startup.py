# SPDX-License-Identifier: Apache-2.0
"""How long airgap takes to start, beside an interpreter that does nothing.

    python bench/startup.py
    python bench/startup.py ./airgap-portable/airgap    # another airgap beside the installed one

Wall time of fresh processes, in turns, byte code cached as an installation has it; the minimum and the median
of 20. Also says which heavy modules ``airgap images`` on one small file has loaded.

    python bench/startup.py --languages

CPU and wall time of ``airgap --help`` and ``airgap images``, in turns: in English, in Korean, and by a copy of the
package that looks up no message and asks for no language. The difference is what the languages cost.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 20
HEAVY = ("httpx", "http.client", "ssl", "rich", "cheroot")


#: A copy of airgap/i18n.py that knows no language.
NO_LANGUAGES = """
from typing import NamedTuple
LANGUAGES = ("en", "ko")
def tr(message, /, **fields):
    return message.format_map(fields) if fields else message
def plural_form(one, many, number, /):
    return one if number == 1 else many
def plural(one, many, number, /, **fields):
    return plural_form(one, many, number).format_map({"number": number, **fields})
class Bilingual(NamedTuple):
    en: str
    ko: str
def bilingual(message, /, **fields):
    return Bilingual(tr(message, **fields), "")
def in_language(language):
    raise NotImplementedError
def language_in_use():
    return "en"
def use_language(language):
    return True
"""
LANGUAGE_ROUNDS = 60


def languages() -> None:
    """Compare the languages with a package that has none."""
    with tempfile.TemporaryDirectory() as folder:
        yaml = Path(folder) / "pod.yaml"
        yaml.write_text("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: nginx\n")
        package = Path(__file__).resolve().parents[1] / "airgap"
        kept = shutil.ignore_patterns("__pycache__")
        roots = [Path(folder) / "with", Path(folder) / "without"]
        for root in roots:
            shutil.copytree(package, root / "airgap", ignore=kept)
        (roots[1] / "airgap/i18n.py").write_text(NO_LANGUAGES)
        (roots[1] / "airgap/cli/language.py").write_text("def use_project_language(arguments):\n    pass\n")
        runs = {"without languages": (roots[1], "en"), "English": (roots[0], "en"), "Korean": (roots[0], "ko")}
        for words in (["--help"], ["images", str(yaml)]):
            times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
            for round_ in range(LANGUAGE_ROUNDS + 1):
                for name, (root, language) in runs.items():
                    measured = _measured(words, root, language)
                    if round_:  # the first writes the byte code
                        times[name].append(measured)
            least = min(cpu for cpu, _ in times["without languages"])
            for name, measured_times in times.items():
                cpu, wall = zip(*measured_times, strict=True)
                print(
                    f"airgap {words[0]:8} {name:18} CPU {min(cpu):6.1f} ms, median {statistics.median(cpu):6.1f} ms "
                    f"({min(cpu) - least:+5.1f} ms); wall {min(wall):6.1f} ms, median {statistics.median(wall):6.1f} ms"
                )


def _measured(words: list[str], root: Path, language: str) -> tuple[float, float]:
    """The milliseconds of CPU and of wall time that a run takes."""
    environment = {**os.environ, "PYTHONPATH": str(root), "AIRGAP_LANG": language}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "airgap", *words], env=environment, check=True, capture_output=True, cwd=root)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * cpu, 1000 * wall


def main() -> None:
    if sys.argv[1:] == ["--languages"]:
        languages()
        return
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
