# SPDX-License-Identifier: Apache-2.0
"""A private certificate authority, and server certificates of every kind that goes right or wrong.

Made by the ``openssl`` command, in the form that Python 3.13's strict checks ask for (key usage, key identifiers).
"""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.parts.need import need

_CONFIGURATION = """\
[ca]
default_ca = ours
[ours]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
default_crl_days = 30
policy = policy
string_mask = utf8only
unique_subject = no
copy_extensions = copy
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
[policy]
commonName = supplied
[req]
distinguished_name = nothing
prompt = no
[nothing]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[signer]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = codeSigning
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[alone]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
subjectKeyIdentifier = hash
"""
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
LOCAL = ("IP:127.0.0.1", "DNS:localhost")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both PEM files."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """For a server of the tests' own."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Authority:
    """A certificate authority in ``folder``: ``ca`` is the file that clients are to trust.

    Each certificate is issued once; who asks for another like it is given the same files, to be read only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._issued: dict[tuple[str, ...], Pair] = {}
        self._openssl = need("openssl")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.txt").touch()
        self._configuration = folder / "openssl.cnf"
        self._configuration.write_text(_CONFIGURATION.format(folder=folder))
        self.ca = folder / "ca.pem"
        self._run(
            *("req", "-x509", *_NEW_KEY, "-subj", "/CN=A private authority", "-days", "30"),
            *("-extensions", "authority", "-keyout", str(folder / "ca.key"), "-out", str(self.ca)),
        )

    def good(self, *names: str) -> Pair:
        """Valid for ``names`` (``DNS:…``, ``IP:…``), which are loopback's by default."""
        return self._issue("good", names or LOCAL)

    def expired(self) -> Pair:
        """For the right host, and over since 2021."""
        return self._issue("expired", LOCAL, "-startdate", "20200101000000Z", "-enddate", "20210101000000Z")

    def not_yet(self) -> Pair:
        """For the right host, and valid from 2099 on: what a clock set wrong looks like."""
        return self._issue("not-yet", LOCAL, "-startdate", "20990101000000Z", "-enddate", "20991231000000Z")

    def wrong_host(self) -> Pair:
        """Valid, for ``elsewhere.example`` alone."""
        return self._issue("wrong-host", ("DNS:elsewhere.example",))

    def common_name_only(self) -> Pair:
        """``CN=localhost`` and no subjectAltName: what old guides make, and what no client takes any more."""
        return self._issue("common-name", (), subject="localhost")

    def no_ip(self) -> Pair:
        """``CN=127.0.0.1`` and a subjectAltName of ``DNS:localhost`` alone: no good for who goes by the address."""
        return self._issue("no-ip", ("DNS:localhost",), subject="127.0.0.1")

    def self_signed(self) -> Pair:
        """For the right host, signed by nobody but itself."""
        pair = self._pair("self-signed")
        self._run(
            *("req", "-x509", *_NEW_KEY, "-subj", "/CN=localhost", "-days", "30", "-extensions", "alone"),
            *("-addext", f"subjectAltName={','.join(LOCAL)}"),
            *("-keyout", str(pair.key), "-out", str(pair.certificate)),
        )
        return pair

    def through_intermediate(self, *, complete: bool) -> Pair:
        """For the right host, issued by an intermediate authority, whose certificate the server sends only if
        ``complete``."""
        middle, pair = self._pair("middle"), self._pair("below")
        for made, subject, section, above in (
            (middle, "An intermediate authority", "authority", Pair(self.ca, self._folder / "ca.key")),
            (pair, "localhost", "server", middle),
        ):
            request = self._folder / "request.csr"
            self._run(
                "req", "-new", *_NEW_KEY, "-subj", f"/CN={subject}", "-keyout", str(made.key), "-out", str(request)
            )
            section_file = self._folder / f"{section}.ext"
            lines = _CONFIGURATION.format(folder=self._folder).partition(f"[{section}]\n")[2].partition("[")[0]
            names = f"subjectAltName = {','.join(LOCAL)}\n" if section == "server" else ""
            section_file.write_text(lines + names)
            self._sign(request, made.certificate, above, section_file)
        if complete:
            with pair.certificate.open("a") as chain:
                chain.write(middle.certificate.read_text())
        return pair

    def signer(self, name: str = "A maker", *, expired: bool = False) -> Pair:
        """For signing code, and no server's."""
        dates = ("-startdate", "20200101000000Z", "-enddate", "20210101000000Z") if expired else ()
        return self._issue("signer", (), *dates, subject=name, extensions="signer")

    def revocations(self, *revoked: Pair) -> Path:
        """A revocation list with these certificates in it."""
        path = self._folder / f"revoked{len(revoked)}.crl"
        for pair in revoked:
            self._run("ca", "-revoke", str(pair.certificate))
        self._run("ca", "-gencrl", "-out", str(path))
        return path

    def _sign(self, request: Path, certificate: Path, above: Pair, extensions: Path) -> None:
        command = [self._openssl, "x509", "-req", "-in", str(request), "-out", str(certificate), "-days", "30"]
        command += ["-CA", str(above.certificate), "-CAkey", str(above.key), "-CAcreateserial"]
        run = subprocess.run([*command, "-extfile", str(extensions)], capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"{' '.join(command)}:\n{run.stderr}")

    def _issue(
        self, name: str, names: tuple[str, ...], *dates: str, subject: str = "", extensions: str = "server"
    ) -> Pair:
        key = (name, *names, *dates, subject, extensions)
        if key not in self._issued:
            self._issued[key] = self._made(name, names, *dates, subject=subject, extensions=extensions)
        return self._issued[key]

    def _made(self, name: str, names: tuple[str, ...], *dates: str, subject: str, extensions: str) -> Pair:
        pair, request = self._pair(name), self._folder / f"{name}.csr"
        subject = subject or names[0].partition(":")[2]
        alternatives = ("-addext", f"subjectAltName={','.join(names)}") if names else ()
        self._run(
            *("req", "-new", "-utf8", *_NEW_KEY, "-subj", f"/CN={subject}", *alternatives),
            *("-keyout", str(pair.key), "-out", str(request)),
        )
        self._run(
            *("ca", "-batch", "-notext", "-extensions", extensions, *(dates or ("-days", "30"))),
            *("-in", str(request), "-out", str(pair.certificate)),
        )
        return pair

    def _pair(self, name: str) -> Pair:
        count = len(list(self._folder.glob(f"{name}*.key")))
        return Pair(self._folder / f"{name}{count}.crt", self._folder / f"{name}{count}.key")

    def _run(self, command: str, *arguments: str) -> None:
        whole = [self._openssl, command, "-config", str(self._configuration), *arguments]
        run = subprocess.run(whole, capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"{' '.join(whole)}:\n{run.stderr}")
