# SPDX-License-Identifier: Apache-2.0
"""What an export writes: what was planned, or with ``--recode`` the same with its gzip layers recoded.

Without ``--recode`` nothing of that is imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airgap.bundle import Base, OutputFormat
from airgap.errors import AirgapError, Interrupted, UsageError
from airgap.flows.steps.export_request import ExportRequest
from airgap.flows.steps.make_bundle import LaidOutContent
from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.registry import Registries
from airgap.transfer import Context

#: What the name of a bundle with recoded layers ends in, before what compresses or seals it.
_SUFFIX = ".recoded.tar"


def recoded_name(name: str) -> str:
    """Return what the recoded bundle is called instead of ``name``."""
    stem, tar, rest = name.rpartition(".tar")
    return f"{stem}{_SUFFIX}{rest}" if tar else f"{name}{_SUFFIX}"


def check_recoding(form: OutputFormat, *, recode: bool, dossier: bool) -> None:
    """Raise :class:`UsageError` unless exactly the recoded bundles are called so, and for what cannot be recoded."""
    if recode and dossier:
        raise UsageError(
            tr("a dossier is made of the layers as they are"),
            hint=tr("leave --dossier out; then airgap expand {bundle} -o PLAIN and airgap dossier PLAIN",
                    bundle=quoted(form.path)),
        )  # fmt: skip
    if recode and form.folder:
        raise UsageError(tr("a recoded bundle is one file or volumes"), hint=tr("leave --layout or --recode out"))
    if recode and form.streamed:
        raise UsageError(
            tr("--recode needs a file: it is laid out when all layers are recoded"), hint=tr("name one: -o {name}",
            name=f"bundle{_SUFFIX}"),
        )  # fmt: skip
    if recode == (_SUFFIX in form.path.name):
        return
    if recode:
        raise UsageError(
            tr("a recoded bundle is called {suffix}", suffix=_SUFFIX), where=str(form.path),
            hint=tr("name it so: -o {path}", path=quoted(form.path.with_name(recoded_name(form.path.name)))),
        )  # fmt: skip
    raise UsageError(
        tr("this name is for a recoded bundle"), where=str(form.path),
        hint=tr("add --recode, or choose another name with -o"),
    )  # fmt: skip


@contextmanager
def recoding_folder(request: ExportRequest) -> Iterator[Path | None]:
    """Give the folder in which layers are recoded, ``None`` if they are not."""
    if not request.recode or request.dry_run:
        yield None
        return
    from airgap.bundle.recoding.spool import spool_folder

    with spool_folder(request.form.run_path, restart=request.restart) as folder:
        yield folder


def with_recoded_layers(
    content: LaidOutContent, request: ExportRequest, folder: Path | None, base: Base | None, registries: Registries,
    context: Context,
) -> LaidOutContent:  # fmt: skip
    """Recode the layers of ``content`` in ``folder``; of a dry run only estimate what that would save."""
    if not request.recode:
        return content
    if folder is None:
        from airgap.flows.steps.recode_estimate import estimate

        for line in estimate(content, base, registries, context):
            context.note(line)
        return content
    from airgap.flows.steps.recode_layers import recode_layers

    kept = tr("the layers that are recoded are kept in {folder}", folder=folder)
    try:
        return recode_layers(content, folder, base, registries, context)
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted(tr("stopped; {kept}", kept=kept), again=True) from None
    except AirgapError as error:
        if any(folder.iterdir()):
            context.note(kept)
            error.again = True
        raise
