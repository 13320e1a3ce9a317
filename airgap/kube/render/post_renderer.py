# SPDX-License-Identifier: Apache-2.0
"""Make a post-renderer for helm: an executable that rewrites the images of a rendering, where no value moves them.

It is a shell script with a zipapp behind it (ADR 0020). The zipapp has the table of references, the modules of this
program that find and replace references, and PyYAML. It needs a Python of version 3.10 or later and nothing else.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from airgap import __version__
from airgap.bundle.zipapp import pack, program_files
from airgap.errors import AirgapError, TargetError
from airgap.i18n import tr
from airgap.oci import Reference

#: The name of the executable in the folder of a plugin, and in the zipapp that of the table.
PROGRAM, TABLE = "rewrite-images", "references.json"
_ENTRY = "airgap.kube.rewrite.rendering"
#: Distributions whose licence and modules are packed: by the name of the module that is imported.
_DISTRIBUTIONS = {"yaml": "pyyaml"}

_HEAD = """\
#!/bin/sh
# A post-renderer for helm, made by airgap {version} for the chart {name}.
# It reads a rendering from standard input and writes it with its image references replaced ({count}). Every
# other byte stays as it is, and so does what has been replaced already. It needs Python 3.10 or later.
# The references: unzip -p FILE {table}
for python in "${{AIRGAP_PYTHON:-python3}}" python3.14 python3.13 python3.12 python3.11 python3.10; do
  if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    exec "$python" "$0" "$@"
  fi
done
echo "$0: this needs Python 3.10 or later, and none is on the PATH; AIRGAP_PYTHON=/PATH/TO/python3 names one" >&2
exit 1
"""

_MAIN = b"""\
# SPDX-License-Identifier: Apache-2.0
import json
import pkgutil
import sys

from airgap.errors import AirgapError
from airgap.events import Warned
from airgap.kube.rewrite.rendering import rewrite_rendering
from airgap.oci import Reference


def warn(event):
    if isinstance(event, Warned):
        sys.stderr.write(f"warning: {event.text}\\n")


table = json.loads(pkgutil.get_data("__main__", "references.json"))
targets = {Reference.parse(source): Reference.parse(target) for source, target in table.items()}
try:
    content = rewrite_rendering(sys.stdin.buffer.read(), targets, emit=warn)
except AirgapError as error:
    sys.stderr.write(f"error: {error}\\n")
    sys.exit(error.exit_code)
sys.stdout.buffer.write(content)
"""


def post_renderer(name: str, targets: Mapping[Reference, Reference]) -> bytes:
    """Return the executable for the chart ``name``; ``targets`` are the images that it moves.

    The same table gives the same bytes. Raises :class:`TargetError` if a target is the source of another image: then a
    second run would move an image again.
    """
    moved = {source: target for source, target in targets.items() if source != target}
    for source, target in moved.items():
        if target in moved:
            raise TargetError(
                tr(
                    "{source} would become {target}, which itself would become {next_target}",
                    source=source,
                    target=target,
                    next_target=moved[target],
                ),
                hint=tr("a post-renderer must not change what it has changed; choose another --mapping"),
            )
    table = {str(source): str(target) for source, target in moved.items()}
    entries = {
        "__main__.py": _MAIN,
        TABLE: (json.dumps(dict(sorted(table.items())), indent=1, ensure_ascii=False) + "\n").encode(),
        **_modules(program_files()),
    }
    head = _HEAD.format(version=__version__, name=name, count=len(table), table=TABLE)
    return pack(entries, head.encode())


def plugin_name(chart_name: str) -> str:
    """Return the name of the plugin of helm 4 for a chart."""
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', chart_name)}-images"


def plugin_manifest(chart_name: str) -> bytes:
    """Return ``plugin.yaml``, with which helm 4 takes the folder of the executable for a post-renderer."""
    return f"""\
apiVersion: v1
type: postrenderer/v1
name: {plugin_name(chart_name)}
version: 1.0.0
runtime: subprocess
runtimeConfig:
  platformCommand:
  - command: ${{HELM_PLUGIN_DIR}}/{PROGRAM}
""".encode()


def _modules(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that the entry module needs: the modules that are imported from it on, and PyYAML."""
    found: dict[str, bytes] = {}
    distributions: set[str] = set()
    pending = [_ENTRY]
    while pending:
        module = pending.pop()
        path = module.replace(".", "/")
        file = next((name for name in (f"{path}.py", f"{path}/__init__.py") if name in files), None)
        if module.partition(".")[0] in _DISTRIBUTIONS:
            distributions.add(module.partition(".")[0])
        if file is None or file in found or not module.startswith("airgap"):
            continue
        found[file] = files[file]
        pending += [".".join(module.split(".")[:depth]) for depth in range(1, module.count(".") + 1)]
        pending += _imports(files[file])
    for top in distributions:
        licences = f"{_DISTRIBUTIONS[top]}-"
        for name, content in files.items():
            folder = PurePosixPath(name).parts[0]
            if folder == top or (folder.lower().startswith(licences) and folder.endswith(".dist-info")):
                found[name] = content
        if not any(PurePosixPath(name).parts[0] == top for name in found):
            raise AirgapError(tr("the files of {name} are not found", name=top), hint=tr("install airgap with pip"))
    return found


def _imports(source: bytes) -> Iterator[str]:
    """The modules that a source imports, at any depth, except for type checkers alone."""
    pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            pending += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        pending += ast.iter_child_nodes(node)
