# SPDX-License-Identifier: Apache-2.0
"""Checks a server's certificate: its dates, its names and its issuer, with the command that creates a correct one.

Python's own verification decides whether it is good. The certificate's fields explain why not, and which of several
problems comes first.
"""

from __future__ import annotations

import ipaddress
import ssl
import time

from airgap.formatting import quoted
from airgap.i18n import tr
from airgap.records import replace
from airgap.registry.http.certificate_errors import decode_certificate
from airgap.registry.http.connect import Trust
from airgap.targets.doctor import tls_probe
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding

#: X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT of OpenSSL's verification.
_SELF_SIGNED = 18
#: Besides that: a self-signed certificate in the chain, an issuer that is not known, and a chain without its issuer.
_UNKNOWN_ISSUER = (19, 20, 21)
#: OpenSSL's reasons where the server has no version of TLS that is still allowed.
_OLD_VERSION = (
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "UNSUPPORTED_PROTOCOL",
    "WRONG_SSL_VERSION",
    "VERSION_TOO_LOW",
    "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED",  # OpenSSL 3.0's word for a server of TLS 1.1
)


def check_certificate(probe: Probe) -> list[Finding]:
    """Check an https address. With ``--insecure``, a bad certificate is a warning.

    The problem is the first of: expired or not yet valid, not for this name, not trusted.
    """
    if probe.scheme != "https":
        return []
    trust = probe.client.trust
    error = _verify(probe, replace(trust, insecure=False))
    certificate = _certificate_of(probe)
    if error is None:
        return [
            Finding(
                "ok",
                tr("the certificate is good for {host} ({names_in})", host=probe.host, names_in=_names_in(certificate)),
            )
        ]
    problem = _explain(probe, error, certificate)
    if trust.insecure:
        what = tr("{what}; --insecure trusts it all the same, and so must every node", what=problem.what)
        return [replace(problem, level="warning", what=what)]
    return [problem]


def _verify(probe: Probe, trust: Trust) -> OSError | None:
    try:
        tls_probe.shake_hands(probe, trust)
    except OSError as error:  # SSLError is an OSError
        return error
    return None


def _certificate_of(probe: Probe) -> dict[str, object]:
    """The certificate's fields, as :meth:`ssl.SSLSocket.getpeercert` names them; empty if it cannot be read."""
    pem = tls_probe.certificate_of(probe)
    try:
        return dict(decode_certificate(pem)) if pem else {}
    except (OSError, ValueError):
        return {}


def _explain(probe: Probe, error: Exception, certificate: dict[str, object]) -> Finding:
    netloc = probe.netloc
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = tls_probe.reason_of(error) if isinstance(error, ssl.SSLError) else ""
        return _explain_handshake(netloc, reason or str(error))
    renew = (
        f'openssl req -x509 -newkey rsa:2048 -nodes -days 825 -keyout tls.key -out tls.crt -subj "/CN={probe.host}" '
        f'-addext "subjectAltName={probe.subject_alt_name}"'
    )
    if "notAfter" in certificate and ssl.cert_time_to_seconds(str(certificate["notAfter"])) < time.time():
        return Finding(
            "problem",
            tr(
                "the certificate of {netloc} is over since {certificate}",
                netloc=netloc,
                certificate=_date(certificate["notAfter"]),
            ),
            tr("have it renewed (and check this machine's clock); self-signed, with the right name:"),
            run=(renew,),
        )
    if "notBefore" in certificate and ssl.cert_time_to_seconds(str(certificate["notBefore"])) > time.time():
        return Finding(
            "problem",
            tr(
                "the certificate of {netloc} begins only at {certificate}",
                netloc=netloc,
                certificate=_date(certificate["notBefore"]),
            ),
            tr("set the clock of this machine or of the one that made it right"),
            run=("timedatectl",),
        )
    if not _covers(certificate, probe.host):
        reason = (
            tr("has no SANs at all; a CN alone is no longer read (x509: certificate relies on legacy Common Name)")
            if not certificate.get("subjectAltName")
            else tr("is for {names_in}", names_in=_names_in(certificate))
        )
        return Finding(
            "problem",
            tr(
                "the certificate of {netloc} {reason}, not for {subject_alt_name}",
                netloc=netloc,
                reason=reason,
                subject_alt_name=probe.subject_alt_name,
            ),
            tr(
                "use a name that it holds, or have one made with this name in its SANs (an address needs IP:, "
                "not DNS:):"
            ),
            run=(renew,),
        )
    return _explain_trust(probe, error, certificate)


def _explain_handshake(netloc: str, reason: str) -> Finding:
    """Explain a handshake that failed for another reason than the certificate."""
    if reason in _OLD_VERSION:
        return Finding(
            "problem",
            tr(
                "{netloc} speaks an older TLS, no TLS 1.2 ({reason}): neither airgap nor a node connects to it",
                netloc=netloc,
                reason=reason,
            ),
            tr("have TLSv1.2 and TLSv1.3 switched on at the server; nginx: ssl_protocols TLSv1.2 TLSv1.3;"),
        )
    if "HANDSHAKE_FAILURE" in reason or "CERTIFICATE_REQUIRED" in reason:
        return Finding(
            "problem",
            tr(
                "{netloc} ends the TLS handshake ({reason}): it wants a client certificate, or has no cipher in common",
                netloc=netloc,
                reason=reason,
            ),
            tr("airgap sends no client certificate: use an address of the registry that asks for none"),
        )
    return Finding("problem", tr("TLS with {netloc} fails ({reason})", netloc=netloc, reason=reason))


def _explain_trust(probe: Probe, error: ssl.SSLCertVerificationError, certificate: dict[str, object]) -> Finding:
    netloc = probe.netloc
    is_self_signed = error.verify_code == _SELF_SIGNED or certificate.get("issuer") == certificate.get("subject")
    if error.verify_code not in (_SELF_SIGNED, *_UNKNOWN_ISSUER):
        what = tr(
            "the certificate of {netloc} is not trusted: {verify_message}",
            netloc=netloc,
            verify_message=error.verify_message,
        )
    elif is_self_signed:
        what = tr("the certificate of {netloc} is self-signed, and not trusted here", netloc=netloc)
    else:
        what = tr(
            "the certificate of {netloc} was issued by {issuer_of}, which is not trusted here",
            netloc=netloc,
            issuer_of=_issuer_of(certificate),
        )
    sends_chain = is_self_signed or tls_probe.chain_length(probe) != 1
    if not sends_chain and probe.client.trust.ca_file:
        return Finding(
            "problem",
            tr(
                "{netloc} does not send the intermediate certificate: its own was issued by {issuer_of}, "
                "which --ca-file does not hold",
                netloc=netloc,
                issuer_of=_issuer_of(certificate),
            ),
            tr(
                "the server must send the whole chain, its certificate first and then that of each intermediate "
                "authority; nginx: both in the file of ssl_certificate. If --ca-file is another authority's, give the "
                "right one"
            ),
        )
    proxy = tls_probe.proxy_of(probe)
    via = f" -proxy {proxy.host}:{proxy.port}" if proxy else ""
    show = f"openssl s_client{via} -connect {netloc} -showcerts </dev/null"
    needed = tr("the certificate itself") if is_self_signed else tr("its issuer's")
    if sends_chain:
        hint = tr(
            "give {needed} with --ca-file, here and on the nodes "
            "(compare its fingerprint with the administrator's first):",
            needed=needed,
        )
    else:
        hint = tr(
            "give {needed} with --ca-file, here and on the nodes; the server sends no other certificate than its own: "
            "if that issuer is an intermediate authority, the server must send the whole chain",
            needed=needed,
        )
    return Finding(
        "problem",
        what,
        hint,
        run=(
            f"{show} | openssl x509 > ca.pem"
            if is_self_signed
            else f"{show}    # the last certificate, or ask for the CA"
            if sends_chain
            else tr("# ask the administrator for the authority's certificate: the server does not send it"),
            f"airgap doctor {quoted(f'https://{probe.mapping.address}')} --ca-file ca.pem",
            f"airgap hosts {quoted(f'https://{probe.registry}')} --for containerd --ca-file ca.pem --output nodes/",
        ),
    )


def _date(time_of_certificate: object) -> str:
    """``Jan  5 09:34:43 2018 GMT`` as ``2018-01-05 09:34 UTC``."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(ssl.cert_time_to_seconds(str(time_of_certificate))))


def _covers(certificate: dict[str, object], host: str) -> bool:
    """Whether the certificate's subjectAltName contains the host: an IP address or a DNS name, perhaps a wildcard."""
    names = certificate.get("subjectAltName")
    pairs = [(str(kind), str(value)) for kind, value in names] if isinstance(names, tuple) else []
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return any(kind == "DNS" and _matches(value.lower(), host.lower()) for kind, value in pairs)
    for kind, value in pairs:
        if kind == "IP Address":
            try:
                if ipaddress.ip_address(value.strip()) == address:
                    return True
            except ValueError:
                continue
    return False


def _matches(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host.partition(".")[2] == pattern[2:] and bool(host.partition(".")[0])
    return pattern == host


def _names_in(certificate: dict[str, object]) -> str:
    names = certificate.get("subjectAltName")
    if not isinstance(names, tuple) or not names:
        return tr("no SANs")
    return ", ".join(f"{'IP' if str(kind) == 'IP Address' else kind}:{value}" for kind, value in names[:8])


def _issuer_of(certificate: dict[str, object]) -> str:
    """The issuer's common name in quotes."""
    issuer = certificate.get("issuer")
    for attributes in issuer if isinstance(issuer, tuple) else ():
        for key, value in attributes:
            if key == "commonName":
                return repr(str(value))
    return tr("somebody private")
