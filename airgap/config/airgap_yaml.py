# SPDX-License-Identifier: Apache-2.0
"""Reads ``airgap.yaml``, the settings of a project.

Scalars are read as strings (``version: 1.10`` stays 1.10). An unknown key is an error that suggests the most similar
known one. Every error has its ``file:line``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airgap import kube, limits
from airgap.config.bounded_yaml import compose
from airgap.durable import missing_file, read_hint
from airgap.errors import AirgapError, UsageError
from airgap.i18n import LANGUAGES, tr
from airgap.oci import Platform, Reference
from airgap.oci.reference import registry_problem
from airgap.records import Record, field
from airgap.registry import RegistrySettings

if TYPE_CHECKING:
    from airgap.artifacts.publish.addresses import ArtifactTarget
    from airgap.artifacts.settings import ArtifactEntry
    from airgap.config.release_yaml import ReleaseSettings
    from airgap.targets import Mapping, TargetAddress
    from airgap.trust.image_rules import ImageRule

FILE = "airgap.yaml"
_KEYS = (
    *("name", "version", "notes", "resources", "images", "platforms", "target", "mapping", "registries", "rules"),
    *("limits", "artifacts", "artifact_targets", "require", "verify_images", "purpose", "language", "release"),
)


class ProjectSettings(Record, frozen=False):
    """The content of ``airgap.yaml``; every key is optional. Relative paths are joined to the folder of the file."""

    name: str | None = None
    version: str | None = None
    notes: str | None = None
    #: Why the bundle is carried in, for its dossier.
    purpose: str | None = None
    resources: list[str] = field(default_factory=list)
    images: list[Reference] = field(default_factory=list)
    platforms: list[Platform] = field(default_factory=list)
    target: str | None = None
    policy: str | None = None
    overrides: dict[str, str] = field(default_factory=dict)
    registries: dict[str, RegistrySettings] = field(default_factory=dict)
    rules: kube.CustomRules = kube.NO_CUSTOM_RULES
    #: What bundles need: ``signature``, ``ca``, ``crl`` and ``approval``, each with the names of files.
    require: dict[str, list[str]] = field(default_factory=dict)
    verify_images: list[ImageRule] = field(default_factory=list)
    artifacts: list[ArtifactEntry] = field(default_factory=list)
    artifact_targets: list[ArtifactTarget] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    release: ReleaseSettings | None = None

    @property
    def bundle_name(self) -> str:
        """The default file name of a bundle, such as ``my-platform-1.10.tar``."""
        return "-".join(part for part in (self.name or "bundle", self.version) if part) + ".tar"


def load_project(path: str | None) -> ProjectSettings:
    """Read ``path``; without one, ``airgap.yaml`` in the working folder if it exists. Its limits hold from now on.

    Raises :class:`UsageError` if the file cannot be read or has a mistake.
    """
    file = Path(path or FILE)
    try:
        with file.open("rb") as opened:
            content = opened.read(limits.value("project-bytes") + 1)
    except FileNotFoundError as error:
        if path is None:
            return ProjectSettings()
        raise missing_file(path) from error
    except OSError as error:
        hint = read_hint(error, file)
        raise UsageError(
            tr("cannot read it: {strerror}", strerror=error.strerror), where=str(file), hint=hint
        ) from error
    root = compose(content, str(file))
    project = ProjectSettings()
    if root is not None and root.tag != "tag:yaml.org,2002:null":
        ProjectReader(str(file), file.parent, project).read(root)
    limits.use_project(project.limits)
    return project


class ProjectReader(Record, frozen=False):
    """Fills ``project`` from the YAML nodes of ``file``. Methods take a node and raise UsageError with its line."""

    file: str
    folder: Path
    project: ProjectSettings

    def read(self, root: Any) -> None:
        """Fill the project from the document's root."""
        project = self.project
        for key, value in self.mapping(root, _KEYS).items():
            if key in ("name", "version"):
                setattr(project, key, self._file_name(value))
            elif key == "target":
                project.target = self.text(value)
                self.parsed(value, _parse_target)
            elif key == "purpose":
                project.purpose = self.text(value)
            elif key == "notes":
                project.notes = str(self.folder / self.text(value))
            elif key == "resources":
                project.resources = [self._path(item) for item in self.items(value)]
            elif key == "images":
                project.images = [self.parsed(item, Reference.parse) for item in self.items(value)]
            elif key == "platforms":
                project.platforms = [self.parsed(item, Platform.parse) for item in self.items(value)]
            elif key == "mapping":
                self._read_mapping(value)
            elif key == "rules":
                self._read_rules(value)
            elif key == "language":
                self._check_language(value)
            elif key == "release":
                from airgap.config.release_yaml import read_release_settings

                project.release = read_release_settings(self, value)
            elif key == "require":
                self._read_require(value)
            elif key == "verify_images":
                from airgap.config.image_rules_yaml import read_image_rules

                project.verify_images = read_image_rules(self, value)
            elif key in ("artifacts", "artifact_targets"):
                self._read_artifacts(key, value)
            elif key == "limits":
                self._read_limits(value)
            else:
                self._read_registries(value)

    def _check_language(self, node: Any) -> None:
        """Check the language, which the command line has read before everything else."""
        language = self.text(node)
        if language not in LANGUAGES:
            raise UsageError(
                tr("there are no messages in {language!r}", language=language),
                where=self.where(node),
                hint=tr("known are {known}", known=", ".join(LANGUAGES)),
            )

    def _read_artifacts(self, key: str, node: Any) -> None:
        # The formats are only read for projects that have artifacts.
        from airgap.config.artifacts_yaml import read_artifact_targets, read_artifacts

        if key == "artifacts":
            self.project.artifacts = read_artifacts(self, node)
        else:
            self.project.artifact_targets = read_artifact_targets(self, node)

    def _read_registries(self, node: Any) -> None:
        for name, value in self.mapping(node, None).items():
            if reason := registry_problem(name):
                raise UsageError(
                    reason,
                    where=self.where(value),
                    hint=tr("registries are called as in references: quay.io, 10.0.0.5:5000"),
                )
            self.project.registries[name] = self._registry(value)

    def _read_mapping(self, node: Any) -> None:
        for key, value in self.mapping(node, ("policy", "overrides")).items():
            if key == "policy":
                self.project.policy = self.text(value)
                self.parsed(value, _check_policy)
                continue
            for pattern, name in self.mapping(value, None).items():
                self.parsed(name, partial(_check_override, pattern))
                self.project.overrides[pattern] = self.text(name)

    def _read_require(self, node: Any) -> None:
        for key, value in self.mapping(node, ("signature", "ca", "crl", "approval")).items():
            files = self.items(value) if value.id == "sequence" else [value]
            self.project.require[key] = [str(self.folder / self.text(file)) for file in files]

    def _read_limits(self, node: Any) -> None:
        for name, value in self.mapping(node, None).items():
            self.project.limits[name] = limits.parse(name, self.text(value), where=self.where(value))

    def _read_rules(self, node: Any) -> None:
        section = self.mapping(node, ("take", "ignore"))
        items = {key: self.items(value) for key, value in section.items()}
        take = [self._take_rule(item) for item in items.get("take", ())]
        ignore_keys = ("image", "why")
        ignore = [kube.IgnoreRule(**self.texts(item, ignore_keys, ignore_keys)) for item in items.get("ignore", ())]
        self.project.rules = kube.CustomRules(tuple(take), tuple(ignore))

    def texts(self, node: Any, known: tuple[str, ...], required: tuple[str, ...]) -> dict[str, str]:
        """A rule as a dict of its texts."""
        values = {key: self.text(value) for key, value in self.mapping(node, known).items()}
        for key in required:
            if key not in values:
                hint = tr("it needs {required}", required=" and ".join(required))
                raise UsageError(tr("this rule lacks {key!r}", key=key), where=self.where(node), hint=hint)
        return values

    def _take_rule(self, node: Any) -> kube.TakeRule:
        values = self.texts(node, ("kind", "name", "path", "why"), ("path", "why"))
        try:
            return kube.TakeRule(**values)
        except UsageError as error:
            raise UsageError(error.what, where=self.where(node), hint=error.hint) from error

    def _registry(self, node: Any) -> RegistrySettings:
        known = ("mirror", "endpoint", "plain_http", "ca_file", "insecure", "timeout", "redirects", "realms")
        values = self.mapping(node, known)
        texts = {key: self.text(values[key]) for key in ("mirror", "endpoint") if key in values}
        ca_file = str(self.folder / self.text(values["ca_file"])) if "ca_file" in values else ""
        return RegistrySettings(
            texts.get("mirror", ""),
            texts.get("endpoint", ""),
            self._flag(values["plain_http"]) if "plain_http" in values else None,
            ca_file,
            self._flag(values["insecure"]) if "insecure" in values else False,
            self._seconds(values["timeout"]) if "timeout" in values else None,
            self._hosts(values["redirects"]) if "redirects" in values else (),
            self._hosts(values["realms"]) if "realms" in values else (),
        )

    def _hosts(self, node: Any) -> tuple[str, ...]:
        for item in self.items(node):
            if reason := registry_problem(self.text(item)):
                raise UsageError(reason, where=self.where(item), hint=tr("write a host, such as auth.corp:8443"))
        return tuple(self.text(item) for item in self.items(node))

    def _seconds(self, node: Any) -> float:
        text = self.text(node)
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0.0
        # The limit of one day also excludes infinity; the comparison excludes not-a-number.
        if not 0 < seconds <= 86400:
            raise UsageError(
                tr("{text!r} is no number of seconds", text=text), where=self.where(node), hint=tr("write it as 120")
            )
        return seconds

    def _file_name(self, node: Any) -> str:
        """A text that can be part of a file name."""
        text = self.text(node)
        if "/" in text or "\0" in text or text.startswith("."):
            raise UsageError(tr("{text!r} cannot be part of a file's name", text=text), where=self.where(node))
        return text

    def _path(self, node: Any) -> str:
        """A path joined to the folder, or an address as it is."""
        text = self.text(node)
        return text if "://" in text else str(self.folder / text)

    def parsed(self, node: Any, parse: Callable[[str], Any]) -> Any:
        """The result of ``parse``, whose errors get the line of ``node``."""
        try:
            return parse(self.text(node))
        except AirgapError as error:
            raise UsageError(error.what, where=self.where(node), hint=error.hint) from error

    def mapping(self, node: Any, known: tuple[str, ...] | None) -> dict[str, Any]:
        """A mapping's values by key; only ``known`` keys are allowed, or any key with ``None``."""
        if not hasattr(node, "value") or node.id != "mapping":
            raise UsageError(tr("a mapping of keys and values belongs here"), where=self.where(node))
        entries: dict[str, Any] = {}
        for key_node, value in node.value:
            key = self.text(key_node)
            if known is not None and key not in known:
                import difflib

                similar = difflib.get_close_matches(key, known, 1)
                hint = (
                    tr("did you mean {similar}?", similar=similar[0])
                    if similar
                    else tr("known are {known}", known=", ".join(known))
                )
                raise UsageError(tr("unknown key {key!r}", key=key), where=self.where(key_node), hint=hint)
            if key in entries:
                raise UsageError(tr("the key {key!r} stands here twice", key=key), where=self.where(key_node))
            entries[key] = value
        return entries

    def items(self, node: Any) -> Sequence[Any]:
        """The items of a list."""
        if node.id != "sequence":
            raise UsageError(tr("a list belongs here"), where=self.where(node))
        return tuple(node.value)

    def text(self, node: Any) -> str:
        """A scalar as it is written, never empty."""
        if node.id != "scalar" or node.value == "":
            raise UsageError(tr("a text belongs here"), where=self.where(node))
        return str(node.value)

    def _flag(self, node: Any) -> bool:
        text = self.text(node).lower()
        if text not in ("true", "false"):
            raise UsageError(tr("true or false belongs here"), where=self.where(node))
        return text == "true"

    def where(self, node: Any) -> str:
        """The node's ``file:line``."""
        return f"{self.file}:{node.start_mark.line + 1}"


# These import airgap.targets only when they are called: most commands do not need it.


def _parse_target(text: str) -> TargetAddress:
    from airgap.targets import TargetAddress

    return TargetAddress.parse(text)


def _check_policy(policy: str) -> Mapping:
    from airgap.targets import Mapping

    return Mapping(_parse_target("nowhere.invalid"), policy)


def _check_override(pattern: str, name: str) -> Mapping:
    from airgap.targets import Mapping

    return Mapping(_parse_target("nowhere.invalid"), overrides={pattern: name})
