# SPDX-License-Identifier: Apache-2.0
"""Images with what an office asks about: users, labels, setuid files, packages, and names made to deceive."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airgap.oci import Descriptor
from tests.cli.command import Airgap, Registry, pod, settings
from tests.parts.images import Images, Layer

#: Labels that try every way out of where they are shown.
HOSTILE = {
    "org.opencontainers.image.source": 'javascript:alert(1)"><script>alert(1)</script>',
    "org.opencontainers.image.licenses": "=cmd|' /C calc'!A0",
    "x</td><img src=http://evil.example/x onerror=alert(1)>": "\u202egpj.exe\u200b",
    "multi\nline\ttab": "</style></details></main>'\"&amp;\x1b[31m",
}
PURPOSE = "11월 정기 보안 패치"
NOTES = "# 1.10\n\n- 로그인 오류 수정 <script>alert(2)</script>\n"
DPKG = (
    "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u9\n"
    "Description: GNU C Library\n more: than one line\n\n"
    "Package: gone\nStatus: deinstall ok config-files\nVersion: 1.0\n\n"
    "Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:1.2.13\n"
)
APK = "C:Q1abc=\nP:musl\nV:1.2.5-r1\nA:x86_64\nL:MIT\nF:lib\nR:ld-musl.so\n\nP:busybox\nV:1.10\nL:GPL-2.0-only\n\n"


#: What trivy reports of an image.
TRIVY = {
    "SchemaVersion": 2,
    "ArtifactName": "quay.io/team/api:2.4.1",
    "Results": [
        {"Target": "debian", "Vulnerabilities": [{"Severity": "HIGH"}, {"Severity": "CRITICAL"}, {"Severity": "HIGH"}]},
        {"Target": "app"},
    ],
}
#: A scanner of files that finds what one of them has in it.
SCANNER = """grep -q zzzz "$1" || exit 0
echo 'Test.Signature <b>'
exit 1
"""


@dataclass(frozen=True)
class Office:
    """The command line in the folder where it ran, the ``bundle``, and the ``folder`` of its dossier."""

    airgap: Airgap
    bundle: Path
    folder: Path


def archive(*files: tuple[str, bytes | str, int], links: Sequence[tuple[str, str, bytes]] = ()) -> bytes:
    """A tar of files by name, content and mode, and of ``links`` by name, target and type."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content, mode in files:
            member = tarfile.TarInfo(name)
            data = content.encode() if isinstance(content, str) else content
            member.mode, member.size = mode, len(data)
            tar.addfile(member, io.BytesIO(data))
        for name, target, kind in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            tar.addfile(member)
    return made.getvalue()


def prepare(airgap: Airgap, registry: Registry) -> None:
    """Fill a registry, and write the resource files and settings of a project."""
    images = Images(3)
    base = debian(images)
    api = images.image(
        layers=[
            base,
            images.layer_of(archive(("usr/bin/passwd", "patched", 0o755), ("app/server", "z" * 9000, 0o755))),
        ],
        settings={
            "User": "10001:10001",
            "Entrypoint": ["/app/server"],
            "Cmd": ["--port", "8080"],
            "Labels": {
                "org.opencontainers.image.source": "https://github.com/team/api",
                "org.opencontainers.image.licenses": "Apache-2.0",
            },
        },
    )
    worker = images.image(layers=[base], settings={"Entrypoint": ["/bin/worker"]})
    cache = images.image(
        layers=[
            images.layer_of(archive(("etc/os-release", "ID=alpine\n", 0o644), ("lib/apk/db/installed", APK, 0o644)))
        ],
        settings={"User": "redis", "Labels": HOSTILE},
    )
    two = images.two_platforms(attested=True)
    registry.fill(images, {"team/api:2.4.1": api, "team/worker:2.4.1": worker, "library/cache:7.4": cache})
    registry.fill(images, {"team/two:1": two})
    registry.refer("team/api:2.4.1")
    for name, image in (("api", "team/api:2.4.1"), ("worker", "team/worker:2.4.1"), ("cache", "library/cache:7.4")):
        airgap.write(f"deploy/{name}.yaml", pod(f"quay.io/{image}"))
    airgap.write("deploy/two <b>.yaml", pod("quay.io/team/two:1"))
    airgap.write("NOTES.md", NOTES)
    airgap.write("trivy <i>.json", json.dumps(TRIVY))
    airgap.write("공문.txt", "반입 요청\n")
    mirror = {"quay.io": {"mirror": registry.url}}
    airgap.write("airgap.yaml", settings(mirror, name="platform", version="1.10", notes="NOTES.md", purpose=PURPOSE))


def debian(images: Images) -> Layer:
    """A base layer with dpkg's database and files that run with others' rights."""
    return images.layer_of(
        archive(
            ("etc/os-release", 'NAME="Debian"\nID=debian\n', 0o644),
            ("var/lib/dpkg/status", DPKG, 0o644),
            ("usr/bin/sudo", "s" * 5000, 0o4755),
            ("usr/bin/passwd", "p" * 3000, 0o4755),
            ("usr/bin/wall", "w" * 1000, 0o2755),
            ("usr/bin/plain", "w", 0o755),
        )
    )


def root_of(images: Images, *layers: bytes) -> Descriptor:
    """An image of these tars."""
    return images.image(layers=[images.layer_of(layer) for layer in layers])
