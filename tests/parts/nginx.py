# SPDX-License-Identifier: Apache-2.0
"""Debian's nginx as an Ingress: path prefixes, body limit, buffering, forwarded headers right or wrong, TLS.

It runs in the foreground from a folder of its own and is ended by its process id. Its defaults are nginx's, which are
an Ingress's too: bodies of 1 MiB at most, and kept back until they are whole.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.parts.certificates import Pair
from tests.parts.need import need
from tests.parts.service import LOOPBACK, accepts, clean_environment, free_port, running

#: What the server behind is told of the client's address. ``right``; ``none`` leaves it nginx's own default (Host is
#: the upstream's); ``no-port`` loses the port from Host; ``http`` says http whatever it is; ``http443`` gives the port
#: 443 and no scheme, of which Nexus makes ``http://host:443``.
Forwarded = Literal["right", "none", "no-port", "http", "http443"]
_FORWARDED: dict[Forwarded, tuple[str, ...]] = {
    "right": ("Host $http_host", "X-Forwarded-Host $http_host", "X-Forwarded-Proto $scheme"),
    "none": (),
    "no-port": ("Host $host", "X-Forwarded-Proto $scheme"),
    "http": ("Host $http_host", "X-Forwarded-Proto http"),
    "http443": ("Host $host", "X-Forwarded-Port 443"),
}


@dataclass(frozen=True)
class Ingress:
    """``address`` is ``host:port``; ``log`` the error log, ``access`` one line for each request."""

    address: str
    url: str
    log: Path
    access: Path

    def lines(self) -> list[str]:
        """The access log: status, method and path of each request so far."""
        return self.access.read_text(errors="replace").splitlines()


@contextlib.contextmanager
def nginx(
    folder: Path,
    locations: Mapping[str, str],
    *,
    tls: Pair | None = None,
    body_size: str = "1m",
    request_buffering: bool = True,
    forwarded: Forwarded = "right",
    read_timeout: str = "60s",
) -> Iterator[Ingress]:
    """Start one. ``locations`` lead paths to URLs; where both end with a slash, the one is replaced by the other
    (``{"/": "http://127.0.0.1:8081/repository/docker/"}``). ``body_size`` is client_max_body_size, ``0`` for none."""
    binary = need("nginx")
    folder.mkdir(parents=True, exist_ok=True)
    port, log, access = free_port(), folder / "log", folder / "access.log"
    headers = "".join(f"      proxy_set_header {header};\n" for header in _FORWARDED[forwarded])
    places = "".join(
        f"    location {path} {{\n      proxy_pass {url};\n{headers}    }}\n" for path, url in locations.items()
    )
    secure = f"    ssl_certificate {tls.certificate};\n    ssl_certificate_key {tls.key};\n" if tls else ""
    temporary = "".join(
        f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # Started by root, its worker would become a user who cannot enter the test's folder.
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"daemon off;\n{user}worker_processes 1;\npid {folder}/pid;\nerror_log {log};\n"
        "events { worker_connections 256; }\n"
        "http {\n"
        f"  log_format short '$status $request_method $request_uri';\n  access_log {access} short;\n{temporary}"
        "  server {\n"
        f"    listen {LOOPBACK}:{port}{' ssl' if tls else ''};\n{secure}"
        f"    client_max_body_size {body_size};\n"
        f"    proxy_request_buffering {'on' if request_buffering else 'off'};\n"
        f"    proxy_read_timeout {read_timeout};\n"
        "    proxy_http_version 1.1;\n"
        f"{places}  }}\n}}\n"
    )
    command = [binary, "-e", str(log), "-c", str(folder / "nginx.conf")]
    with running(command, log=log, ready=lambda: accepts(port), environment=clean_environment(folder)):
        address = f"{LOOPBACK}:{port}"
        yield Ingress(address, f"{'https' if tls else 'http'}://{address}", log, access)
