# SPDX-License-Identifier: Apache-2.0
"""Chains of certificates and timestamps (RFC 3161) at a moment in the past, verified by ``openssl``."""

from __future__ import annotations

import base64
import re
from calendar import timegm
from collections.abc import Iterable, Sequence
from time import strptime

from airgap.trust.openssl import OpenSsl, openssl
from airgap.trust.trusted_root import Authority

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME_STAMP = re.compile(rb"^Time stamp: (\w{3}) +(\d+) (\d\d:\d\d:\d\d)(?:\.\d+)? (\d{4}) GMT$", re.MULTILINE)


def chain_problem(certificate: bytes, others: Sequence[bytes], authority: Authority, time: int) -> str:
    """Return what ``openssl`` says against a certificate at ``time``; empty if its chain ends at the authority.

    ``others`` came with the certificate, and are not trusted by themselves. All are DER.
    """
    with openssl() as run:
        done = run.run(
            *("verify", *_trust(run, authority, others), *run.without_system_authorities()),
            *("-purpose", "any", "-attime", str(time), run.file(_pem([certificate]))),
        )
    if done.returncode == 0:
        return ""
    match = re.search(rb"error \d+ at \d+ depth lookup: *(.+)", done.stderr + done.stdout)
    return match[1].decode("utf-8", "replace").strip() if match else "unknown"


def timestamp_time(response: bytes, content: bytes, authority: Authority) -> int | None:
    """Return the time in a timestamp of ``content``; ``None`` unless the authority has made it."""
    with openssl() as run:
        path = run.file(response)
        found = _TIME_STAMP.search(run.run("ts", "-reply", "-in", path, "-text").stdout)
        if found is None:
            return None
        month, day, clock, year = (group.decode() for group in found.groups())
        moment = strptime(f"{year} {_MONTHS.index(month) + 1} {day} {clock}", "%Y %m %d %H:%M:%S")
        time = timegm(moment)
        verify = ("ts", "-verify", "-in", run.file(response), "-data", run.file(content))
        done = run.run(*verify, *_trust(run, authority, ()), "-attime", str(time))
    return time if done.returncode == 0 and authority.period.has(time) else None


def _trust(run: OpenSsl, authority: Authority, others: Sequence[bytes]) -> list[str]:
    arguments = ["-CAfile", run.file(_pem([authority.anchor])), "-partial_chain"]
    if between := [*authority.others, *others]:
        arguments += ["-untrusted", run.file(_pem(between))]
    return arguments


def _pem(certificates: Iterable[bytes]) -> bytes:
    return b"".join(
        b"-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n" % base64.encodebytes(certificate)
        for certificate in certificates
    )
