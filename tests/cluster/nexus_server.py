# SPDX-License-Identifier: Apache-2.0
"""The mock server of Nexus as the program of a container: 8081, connectors on the ports that REST asks for, and the
first password in ``/nexus-data``, as after the first start of Community Edition."""

from __future__ import annotations

import secrets
import signal
import threading
from pathlib import Path

from tests.doubles.nexus import PUSHER, Settings, User, nexus
from tests.doubles.nexus.settings import BASIC_REALMS


def main() -> None:
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    password = secrets.token_urlsafe(15)
    Path("/nexus-data/admin.password").write_text(password)
    users = (User("admin", password, admin=True), PUSHER)
    with nexus(Settings("3.8x", (), users, realms=BASIC_REALMS, eula_accepted=False), host="", port=8081):
        stopped.wait()


if __name__ == "__main__":
    main()
