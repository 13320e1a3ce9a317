# SPDX-License-Identifier: Apache-2.0
"""A server's certificate against the name it is asked by: time, names, issuer; and the line that makes a right one.

Python's own verification decides; what the certificate holds explains it, also where several things are wrong.
"""

from __future__ import annotations

import ipaddress
import ssl
import time

from airgap.records import replace
from airgap.registry.http.connect import Trust
from airgap.registry.http.errors import decode_certificate
from airgap.targets.doctor import tls_probe as line
from airgap.targets.probe import Probe
from airgap.targets.protocols import Finding


def judge(probe: Probe) -> list[Finding]:
    """One problem, the first of: over or not begun, not for this name, not trusted. Behind --insecure, a warning."""
    trust = probe.client.trust
    strict = replace(trust, insecure=False)
    error = _verify(probe, strict)
    shown = _shown(probe)
    if error is None:
        return [Finding("ok", f"the certificate is good for {probe.place[1]} ({_names(shown)})")]
    found = _explain(probe, error, shown)
    if trust.insecure:
        said = f"{found.what}; --insecure trusts it all the same, and so must every node"
        return [replace(found, level="warning", what=said)]
    return [found]


def _verify(probe: Probe, trust: Trust) -> OSError | None:
    try:
        line.shake_hands(probe, trust)
    except OSError as error:  # of which SSLError is one
        return error
    return None


def _shown(probe: Probe) -> dict[str, object]:
    pem = line.shown(probe)
    try:
        return dict(decode_certificate(pem)) if pem else {}
    except (OSError, ValueError):
        return {}


def _explain(probe: Probe, error: Exception, shown: dict[str, object]) -> Finding:
    host, at = probe.place[1], probe.address
    proxy = line.proxy_of(probe)
    look = (
        f"openssl s_client{f' -proxy {proxy.host}:{proxy.port}' if proxy else ''} -connect {at} -showcerts </dev/null"
    )
    if not isinstance(error, ssl.SSLCertVerificationError):
        return Finding("problem", f"TLS with {at} fails ({getattr(error, 'reason', None) or error})")
    renew = (
        f'openssl req -x509 -newkey rsa:2048 -nodes -days 825 -keyout tls.key -out tls.crt -subj "/CN={host}" '
        f'-addext "subjectAltName={probe.san}"'
    )
    if "notAfter" in shown and ssl.cert_time_to_seconds(str(shown["notAfter"])) < time.time():
        return Finding(
            "problem",
            f"the certificate of {at} is over since {shown['notAfter']}",
            "have it renewed (and check this machine's clock); self-signed, with the right name:",
            run=(renew,),
        )
    if "notBefore" in shown and ssl.cert_time_to_seconds(str(shown["notBefore"])) > time.time():
        return Finding(
            "problem",
            f"the certificate of {at} begins only at {shown['notBefore']}",
            "set the clock of this machine or of the one that made it right",
            run=("timedatectl",),
        )
    if not _covers(shown, host):
        lacks = (
            "has no SANs at all; a CN alone is no longer read (x509: certificate relies on legacy Common Name)"
            if not shown.get("subjectAltName")
            else f"is for {_names(shown)}"
        )
        return Finding(
            "problem",
            f"the certificate of {at} {lacks}, not for {probe.san}",
            "use a name that it holds, or have one made with this name in its SANs (an address needs IP:, not DNS:):",
            run=(renew,),
        )
    if error.verify_code == 18 or shown.get("issuer") == shown.get("subject"):
        what, kind = f"the certificate of {at} is self-signed, and not trusted here", "the certificate itself"
    else:
        what, kind = (
            f"the certificate of {at} was issued by {_issuer(shown)}, which is not trusted here",
            "its issuer's",
        )
    if error.verify_code not in (18, 19, 20, 21):
        what = f"the certificate of {at} is not trusted: {error.verify_message}"
    return Finding(
        "problem",
        what,
        f"give {kind} with --ca-file, here and on the nodes (compare its fingerprint with the administrator's first):",
        run=(
            f"{look} | openssl x509 > ca.pem"
            if kind != "its issuer's"
            else f"{look}    # the last certificate, or ask for the CA",
            f"airgap doctor https://{probe.mapping.address} --ca-file ca.pem",
            f"airgap hosts https://{probe.registry} --for containerd --ca-file ca.pem --output nodes/",
        ),
    )


def _covers(shown: dict[str, object], host: str) -> bool:
    names = shown.get("subjectAltName")
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


def _names(shown: dict[str, object]) -> str:
    names = shown.get("subjectAltName")
    if not isinstance(names, tuple) or not names:
        return "no SANs"
    return ", ".join(f"{'IP' if str(kind) == 'IP Address' else kind}:{value}" for kind, value in names[:8])


def _issuer(shown: dict[str, object]) -> str:
    issuer = shown.get("issuer")
    for part in issuer if isinstance(issuer, tuple) else ():
        for key, value in part:
            if key == "commonName":
                return repr(str(value))
    return "somebody private"
