# SPDX-License-Identifier: Apache-2.0
"""docs/nexus.md and docs/nexus.ko.md: how many requests each command sends to a Nexus, beside the minimum.

    python tools/nexus_requests.py           # write the tables
    python tools/nexus_requests.py --check   # end with 1 if a page says something else

The requests are counted at the tests' stand-in for Nexus 3.87, once with Basic and once with tokens, one at a time:
with several at once the numbers differ by a few. What stands
between the marks is made here; the words around it are written by hand.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from airgap.oci.manifest import INDEXES, is_manifest_type  # noqa: E402
from tests.cli.command import Airgap, Registry, pod, settings  # noqa: E402
from tests.doubles.nexus import PUSHER, Nexus, Repository, Settings, nexus  # noqa: E402
from tests.parts.images import Images  # noqa: E402

BEGIN, END = "<!-- made by tools/nexus_requests.py -->", "<!-- end -->"
HEADS = {
    "nexus.md": "| Command | Minimum | Basic | Tokens |",
    "nexus.ko.md": "| 명령 | 최솟값 | Basic | 토큰 |",
}
#: What the Korean page calls the rows that are no command alone.
KOREAN = {
    "import again": "import를 다시 실행",
    "migrate, at the source": "migrate(원본)",
    "migrate, at the target": "migrate(대상)",
}
HOSTED = Repository("docker-hosted", connector="http")


@dataclass(frozen=True)
class Count:
    """Requests of one command, and the least that would do."""

    command: str
    minimum: int
    requests: int


def images() -> tuple[Images, dict[str, object]]:
    """Twelve tags in ten repositories: indexes, shared layers, two tags of one image."""
    made = Images(87)
    base = made.layer(size=4000)
    names: dict[str, object] = {}
    for number in range(10):
        root = made.two_platforms() if number % 3 == 0 else made.image(layers=[base, made.layer(size=900)])
        names[f"team/app{number}:1"] = root
    names["team/app1:2"] = names["team/app1:1"]
    names["team/app3:2"] = made.two_platforms()
    return made, names


def counts(force_basic: bool, folder: Path) -> list[Count]:
    """Run each command once, in an order in which each has something to do."""
    made, names = images()
    needed = {name: made.needed(root) for name, root in names.items()}  # type: ignore[arg-type] # descriptors
    blobs = {one.digest for all_ in needed.values() for one in all_ if not is_manifest_type(one.media_type)}
    placed = {
        (name.rpartition(":")[0], one.digest)
        for name, all_ in needed.items()
        for one in all_
        if is_manifest_type(one.media_type)
    }
    plain = {root.digest for root in names.values() if root.media_type not in INDEXES}  # type: ignore[attr-defined]
    children = len(placed) - len({(name.rpartition(":")[0], root.digest) for name, root in names.items()})  # type: ignore[attr-defined]
    repositories, tags, manifests = len({name.rpartition(":")[0] for name in names}), len(names), len(placed)
    (folder / "home").mkdir()
    airgap = Airgap(folder, folder / "home")
    airgap.environment = {
        "AIRGAP_USERNAME": PUSHER.name,
        "AIRGAP_PASSWORD": PUSHER.password,
        "AIRGAP_SOURCE_PASSWORD": PUSHER.password,
    }
    place = replace(HOSTED, force_basic=force_basic)
    with Registry() as source, nexus(Settings(profile="3.8x", repositories=(place,))) as old:
        source.fill(made, names)  # type: ignore[arg-type] # descriptors
        airgap.write("airgap.yaml", settings({"quay.io": {"mirror": source.url}}))
        airgap.write("app.yaml", pod(*(f"quay.io/{name}" for name in names)))
        airgap.run("export", "app.yaml", "-o", "b.tar")
        target = f"http://{old.connector().address}/p"

        def count(command: str, minimum: int, *words: str, at: Nexus = old) -> Count:
            before = len(at.seen)
            airgap.run(*words, *(() if command == "doctor" else ("--jobs", "1")))
            return Count(command, minimum, len(at.seen) - before)

        lists = 1 + repositories
        start, import_ = 2, ("import", "b.tar", "--to", target)
        found = [
            count("import", start + 3 * len(blobs) + manifests + 2 * tags, *import_),
            count("import again", start + tags, *import_),
            count("verify --against", start + tags, "verify", "b.tar", "--against", target),
            count(
                "inventory",
                start + 1 + repositories + tags + children + len(plain),
                "inventory",
                target,
                "-o",
                "held.json",
            ),
            count("doctor", start + 4, "doctor", target),
        ]
        with nexus(Settings(profile="3.8x", repositories=(place,))) as new:
            at_source, at_target = len(old.seen), len(new.seen)
            sides = (target, f"http://{new.connector().address}/p", "--source-username", PUSHER.name)
            airgap.run("migrate", *sides, "--jobs", "1")
            found.append(
                Count(
                    "migrate, at the source", start + lists + tags + manifests + len(blobs), len(old.seen) - at_source
                )
            )
            least = start + 3 * len(blobs) + manifests + 2 * tags
            found.append(Count("migrate, at the target", least, len(new.seen) - at_target))
    return found


def table(page: str, basic: list[Count], tokens: list[Count]) -> str:
    """Return the lines between the marks of ``page``."""
    rows = [HEADS[page], "|-|-|-|-|"]
    words = KOREAN if page.endswith(".ko.md") else {}
    rows += [
        f"| {words.get(one.command, one.command)} | {one.minimum} | {one.requests} | {other.requests} |"
        for one, other in zip(basic, tokens, strict=True)
    ]
    return "\n".join(rows)


def main(arguments: list[str]) -> int:
    """Write the tables, or compare them with the pages."""
    found = []
    for force_basic in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            found.append(counts(force_basic, Path(folder)))
    differs = 0
    for name in HEADS:
        page = ROOT / "docs" / name
        text = page.read_text()
        before, _, rest = text.partition(BEGIN)
        new = f"{before}{BEGIN}\n{table(name, *found)}\n{rest[rest.index(END) :]}"
        if new != text:
            differs = 1
            if "--check" not in arguments:
                page.write_text(new)
    print(table("nexus.md", *found))
    return differs if "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
