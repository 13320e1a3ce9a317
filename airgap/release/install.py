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
#: How a release is compared with its checksums; not all of its files may be there.
_SUMS = ("sha256sum", "--ignore-missing", "-c", "SHA256SUMS)")


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
    folder = f"{name}-{version}/"
    keys = [word for file, _ in far.keys for word in ("--key", quoted(file))]
    yield f"# {_text(tr('Installing {name} {version}', name=name, version=version))}"
    text = tr(
        "Run the commands in the folder above {folder}, on a machine that reaches the registry.", folder=f"`{folder}`"
    )
    yield from ("", text)
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
    check = " ".join(("airgap", "verify", quoted(folder), *keys))
    yield from _block([" ".join(("(cd", quoted(folder), "&&", *_SUMS)), check])
    if full.parity:
        yield from _section(tr("Repair"))
        file = f"`{full.parity[0]}`"
        yield tr("If volumes are lost or damaged, bring the parity volumes, such as {file}.", file=file)
        yield ""
        yield from _block([f"airgap repair {quoted(folder)}"])
    yield from _section(tr("Import"))
    if far.overrides:
        yield from (tr("The airgap.yaml of the project must be in the working folder: it names the images."), "")
    by_hand = _each(newest_first, lambda one: _import_command(folder + one.files[0], far, keys))
    if not far.images:
        yield from _block(by_hand)
        return
    yield from _block([_import_command(folder, far, keys)])
    if differentials:
        yield from ("", tr("It finds out what the site has, and takes the smallest bundle that serves. By hand:"), "")
        yield from _block(by_hand)
    yield from _section(tr("Apply"))
    yield from _block(["kubectl apply -f airgap-out/"])
    if previous := next((one.since for one in differentials if one.since), None):
        yield from _section(tr("Roll back"))
        yield tr("Import the folder of the release that the site had. Nothing is sent that the registry still has.")
        yield ""
        older = _import_command(f"{name}-{previous.version}/", far, keys)
        yield from _block([f"{older} --overwrite", "kubectl apply -f airgap-out/"])


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
