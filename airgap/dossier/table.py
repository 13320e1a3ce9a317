# SPDX-License-Identifier: Apache-2.0
"""The dossier as CSV (RFC 4180) for spreadsheets: UTF-8 with a byte order mark, without which Excel garbles Hangul.

One table: the first column tells what a row is about. No cell begins as a formula does, and what a spreadsheet would
turn into a number or a date, such as the version ``1.10``, begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from airgap.dossier.facts import LICENCES, SOURCE, Dossier, ImageFacts, PlatformFacts, ScanFacts
from airgap.dossier.visible import visible

_BOM = b"\xef\xbb\xbf"
#: What a spreadsheet may take for a formula, fullwidth forms included.
_FORMULA = re.compile("[=+\\-@\t\r\n|%＝＋－＠]")
_NUMBER = re.compile(r"[0-9][0-9.,:/\-eE+ ]*")
#: The longest cell that Excel takes.
_LONGEST = 32_767
#: The keys of a row, with the heading of its column.
_COLUMNS = {
    "kind": "구분 (kind)",
    "image": "이미지·파일 (reference)",
    "name": "이름 (name)",
    "version": "버전 (version)",
    "platform": "플랫폼 (platform)",
    "digest": "다이제스트 (digest)",
    "size": "크기 바이트 (bytes)",
    "own": "고유 (own bytes)",
    "shared": "공유 (shared bytes)",
    "from": "출처 (from)",
    "created": "생성 (created)",
    "user": "사용자 (user)",
    "root": "root 여부 (root)",
    "entrypoint": "시작 명령 (entrypoint)",
    "licence": "라이선스 (licence)",
    "source": "소스 (source)",
    "signer": "서명자 (signer)",
    "attached": "첨부 (attached)",
    "used_by": "사용 파일 (used by)",
    "change": "변경 (change)",
    "note": "비고 (note)",
}
_NUMBERS = {"size", "own", "shared"}
Row = dict[str, object]


def to_bytes(dossier: Dossier) -> bytes:
    """Return the table, the same bytes for the same facts."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_MINIMAL)
    writer.writerow(_COLUMNS.values())
    for row in _rows(dossier):
        writer.writerow([_cell(name, row.get(name)) for name in _COLUMNS])
    return _BOM + buffer.getvalue().encode()


def _cell(column: str, value: object) -> str:
    if value is None or value == "":
        return ""
    if column in _NUMBERS and isinstance(value, int):
        return str(value)
    text = visible(str(value), most=_LONGEST - 2)[: _LONGEST - 1]
    return f"'{text}" if _FORMULA.match(text.lstrip()) or _NUMBER.fullmatch(text) else text


def _rows(dossier: Dossier) -> Iterator[Row]:
    bundle = dossier.bundle
    yield {"kind": "bundle", "image": bundle.file, "name": bundle.name, "version": bundle.version,
           "digest": f"sha256:{bundle.sha256}" if bundle.sha256 else "", "size": bundle.size,
           "signer": ", ".join(bundle.signers), "note": dossier.purpose}  # fmt: skip
    yield {"kind": "bundle.json", "image": bundle.file, "name": "airgap/bundle.json", "digest": bundle.root}
    if len(bundle.files) > 1:
        for file in bundle.files:
            digest = f"sha256:{file.sha256}" if file.sha256 else ""
            yield {"kind": "volume", "image": file.name, "digest": digest, "size": file.size}
    if dossier.scan:
        yield from _scan(dossier.scan)
    changes = {image.reference: image.status for image in dossier.changes.images} if dossier.changes else {}
    for image in dossier.images:
        yield _image(image, changes.get(image.reference, ""))
        for platform in image.platforms:
            yield from _platform(image, platform)
    for artifact in dossier.artifacts:
        yield {"kind": "artifact", "image": artifact.file, "name": f"{artifact.format}:{artifact.name}",
               "version": artifact.version, "digest": artifact.digest, "size": artifact.size, "from": artifact.source,
               "note": " ".join(f"{key}={value}" for key, value in sorted(artifact.properties.items()))}  # fmt: skip
    for resource in dossier.resources:
        yield {"kind": "resource file", "image": resource.name, "digest": f"sha256:{resource.sha256}",
               "note": f"images: {resource.images}"}  # fmt: skip
    for document in dossier.documents:
        counts = " ".join(f"{word}: {count}" for word, count in document.severities)
        yield {"kind": "attached document", "image": document.name, "name": document.kind, "source": document.about,
               "digest": f"sha256:{document.sha256}", "size": document.size, "note": counts}  # fmt: skip
    for name, why in dossier.skipped:
        yield {"kind": "not read for images", "image": name, "note": why}
    if dossier.changes:
        yield from _changes(dossier)
    for line in dossier.notes.splitlines():
        yield {"kind": "release notes", "note": line}


def _scan(scan: ScanFacts) -> Iterator[Row]:
    yield {"kind": "scan", "image": "scan.json", "name": scan.engine, "version": scan.database, "created": scan.date,
           "digest": f"sha256:{scan.sha256}", "size": scan.bytes,
           "note": f"files: {scan.files}, found: {scan.findings}, not scanned: {scan.omissions}"}  # fmt: skip
    for kind, entries in (("finding", scan.found), ("not scanned", scan.not_scanned)):
        for one in entries:
            yield {"kind": kind, "image": ", ".join(one.users), "name": one.file, "digest": one.place,
                   "note": f"{one.reason} {one.what}".strip()}  # fmt: skip


def _image(image: ImageFacts, change: str) -> Row:
    return {
        "kind": "image",
        "image": image.reference,
        "platform": " ".join(platform.platform for platform in image.platforms),
        "digest": image.digest,
        "size": image.total,
        "own": image.own,
        "shared": image.shared,
        "from": image.registry,
        "licence": ", ".join(image.label_values(LICENCES)),
        "source": ", ".join(image.label_values(SOURCE)),
        "signer": ", ".join(dict.fromkeys(one.signer or one.type for one in image.attached("signature"))),
        "attached": ", ".join(dict.fromkeys(f"{one.kind} {one.type}" for one in image.attachments)),
        "used_by": ", ".join(f"{use.file}:{use.line}" for use in image.uses),
        "change": change,
        "note": "" if image.complete else "layers are left out: differential",
    }


def _platform(image: ImageFacts, platform: PlatformFacts) -> Iterator[Row]:
    contents = platform.contents
    common: Row = {"image": image.reference, "platform": platform.platform}
    yield {
        **common,
        "kind": "image of a platform",
        "digest": platform.digest,
        "size": platform.size,
        "created": platform.created,
        "user": platform.user,
        "root": ("root" if platform.is_root else "not root") if platform.is_container else "",
        "entrypoint": " ".join([*platform.entrypoint, *platform.command]),
        "note": contents.unread or ("" if contents.packages_complete else "packages of rpm are not known"),
    }
    for layer in platform.layers:
        size: Row = {"size": layer.size, "shared" if layer.shared else "own": layer.size}
        yield {**common, **size, "kind": "layer", "digest": layer.digest, "note": "" if layer.carried else "left out"}
    for name, text in sorted(platform.labels.items()):
        yield {**common, "kind": "label", "name": name, "note": text}
    for file in contents.privileged:
        yield {**common, "kind": "setuid file", "name": file.path, "note": f"mode {file.mode}"}
    for package in contents.packages:
        yield {**common, "kind": f"{package.kind} package", "name": package.name, "version": package.version,
               "licence": package.licence, "note": package.architecture}  # fmt: skip


def _changes(dossier: Dossier) -> Iterator[Row]:
    assert dossier.changes is not None
    for image in dossier.changes.images:
        if image.status == "removed":
            yield {"kind": "image", "image": image.reference, "digest": image.old, "change": image.status}
    for artifact in dossier.changes.artifacts:
        file = artifact.new or artifact.old
        if file is not None:
            yield {"kind": "artifact", "image": file.file, "name": f"{artifact.format}:{artifact.name}",
                   "version": file.version, "digest": file.digest, "change": artifact.status}  # fmt: skip
