# SPDX-License-Identifier: Apache-2.0
"""Small Debian repositories out of packages that dpkg-deb has built, and apt-get with a root of its own."""

from __future__ import annotations

import functools
import gzip
import hashlib
import lzma
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from tests.parts.need import need
from tests.parts.service import clean_environment

#: Content by path.
Files = dict[str, bytes]
Sign = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Deb:
    """A package: its control file, and the bytes of the ``.deb``."""

    control: str
    data: bytes

    def field(self, name: str) -> str:
        match = re.search(rf"^{name}: (.*)$", self.control, re.MULTILINE)
        return match[1] if match else ""

    @property
    def file(self) -> str:
        return f"{self.field('Package')}_{self.field('Version').rpartition(':')[2]}_{self.field('Architecture')}.deb"

    @property
    def pool(self) -> str:
        """Where a mirror has it: by its source, which is named otherwise here."""
        return f"pool/main/s/source/{self.file}"

    @property
    def entry(self) -> str:
        """Its paragraph in an index."""
        digest = hashlib.sha256(self.data).hexdigest()
        return f"{self.control}Filename: {self.pool}\nSize: {len(self.data)}\nSHA256: {digest}\n"


@functools.cache
def deb(name: str, version: str, *, architecture: str = "amd64", text: str = "", compression: str = "xz",
        **fields: str) -> Deb:  # fmt: skip
    """A package with one file, ``/usr/share/NAME``. ``fields`` are others of its control file, such as ``Depends``."""
    control = (
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: Demo <demo@example.com>\n"
    )
    control += "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in fields.items())
    control += "Description: a demo\n with a second line\n .\n and a third\n"
    with tempfile.TemporaryDirectory() as folder:
        tree, out = Path(folder, "tree"), Path(folder, "out.deb")
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(control)
        (tree / "usr/share").mkdir(parents=True)
        (tree / "usr/share" / name).write_text(f"{name} {version} {text}\n")
        command = [need("dpkg-deb"), f"-Z{compression}", "--root-owner-group", "--build", str(tree), str(out)]
        environment = clean_environment(Path(folder), SOURCE_DATE_EPOCH="1700000000")
        subprocess.run(command, check=True, capture_output=True, env=environment)
        return Deb(control, out.read_bytes())


def repository(
    debs: Iterable[Deb], *, suite: str = "demo", components: Sequence[str] = ("main",), by_hash: bool = False,
    sign: Sign | None = None, **release: str,
) -> Files:  # fmt: skip
    """A mirror with the packages in its first component. ``sign`` makes an InRelease of a Release."""
    debs = list(debs)
    files = {one.pool: one.data for one in debs}
    indexes: Files = {}
    for architecture in sorted({one.field("Architecture") for one in debs} - {"all"} or {"amd64"}):
        own = [one for one in debs if one.field("Architecture") in (architecture, "all")]
        content = "\n".join(one.entry for one in own).encode()
        for component in components:
            path = f"{component}/binary-{architecture}/Packages"
            indexes[f"{path}.xz"] = lzma.compress(content if component == components[0] else b"")
    architectures = sorted({path.split("/")[-2].removeprefix("binary-") for path in indexes})
    fields = {"Suite": suite, "Codename": suite, "Date": formatdate(usegmt=True), "Components": " ".join(components)}
    fields |= {
        "Architectures": " ".join(architectures),
        **{key.replace("_", "-"): text for key, text in release.items()},
    }
    if by_hash:
        fields["Acquire-By-Hash"] = "yes"
    text = "".join(f"{name}: {value}\n" for name, value in fields.items()) + "SHA256:\n"
    for path, content in indexes.items():
        # apt wants the unpacked index listed too, which mirrors do not have.
        plain = lzma.decompress(content)
        text += f" {hashlib.sha256(plain).hexdigest()} {len(plain)} {path.removesuffix('.xz')}\n"
        digest = hashlib.sha256(content).hexdigest()
        text += f" {digest} {len(content)} {path}\n"
        place = f"{path.rpartition('/')[0]}/by-hash/SHA256/{digest}" if by_hash else path
        files[f"dists/{suite}/{place}"] = content
    if sign is None:
        files[f"dists/{suite}/Release"] = text.encode()
    else:
        files[f"dists/{suite}/InRelease"] = sign(text.encode())
    return files


@dataclass(frozen=True)
class Key:
    """A key pair of gpg: ``public`` is the file that verifies what ``sign`` makes."""

    home: Path
    public: Path

    def sign(self, content: bytes) -> bytes:
        done = subprocess.run(
            [*_gpg(self.home), "--clearsign"], input=content, capture_output=True, check=True
        )  # fmt: skip
        return done.stdout


def make_key(folder: Path, *, armour: bool = False) -> Key:
    """A key without a password. Its agent ends with :func:`end_agent`."""
    home = folder / "gnupg"
    home.mkdir(mode=0o700, parents=True)
    need("gpg")
    subprocess.run([*_gpg(home), "--quick-gen-key", "Demo <demo@example.com>", "ed25519", "sign", "never"],
                   check=True, capture_output=True)  # fmt: skip
    public = folder / ("demo.asc" if armour else "demo.gpg")
    words = ["--armor"] if armour else []
    done = subprocess.run([*_gpg(home), *words, "--export"], check=True, capture_output=True)
    public.write_bytes(done.stdout)
    return Key(home, public)


def end_agent(key: Key) -> None:
    subprocess.run(["gpgconf", "--homedir", str(key.home), "--kill", "all"], check=False, capture_output=True)


def _gpg(home: Path) -> list[str]:
    return [need("gpg"), "--homedir", str(home), "--batch", "--quiet", "--no-tty", "--passphrase", ""]


def unpacked(content: bytes) -> str:
    return gzip.decompress(content).decode()


_SETTINGS = """\
Dir "{folder}/";
Dir::State "state";
Dir::State::status "{folder}/dpkg/status";
Dir::Cache "cache";
Dir::Log "log";
Dir::Etc "etc";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::http::Proxy "DIRECT";
Acquire::Retries "0";
"""


class AptRoot:
    """A system with no package, whose only sources are those in ``sources``; programs run behind ``prefix``."""

    def __init__(self, folder: Path, sources: str, *, prefix: Sequence[str] = (), auth: str = "") -> None:
        self.folder = folder
        self._prefix = list(prefix)
        for name in ("state/lists/partial", "cache/archives/partial", "log", "dpkg/updates", "dpkg/info",
                     "etc/sources.list.d", "etc/apt.conf.d", "etc/preferences.d", "etc/auth.conf.d",
                     "etc/trusted.gpg.d"):  # fmt: skip
            (folder / name).mkdir(parents=True)
        (folder / "dpkg/status").touch()
        (folder / "etc/sources.list.d/demo.sources").write_text(sources)
        (folder / "etc/auth.conf.d/demo.conf").write_text(auth)
        (folder / "apt.conf").write_text(_SETTINGS.format(folder=folder))

    def apt_get(self, *words: str, code: int = 0) -> str:
        environment = clean_environment(self.folder, APT_CONFIG=str(self.folder / "apt.conf"), LC_ALL="C")
        done = subprocess.run(
            [*self._prefix, "env", "-C", str(self.folder), need("apt-get"), "--quiet", *words],
            capture_output=True, text=True, check=False, env=environment, cwd=self.folder, timeout=120,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def install(self, *packages: str) -> dict[str, str]:
        """Update, download, and let dpkg unpack everything; the versions of what dpkg then has."""
        self.apt_get("update")
        self.apt_get("--yes", "--download-only", "--no-install-recommends", "install", *packages)
        archives = sorted(str(path) for path in (self.folder / "cache/archives").glob("*.deb"))
        root = self.folder / "root"
        root.mkdir()
        words = [f"--admindir={self.folder}/dpkg", f"--instdir={root}", "--force-not-root", "--force-architecture"]
        environment = clean_environment(self.folder, DEBIAN_FRONTEND="noninteractive")
        done = subprocess.run(
            [need("dpkg"), *words, "--unpack", *archives], capture_output=True, text=True, check=False, env=environment
        )
        assert done.returncode == 0, done.stdout + done.stderr
        status = (self.folder / "dpkg/status").read_text()
        found = dict(re.findall(r"^Package: (\S+)\n(?:.*\n)*?Version: (\S+)$", status, re.MULTILINE))
        assert all((root / "usr/share" / name).exists() for name in found)
        return found


def source(url: str, *, suite: str = "demo", **more: str) -> str:
    """A deb822 source; trusted, unless ``more`` says otherwise."""
    fields = {"Types": "deb", "URIs": url, "Suites": suite, "Components": "main", **(more or {"Trusted": "yes"})}
    return "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in fields.items())
