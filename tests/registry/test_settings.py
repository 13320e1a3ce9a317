# SPDX-License-Identifier: Apache-2.0
"""What a command line needs to reach a registry in the same way, as messages print it."""

from __future__ import annotations

import pytest

from airgap.registry import RegistrySettings


@pytest.mark.parametrize(
    ("settings", "registry", "login"),
    [
        (RegistrySettings(), "10.0.0.5:5000", "10.0.0.5:5000"),
        (RegistrySettings(plain_http=True), "10.0.0.5:5000", "http://10.0.0.5:5000"),
        (RegistrySettings(), "127.0.0.1:5000", "127.0.0.1:5000"),
        (RegistrySettings(plain_http=False), "127.0.0.1:5000", "https://127.0.0.1:5000"),
        (RegistrySettings(), "docker.io", "docker.io"),
        (RegistrySettings(plain_http=True), "[fd00::1]:5000", "'http://[fd00::1]:5000'"),
        (RegistrySettings(ca_file="사설 ca.pem"), "r.test", "r.test --ca-file '사설 ca.pem'"),
        (RegistrySettings(insecure=True), "r.test", "r.test --insecure"),
        (RegistrySettings(endpoint="http://10.0.0.6:8082"), "r.test", "http://r.test --via http://10.0.0.6:8082"),
        (RegistrySettings(mirror="http://10.0.0.6:8082"), "quay.io", "http://10.0.0.6:8082"),
        (
            RegistrySettings(mirror="http://10.0.0.6/repository/hub"),
            "quay.io",
            "http://10.0.0.6 --via http://10.0.0.6/repository/hub",
        ),
    ],
)
def test_the_arguments_of_login(settings: RegistrySettings, registry: str, login: str) -> None:
    assert settings.login_arguments(registry) == login
