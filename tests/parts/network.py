# SPDX-License-Identifier: Apache-2.0
"""A closed network: a namespace whose loopback also has other addresses, and an /etc/hosts of its own.

Programs take 127.0.0.1 for a registry that needs no TLS, and so does docker for every name that leads there. What a
node does with a real address shows only where the address is no loopback's; here it is, and leads nowhere else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.parts.need import need, need_privilege
from tests.parts.service import clean_environment, running

Made = TypeVar("Made")
_CLONE_NEWNET = 0x40000000
_SCRIPT = """\
ip link set lo up
for address in $ADDRESSES; do ip address add "$address/32" dev lo; done
mount --bind "$HOSTS" /etc/hosts
echo ready
exec sleep 3600
"""


@dataclass(frozen=True)
class ClosedNetwork:
    """A command behind ``prefix`` runs inside; files and Unix sockets are the same as outside."""

    pid: int
    prefix: tuple[str, ...]

    def accepts(self, port: int) -> bool:
        """Whether something inside listens on this TCP port (over IPv4)."""
        lines = Path(f"/proc/{self.pid}/net/tcp").read_text().splitlines()[1:]
        fields = (line.split() for line in lines)
        return any(one[1].endswith(f":{port:04X}") and one[3] == "0A" for one in fields)


def inside(network: ClosedNetwork, make: Callable[[], Made]) -> Made:
    """Return what ``make`` returns when a thread in the network's namespace calls it: its sockets are in there."""
    found: list[Made] = []
    failed: list[BaseException] = []

    def enter() -> None:
        try:
            descriptor = os.open(f"/proc/{network.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(descriptor)
            found.append(make())
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            failed.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


@contextlib.contextmanager
def nginx_over_folder(folder: Path, root: Path, network: ClosedNetwork, port: int = 8000) -> Iterator[None]:
    """nginx inside of a closed network, which serves the files of ``root`` as they lie; ``folder`` is its own."""
    log, configuration = folder / "nginx.log", folder / "nginx.conf"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    configuration.write_text(
        f"daemon off; user root; pid {folder}/pid; error_log {log}; events {{}}\n"
        f"http {{ {temporary} access_log off; server {{ listen {port}; root {root}; }} }}\n"
    )
    command = [*network.prefix, need("nginx"), "-e", str(log), "-c", str(configuration)]
    environment = clean_environment(folder)
    with running(command, log=log, ready=lambda: network.accepts(port), environment=environment):
        yield


@contextlib.contextmanager
def closed_network(folder: Path, *addresses: str, names: Mapping[str, str]) -> Iterator[ClosedNetwork]:
    """Make one; ``names`` are host names with their addresses. Skips the test where namespaces cannot be made."""
    unshare, nsenter = need("unshare"), need("nsenter")
    need("ip")
    need_privilege("make namespaces")
    folder.mkdir(parents=True, exist_ok=True)
    hosts, log = folder / "hosts", folder / "network.log"
    hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in names.items()))
    environment = clean_environment(folder, ADDRESSES=" ".join(addresses), HOSTS=str(hosts))
    command = [unshare, "--net", "--mount", "--propagation", "private", "sh", "-euc", _SCRIPT]
    with running(command, log=log, ready=lambda: "ready" in log.read_text(), environment=environment) as process:
        # With the root folder of that process too: in a chroot it is not the root of the mounts.
        prefix = (nsenter, "--target", str(process.pid), "--net", "--mount", "--root", "--")
        yield ClosedNetwork(process.pid, prefix)
