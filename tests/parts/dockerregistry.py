# SPDX-License-Identifier: Apache-2.0
"""Debian's docker-registry (the reference implementation) on a free loopback port, its content in a folder."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.parts.certificates import Pair
from tests.parts.need import need
from tests.parts.network import ClosedNetwork
from tests.parts.service import LOOPBACK, accepts, clean_environment, free_port, running


@dataclass(frozen=True)
class DockerRegistry:
    """``address`` is ``host:port``, ``url`` has the scheme; ``log`` gets one line for each request."""

    address: str
    url: str
    data: Path
    log: Path

    def requests(self) -> list[str]:
        """The access log: ``METHOD /path`` of each request so far."""
        lines = self.log.read_text(errors="replace").splitlines()
        parts = (line.split('"') for line in lines if '" ' in line and "HTTP/1.1" in line)
        return [fields[1].removesuffix(" HTTP/1.1") for fields in parts if len(fields) > 1 and "HTTP/" in fields[1]]


@contextlib.contextmanager
def docker_registry(
    folder: Path,
    *,
    tls: Pair | None = None,
    users: dict[str, str] | None = None,
    delete: bool = True,
    read_only: bool = False,
    within: ClosedNetwork | None = None,
    listen: str = "",
    access_log: bool = True,
) -> Iterator[DockerRegistry]:
    """Start one over ``folder`` (made if missing; its content survives a restart on the same folder).

    ``users`` are names and passwords for Basic authentication. ``within`` a closed network it serves ``listen``, the
    host and port there. Without ``access_log`` nothing is written for a request.
    """
    binary = need("docker-registry")
    folder.mkdir(parents=True, exist_ok=True)
    address = listen or f"{LOOPBACK}:{free_port()}"
    port = int(address.rpartition(":")[2])
    http: dict[str, object] = {"addr": address, "secret": "of the tests", "draintimeout": "1s"}
    if tls is not None:
        http["tls"] = {"certificate": str(tls.certificate), "key": str(tls.key)}
    storage = {
        "filesystem": {"rootdirectory": str(folder / "data"), "maxthreads": 100},
        "delete": {"enabled": delete},
        "maintenance": {"readonly": {"enabled": read_only}},
    }
    configuration: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": not access_log}},
        "storage": storage,
        "http": http,
    }
    if users:
        htpasswd = folder / "htpasswd"
        htpasswd.write_text("".join(_bcrypt(name, password) for name, password in users.items()))
        configuration["auth"] = {"htpasswd": {"realm": "tests", "path": str(htpasswd)}}
    # JSON is YAML, and needs no library.
    (folder / "config.yml").write_text(json.dumps(configuration))
    log = folder / "log"
    environment = clean_environment(folder, OTEL_TRACES_EXPORTER="none")
    command = [*(within.prefix if within else ()), binary, "serve", str(folder / "config.yml")]
    there = within.accepts if within else accepts
    with running(command, log=log, ready=lambda: there(port), environment=environment):
        yield DockerRegistry(address, f"{'https' if tls else 'http'}://{address}", folder / "data", log)


def _bcrypt(name: str, password: str) -> str:
    command = [need("htpasswd"), "-inB", "-C", "4", name]
    made = subprocess.run(
        command, input=password.encode(), capture_output=True, check=True, env={"PATH": os.defpath}
    ).stdout.decode()
    return made.strip() + "\n"
