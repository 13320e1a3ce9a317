# SPDX-License-Identifier: Apache-2.0
"""Change the source in small ways, and see whether a test notices.

    make mutants
    .venv/bin/python -m tools.mutants --rooms bundle,copy --critical 30

Every mutant is one seeded change of a copy of the tree. The tests that run the changed line are run, those of its
room and the quickest first, up to the first that fails. A survivor is a change that none of them noticed. Changes that
cannot be noticed, since the program does the same, are listed in ``equivalent.txt`` with the reason.

Which test runs what is traced once for each state of the tree, and kept in ``.cache/mutants``. The exit code is 1 where
too many mutants of the critical rooms survive.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tools.mutants.copies import Copy, Test, Trace, limit_files, tree_sum
from tools.mutants.mutations import Mutant, mutants_of
from tools.mutants.rooms import SHARED, Room, TableError, files_by_room

ROOT = Path(__file__).resolve().parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent.txt")
#: Share of survivors that the critical rooms may have.
LIMIT = 0.05
#: A first run has tests of so many seconds at most: most mutants end there.
FIRST_SECONDS = 6.0
FIRST_TESTS = 40

Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass
class Outcome:
    """``by`` is the test that noticed, or empty; ``tests`` are those that were run, of ``possible`` ones."""

    room: Room
    mutant: Mutant
    by: str
    tests: int
    possible: int
    seconds: float


def main() -> int:
    options = _options()
    try:
        rooms = files_by_room(ROOT)
    except TableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    chosen = [room for room in rooms if not options.rooms or room.name in options.rooms.split(",")]
    texts = {file: (ROOT / file).read_text() for files in rooms.values() for file in files}
    mutants = {file: mutants_of(file, text) for file, text in texts.items()}
    equivalent = _equivalent({mutant.key for found in mutants.values() for mutant in found})
    chance = random.Random(options.seed)
    planned: list[tuple[Room, Mutant]] = []
    for critical, count in ((True, options.critical), (False, options.others)):
        group = [(room, file) for room in chosen if room.critical is critical for file in rooms[room]]
        planned += _sample(group, mutants, texts, count, chance)
    apart = [mutant for _, mutant in planned if mutant.key in equivalent]
    planned = [(room, mutant) for room, mutant in planned if mutant.key not in equivalent]
    print(f"seed {options.seed}: {len(planned)} mutants, {len(apart)} equivalent ones apart", flush=True)

    limit_files()
    # Where SIGINT is ignored, as in the background of a shell, tests that send it would fail.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="airgap-mutants-") as folder:
        copies = [Copy(ROOT, Path(folder) / str(number)) for number in range(options.jobs)]
        traces = _traces(copies, [path for room in chosen for path in room.tests])
        outcomes = _run(copies, planned, traces, options)
    return _report(outcomes, texts, apart, equivalent)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--critical", type=int, default=200, metavar="N", help="mutants in the critical rooms")
    parser.add_argument("--others", type=int, default=100, metavar="N", help="mutants elsewhere")
    parser.add_argument("--rooms", default="", help="names of rooms, with commas between; all of them without this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of tests for each mutant at most")
    parser.add_argument("--times", type=float, default=4.0, help="a run that takes so many times longer has hung")
    return parser.parse_args()


def _sample(
    group: Sequence[tuple[Room, str]],
    mutants: dict[str, list[Mutant]],
    texts: dict[str, str],
    count: int,
    chance: random.Random,
) -> list[tuple[Room, Mutant]]:
    """Lines at random, and of each one mutant, so that long conditions do not make up most of them."""
    lines: dict[tuple[str, int], list[tuple[Room, Mutant]]] = {}
    for room, file in group:
        for mutant in mutants[file]:
            lines.setdefault((file, mutant.line), []).append((room, mutant))
    places = sorted(lines)
    chosen: list[tuple[Room, Mutant]] = []
    for place in chance.sample(places, len(places)):
        room, mutant = chance.choice(lines[place])
        if len(chosen) < count and mutant.is_valid(texts[mutant.file]):
            chosen.append((room, mutant))
    return chosen


def _traces(copies: Sequence[Copy], own: Sequence[str]) -> list[Trace]:
    kept = ROOT / ".cache/mutants" / f"{tree_sum(ROOT)}.json"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    # A path stands for what lies below it.
    paths = sorted({path for path in [*own, *SHARED] if path not in known})
    paths = [path for path in paths if not any(path.startswith(f"{other}/") for other in [*paths, *known])]
    if paths:
        begun = time.monotonic()
        print(f"tracing {', '.join(paths)}", flush=True)
        traced = _each(copies, paths, lambda copy, path: copy.trace([path]))
        for path, trace in zip(paths, traced, strict=True):
            known[path] = [[[test.name, test.seconds] for test in trace.tests], trace.lines]
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(known))
        print(f"traced in {time.monotonic() - begun:.0f} s", flush=True)
    return [Trace([Test(*test) for test in tests], lines) for tests, lines in known.values()]


def _run(
    copies: Sequence[Copy], planned: Sequence[tuple[Room, Mutant]], traces: Sequence[Trace], options: argparse.Namespace
) -> list[Outcome]:
    counting, done = threading.Lock(), 0

    def one(copy: Copy, pair: tuple[Room, Mutant]) -> Outcome:
        nonlocal done
        outcome = _try(copy, *pair, traces, options)
        with counting:
            done += 1
            mutant = outcome.mutant
            how = f"noticed by {outcome.by}" if outcome.by else f"SURVIVES {outcome.tests} of {outcome.possible} tests"
            place = f"{mutant.file}:{mutant.line} {mutant.operator}"
            print(f"{done}/{len(planned)} {place}: {how} ({outcome.seconds:.1f} s)", flush=True)
        return outcome

    return _each(copies, planned, one)


def _each(copies: Sequence[Copy], items: Sequence[Item], work: Callable[[Copy, Item], Made]) -> list[Made]:
    """``work`` on each item, with as many at a time as there are copies. What runs in them ends with an error."""
    free: queue.SimpleQueue[Copy] = queue.SimpleQueue()
    for copy in copies:
        free.put(copy)

    def one(item: Item) -> Made:
        copy = free.get()
        try:
            return work(copy, item)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as pool:
        try:
            return list(pool.map(one, items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for copy in copies:
                copy.stop()
            raise


def _try(copy: Copy, room: Room, mutant: Mutant, traces: Sequence[Trace], options: argparse.Namespace) -> Outcome:
    begun = time.monotonic()
    possible = _relevant(room, mutant, traces)
    batches = _batches(possible, options.budget)
    path = copy.folder / mutant.file
    text = path.read_text()
    by, count = "", 0
    path.write_text(mutant.apply(text))
    try:
        for batch in batches:
            count += len(batch)
            expected = sum(test.seconds for test in batch)
            by = copy.fails(batch, 20 + options.times * expected)
            if by:
                break
    finally:
        path.write_text(text)
    return Outcome(room, mutant, by, count, len(possible), time.monotonic() - begun)


def _relevant(room: Room, mutant: Mutant, traces: Sequence[Trace]) -> list[Test]:
    """The tests that run the changed statement, those of the room and the quickest first."""
    found = {test for trace in traces for test in trace.running(mutant.file, mutant.lines)}
    return sorted(found, key=lambda test: (not test.name.startswith(room.tests), test.seconds, test.name))


def _batches(tests: Sequence[Test], budget: float) -> list[list[Test]]:
    """A short first run, of the room's own tests and of others, and a long one, within the budget."""
    first: list[Test] = []
    rest: list[Test] = []
    spent = 0.0
    for test in tests:
        if len(first) < FIRST_TESTS and spent + test.seconds <= FIRST_SECONDS:
            first.append(test)
            spent += test.seconds
        elif spent + test.seconds <= budget:
            rest.append(test)
            spent += test.seconds
    # Fixtures of a module are made once if its tests follow one another.
    return [sorted(batch, key=lambda test: _order(batch, test)) for batch in (first, rest) if batch]


def _order(batch: Sequence[Test], test: Test) -> tuple[float, str, float]:
    quickest = min(other.seconds for other in batch if other.file == test.file)
    return quickest, test.file, test.seconds


def _equivalent(keys: set[str]) -> dict[str, str]:
    """Reasons by key, from lines of ``KEY | place | change | reason``."""
    found = {}
    for line in EQUIVALENT.read_text().splitlines():
        if line and not line.startswith("#"):
            key, _, rest = (part.strip() for part in line.partition("|"))
            found[key] = rest
            if key not in keys:
                print(f"{EQUIVALENT.name}: no change has the key {key} any more: {rest}", file=sys.stderr)
    return found


def _report(
    outcomes: Sequence[Outcome], texts: dict[str, str], apart: Sequence[Mutant], equivalent: dict[str, str]
) -> int:
    survivors = [outcome for outcome in outcomes if not outcome.by]
    print("\nroom                  mutants  survivors")
    counts = Counter(outcome.room.name for outcome in outcomes)
    alive = Counter(outcome.room.name for outcome in survivors)
    for name, count in counts.items():
        print(f"{name:<20} {count:>8} {alive[name]:>10}")
    for outcome in survivors:
        mutant = outcome.mutant
        print(f"\n{mutant.key} {mutant.file}:{mutant.line} {mutant.function} ({mutant.operator})")
        print(f"  {outcome.tests} of the {outcome.possible} tests that run it were run")
        print(mutant.diff(texts[mutant.file]))
    if apart:
        print("\nequivalent:")
    for mutant in apart:
        print(f"{mutant.key} {mutant.file}:{mutant.line} | {equivalent[mutant.key]}")
    critical = [outcome for outcome in outcomes if outcome.room.critical]
    lost = sum(not outcome.by for outcome in critical)
    share = lost / len(critical) if critical else 0.0
    print(f"\n{lost} of {len(critical)} survive in the critical rooms ({share:.1%}, at most {LIMIT:.0%} may)")
    return 1 if share > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
