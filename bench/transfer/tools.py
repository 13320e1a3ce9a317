# SPDX-License-Identifier: Apache-2.0
"""The command lines that are compared: for each tool one shell script that exports and one that imports.

A bundle lies in the folder ``bundle`` below the working folder, where scripts run; what else they put there is
temporary. Every tool reads the same references and writes the same ones, and gets no credential, no configuration
and no cache of the user. Refuses nothing: a tool that fails is reported as failed.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.transfer.registries import Side
from bench.transfer.workloads import Workload

ALL = ("w1", "w2", "w3")


@dataclass(frozen=True)
class Job:
    """One workload to carry from ``source`` to ``target``."""

    workload: Workload
    source: Side
    target: Side
    airgap: Path

    @property
    def tls(self) -> bool:
        return self.source.ca is not None

    @property
    def repositories(self) -> list[str]:
        return [image.repository for image in self.workload.images]

    def each(self, command: str, *, processes: int = 1) -> str:
        """``command`` for every repository as ``$r``, ``$f`` its name as a file's."""
        names = " ".join(self.repositories)
        if processes == 1:
            return f"for r in {names}; do f=$(echo $r | tr / _); {command} || exit; done\n"
        inner = shlex.quote(f"r=@@; f=$(echo $r | tr / _); {command}")
        return f"printf '%s\\n' {names} | xargs -P {processes} -I @@ sh -ec {inner}\n"


@dataclass(frozen=True)
class Tool:
    """``keeps`` is false where a tool is known to make other digests: its figures are shown and count as nobody's."""

    name: str
    program: str
    what: str
    export: Callable[[Job], str]
    import_: Callable[[Job], str]
    workloads: tuple[str, ...] = ALL
    keeps: bool = True
    plain_only: bool = False


def inputs(job: Job, folder: Path) -> None:
    """What airgap and skopeo sync read: YAML that names the images, and how the source is reached."""
    folder.mkdir(parents=True, exist_ok=True)
    pods = (
        f"kind: Pod\nspec: {{containers: [{{image: '{job.source.address}/{name}:v1'}}]}}\n" for name in job.repositories
    )
    (folder / "all.yaml").write_text("---\n".join(pods))
    scheme = "https" if job.tls else "http"
    settings = f'registries: {{"{job.source.address}": {{endpoint: "{scheme}://{job.source.address}"}}}}\n'
    (folder / "airgap.yaml").write_text(settings)
    images = "".join(f"    {name}: [v1]\n" for name in job.repositories)
    verify = "true" if job.tls else "false"
    (folder / "sync.yaml").write_text(f"{job.source.address}:\n  tls-verify: {verify}\n  images:\n{images}")


def airgap_script(job: Job, export: bool, progress: str = "none") -> str:
    """airgap's own command, telling what it does as ``--progress`` has it."""
    scheme, trusted = ("https", f" --ca-file {shlex.quote(str(job.source.ca))}") if job.tls else ("http", "")
    to = f"import bundle/bundle.tar --to {scheme}://{job.target.address}/{job.workload.name}"
    rest = "export all.yaml -o bundle/bundle.tar" if export else to
    return f"{shlex.quote(str(job.airgap))} {rest} --force --progress={progress}{trusted}\n"


def _airgap_export(job: Job) -> str:
    return airgap_script(job, export=True)


def _airgap_import(job: Job) -> str:
    return airgap_script(job, export=False)


_SKOPEO = "skopeo --tmpdir $TMPDIR"


def _skopeo(job: Job, source: str, target: str, *, processes: int = 1) -> str:
    side = "src" if source.startswith("docker:") else "dest"
    plain = "" if job.tls else f" --{side}-tls-verify=false"
    return job.each(f"{_SKOPEO} copy -q --all{plain} {source} {target}", processes=processes)


def _archives(processes: int) -> tuple[Callable[[Job], str], Callable[[Job], str]]:
    archive = "oci-archive:bundle/$f.tar:v1"
    return (
        lambda job: _skopeo(job, f"docker://{job.source.address}/$r:v1", archive, processes=processes),
        lambda job: _skopeo(job, archive, f"docker://{job.target.address}/$r:v1", processes=processes),
    )


_PACK = "(cd layout && tar -cf ../bundle/bundle.tar *) && rm -rf layout\n"  # oras finds no ./oci-layout in a tar
_UNPACK = "mkdir layout && tar -C layout -xf bundle/bundle.tar\n"


def _layout_export(job: Job) -> str:
    return _skopeo(job, f"docker://{job.source.address}/$r:v1", "oci:layout:$f") + _PACK


def _layout_import(job: Job) -> str:
    push = _skopeo(job, "oci:layout:$f", f"docker://{job.target.address}/$r:v1")
    return _UNPACK + push + "rm -rf layout\n"


def _sync_export(job: Job) -> str:
    return f"{_SKOPEO} sync --all --scoped --src yaml --dest dir sync.yaml bundle >/dev/null\n"


def _sync_import(job: Job) -> str:
    plain = "" if job.tls else " --dest-tls-verify=false"
    where = f"bundle/{job.source.address}/{job.workload.name} {job.target.address}/{job.workload.name}"
    return f"{_SKOPEO} sync --all{plain} --src dir --dest docker {where} >/dev/null\n"


def _oras_export(job: Job) -> str:
    plain = "" if job.tls else " --from-plain-http"
    return job.each(f"oras cp --no-tty{plain} {job.source.address}/$r:v1 --to-oci-layout layout:$f >/dev/null") + _PACK


def _oras_import(job: Job) -> str:
    plain = "" if job.tls else " --to-plain-http"
    to = f"{plain} {job.target.address}/$r:v1"
    return job.each(f"oras cp --no-tty --from-oci-layout bundle/bundle.tar:$f{to} >/dev/null")


def _crane_export(job: Job) -> str:
    plain = "" if job.tls else " --insecure"
    return job.each(f"crane pull{plain} --format=oci {job.source.address}/$r:v1 layout/$f") + _PACK


def _crane_import(job: Job) -> str:
    plain = "" if job.tls else " --insecure"
    return _UNPACK + job.each(f"crane push{plain} layout/$f {job.target.address}/$r:v1 >/dev/null") + "rm -rf layout\n"


def _regctl(side: Side) -> str:
    return f"regctl --host reg={side.address},tls={'disabled' if side.ca is None else 'enabled'} image"


def _regctl_export(job: Job) -> str:
    return job.each(f"{_regctl(job.source)} export {job.source.address}/$r:v1 bundle/$f.tar >/dev/null")


def _regctl_import(job: Job) -> str:
    return job.each(f"{_regctl(job.target)} import {job.target.address}/$r:v1 bundle/$f.tar >/dev/null")


_PODMAN = "podman --root pod --runroot podrun"


def _podman_export(job: Job) -> str:
    names = " ".join(f"{job.source.address}/{name}:v1" for name in job.repositories)
    pull = f"{_PODMAN} pull -q --tls-verify=false {names} >/dev/null\n"
    return pull + f"{_PODMAN} save -q -m -o bundle/bundle.tar {names}\n"


def _podman_import(job: Job) -> str:
    push = f"{_PODMAN} push -q --tls-verify=false {job.source.address}/$r:v1 {job.target.address}/$r:v1"
    return f"{_PODMAN} load -q -i bundle/bundle.tar >/dev/null\n" + job.each(push)


TOOLS = (
    Tool("airgap", "airgap", "export and import, one bundle", _airgap_export, _airgap_import),
    Tool("skopeo", "skopeo", "copy to an archive an image", *_archives(1)),
    Tool("skopeo-2", "skopeo", "the same, two at a time by xargs", *_archives(2)),
    Tool("skopeo-oci", "skopeo", "copy to one OCI layout, then tar", _layout_export, _layout_import),
    Tool("skopeo-sync", "skopeo", "sync to folders; no single file", _sync_export, _sync_import),
    Tool("oras", "oras", "cp to one OCI layout, then tar; imports from the tar", _oras_export, _oras_import),
    Tool("crane", "crane", "pull to a layout an image, then tar", _crane_export, _crane_import),
    Tool("regctl", "regctl", "image export, an archive an image", _regctl_export, _regctl_import),
    Tool(
        *("podman", "podman", "save -m and load; one platform, other digests", _podman_export, _podman_import),
        workloads=("w1",),
        keeps=False,
        plain_only=True,
    ),
)
SCRATCH = ("layout", "pod", "podrun", "airgap-out")


def own_airgap() -> Path | None:
    """airgap as installed beside this interpreter, or else on PATH."""
    beside = Path(sys.executable).with_name("airgap")
    found = str(beside) if beside.exists() else shutil.which("airgap")
    return Path(found) if found else None


def found(airgap: Path | None, names: tuple[str, ...]) -> list[Tool]:
    """The tools of ``names`` (all of them where it is empty) that this machine has."""
    wanted = [tool for tool in TOOLS if not names or tool.name in names]
    return [tool for tool in wanted if (airgap is not None if tool.name == "airgap" else shutil.which(tool.program))]
