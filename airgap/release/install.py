# SPDX-License-Identifier: Apache-2.0
"""``install.md``: the commands for the far side, for each release that a site may have, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from airgap.formatting import counted, escaped, human, quoted
from airgap.i18n import in_language, tr
from airgap.records import Record
from airgap.release.document import ReleaseBundle

#: The file of each language.
INSTALL_FILES = {"en": "install.md", "ko": "install.ko.md"}


class FarSide(Record):
    """What the guide says about the far side.

    ``target`` is the registry, ``policy`` that of the mapping if it is not the default, ``overrides`` whether there are
    any. ``keys`` are the public keys of those who signed, by file name and ID. ``images`` and ``artifacts`` tell
    whether the release has any.
    """

    target: str = ""
    policy: str = ""
    overrides: bool = False
    keys: Sequence[tuple[str, str]] = ()
    images: bool = True
    artifacts: bool = False


def install_guides(name: str, version: str, bundles: Sequence[ReleaseBundle], far: FarSide) -> dict[str, bytes]:
    """Return the guides by file name, in every language."""
    guides = {}
    for language, file in INSTALL_FILES.items():
        with in_language(language):
            guides[file] = "\n".join(_lines(name, version, bundles, far)).encode() + b"\n"
    return guides


def _lines(name: str, version: str, bundles: Sequence[ReleaseBundle], far: FarSide) -> Iterator[str]:
    full, *differentials = bundles
    newest_first = [*differentials, full]
    keys = [word for file, _ in far.keys for word in ("--key", quoted(file))]
    yield f"# {_text(tr('Installing {name} {version}', name=name, version=version))}"
    yield from ("", tr("Run the commands in this folder, on a machine that reaches the registry."))
    yield from _section(tr("What to bring"))
    yield f"| {tr('the site has')} | {tr('bring')} | {tr('size')} |"
    yield "|-|-|-|"
    yield from (f"| {_site(one)} | {_files(one)} | {human(one.size)} |" for one in newest_first)
    yield from ("", tr("Bring all small files of the folder, too."))
    yield from _section(tr("Check"))
    if far.keys:
        signers = ", ".join(f"`{file}` ({key})" for file, key in far.keys)
        yield tr("Signed with {signers}. Get the public keys by another way than this folder.", signers=signers)
        yield ""
    check = ["sha256sum --ignore-missing -c SHA256SUMS"]
    yield from _block([*check, " ".join(("airgap", "verify", ".", *keys))])
    if full.parity:
        yield from _section(tr("Repair"))
        text = tr(
            "If volumes are lost or damaged, bring the parity volumes, such as {file}.", file=f"`{full.parity[0]}`"
        )
        yield from (text, "")
        yield from _block(["airgap repair ."])
    yield from _section(tr("Import"))
    if far.overrides:
        yield from (tr("The airgap.yaml of the project must be in this folder: it names the images."), "")
    if not far.images:
        yield from _block(_each(newest_first, lambda one: _import_command(one.files[0], far, keys)))
        return
    yield from (tr("This asks the registry what it has, and takes the smallest bundle that brings it to {version}.",
                   version=_text(version)), "")  # fmt: skip
    yield from _block([_import_command(".", far, keys)])
    yield from _section(tr("Apply"))
    yield from _block(["kubectl apply -f airgap-out/"])
    if differentials:
        yield from _section(tr("Roll back"))
        text = tr(
            "Import the folder of the release that the site had. Tags move back; nothing is sent that is still there."
        )
        yield from (text, "")
        previous = f"../{name}-{differentials[0].since.version if differentials[0].since else ''}"
        yield from _block([f"{_import_command(previous, far, keys)} --overwrite", "kubectl apply -f airgap-out/"])


def _import_command(file: str, far: FarSide, keys: Sequence[str]) -> str:
    words = ["airgap", "import", quoted(file)]
    words += ["--to", quoted(far.target) if far.target else "HOST:PORT/PREFIX"] if far.images else ["--only-artifacts"]
    words += ["--mapping", far.policy] if far.policy and far.images else []
    words += ["--nexus", "http://NEXUS:8081"] if far.artifacts else []
    return " ".join([*words, *keys])


def _each(bundles: Sequence[ReleaseBundle], command: Callable[[ReleaseBundle], str]) -> list[str]:
    """The command for each bundle, under a comment that says for which sites it is."""
    if len(bundles) == 1:
        return [command(bundles[0])]
    return [line for bundle in bundles for line in (f"# {tr('the site has')}: {_site(bundle)}", command(bundle))]


def _site(bundle: ReleaseBundle) -> str:
    return _text(bundle.since.version) if bundle.since else tr("another release, or none")


def _files(bundle: ReleaseBundle) -> str:
    if len(bundle.files) == 1:
        return f"`{bundle.files[0]}`"
    count = counted(len(bundle.files), "volume")
    return tr("`{first}` … `{last}` ({count})", first=bundle.files[0], last=bundle.files[-1], count=count)


def _section(title: str) -> tuple[str, ...]:
    return ("", f"## {title}", "")


def _block(commands: Sequence[str]) -> tuple[str, ...]:
    return ("```", *commands, "```")


def _text(text: str) -> str:
    return "".join(f"\\{one}" if one in "\\`*_{}[]<>#|!" else one for one in escaped(text))
