# SPDX-License-Identifier: Apache-2.0
"""Messages as programs print them, and the explanation that must come first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap import i18n
from airgap.explain import PLACEHOLDERS, KnownMessage, find_matches, known_messages

HOST = "172.25.0.84:30018"
DIGEST = f"sha256:{'5a' * 32}"
#: What was printed, and which message names the cause.
SAID = [
    (f'Failed to pull image "{HOST}/x/nginx:1": rpc error: code = Unknown desc = failed to pull and unpack image '
     f'"{HOST}/x/nginx:1": failed to resolve reference "{HOST}/x/nginx:1": failed to do request: Head '
     f'"https://{HOST}/v2/x/nginx/manifests/1": http: server gave HTTP response to HTTPS client', "http-to-https"),
    (f'Error response from daemon: Get "https://{HOST}/v2/": http: server gave HTTP response to HTTPS client',
     "http-to-https"),
    (f'time="2024" level=fatal msg="pinging container registry {HOST}: Get \\"https://{HOST}/v2/\\": http: server gave '
     'HTTP response to HTTPS client"', "http-to-https"),
    (f'Get "https://{HOST}/v2/": tls: first record does not look like a TLS handshake', "http-to-https"),
    ("Client sent an HTTP request to an HTTPS server.", "https-to-http"),
    ('tls: failed to verify certificate: x509: certificate relies on legacy Common Name field, use SANs instead',
     "x509-common-name"),
    ("x509: cannot validate certificate for 172.25.0.84 because it doesn't contain any IP SANs", "x509-no-ip-san"),
    ("tls: failed to verify certificate: x509: certificate is valid for ingress.local, not nexus.corp",
     "x509-wrong-name"),
    ("x509: certificate signed by unknown authority", "x509-unknown-authority"),
    ("x509: certificate has expired or is not yet valid: current time 2031-01-01T00:00:00Z is after", "x509-time"),
    (f'unexpected status from HEAD request to http://{HOST}/v2/x/manifests/1: 401 Unauthorized', "unauthorized"),
    ("pulling from host nexus.corp failed with status code [manifests 1]: no basic auth credentials", "no-basic-auth"),
    ("unauthorized: access to the requested resource is not authorized", "unauthorized"),
    ("denied: requested access to the resource is denied", "denied"),
    ("<html><head><title>413 Request Entity Too Large</title></head>\n<body>\n<center><h1>413 Request "
     "Entity\n Too Large", "too-large"),
    ("error parsing HTTP 413 response body: invalid character '<' looking for beginning of value: \"<html>\\r\\n<head>"
     "<title>413 Request Entity Too Large</title>\"", "too-large"),
    ('failed to copy: httpReadSeeker: failed open: unexpected EOF', "early-end"),
    ("toomanyrequests: You have reached your pull rate limit.", "toomanyrequests"),
    ("received unexpected HTTP status: 429 Too Many Requests", "toomanyrequests"),
    ("manifest unknown: manifest unknown", "manifest-unknown"),
    ("reading manifest v1 in nexus.corp/x: manifest unknown", "manifest-unknown"),
    ("no match for platform in manifest: not found", "no-platform"),
    ('choosing an image from manifest list docker://x: no image found in image index for architecture "arm64", variant '
     '"v8", OS "linux"', "no-platform"),
    (f"dial tcp {HOST}: connect: connection refused", "connection-refused"),
    ("dial tcp: lookup nexus.corp on 10.0.0.2:53: no such host", "no-such-host"),
    ('Head "https://registry-1.docker.io/v2/library/nginx/manifests/1": dial tcp 1.2.3.4:443: i/o timeout', "no-route"),
    ('{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"blob upload invalid","detail":"hosted/v2/x/manifests/1 '
     'cannot be updated"}]}', "cannot-be-updated"),
    ("Repository does not allow updating assets: docker-hosted", "cannot-be-updated"),
    ("blob unknown to registry", "blob-unknown"),
    ("PAYMENT REQUIRED: usage limit exceeded", "payment-required"),
    ("unexpected HTTP status: 504 Gateway Time-out", "gateway"),
    ("Deploying to groups is a PRO-licensed feature. See https://links.sonatype.com/x", "group-push"),
    ("Docker-hosted is read-only", "read-only"),
    ('unsupported protocol scheme "null"', "realm-address"),
    ("failed to load plugin io.containerd.grpc.v1.cri: invalid plugin config: `mirrors` cannot be set when "
     "`config_path` is provided", "config-path-conflict"),
    ("rpc error: code = Unimplemented desc = unknown service runtime.v1.ImageService", "config-path-conflict"),
    ("Container image \"x:1\" is not present with pull policy of Never", "image-never"),
    ('short-name "nginx" did not resolve to an alias and no unqualified-search registries are defined in "/etc/…"',
     "short-name"),
    ("write /var/lib/containerd/x: no space left on device", "no-space"),
    ("Back-off pulling image \"x\"", "pull-failed"),
    ("Error: failed to do request: proxyconnect tcp: dial tcp 10.1.1.1:3128: i/o timeout", "proxy"),
    ('Head "https://x.corp/v2/": proxyconnect tcp: dial tcp 10.1.1.1:3128: connect: connection refused', "proxy"),
    ('Get "https://x.corp:5001:5001/v2/token?account=a": dial tcp: lookup x.corp:5001: no such host', "realm-port"),
    ('Bearer realm="https://x.corp:8443:8443/v2/token"', "realm-port"),
    ("Error response from daemon: login attempt to https://x.corp/v2/ failed with status: 404", "wrong-port"),
    ("pinging container registry x.corp:8081: invalid status code from registry 404 (Not Found)", "wrong-port"),
    (f"HEAD https://x.corp/v2/a/b/blobs/{DIGEST}: unexpected status code 503 Service Unavailable", "gateway"),
    (f"unexpected status from HEAD request to https://x.corp/v2/a/b/blobs/{DIGEST}: 503", "gateway"),
    ("pinging container registry x.corp: received unexpected HTTP status: 503 Service Unavailable", "gateway"),
    (f"failed to copy: httpReadSeeker: failed open: unexpected status code https://m.corp/v2/a/blobs/{DIGEST}"
     "?ns=docker.io: 400 Bad Request", "mirror-refused"),
    ('Error: looks like "https://x.corp/d/" is not a valid chart repository or cannot be reached: failed to fetch '
     "https://x.corp/d/index.yaml : 404 Not Found", "chart-repository"),
    ('failed to get sandbox image "registry.k8s.io/pause:3.8"', "pause-image"),
    ("error creating pod sandbox with name \"k8s_a_b_c_0\": initializing source docker://registry.k8s.io/pause:3.9: "
     "pinging container registry registry.k8s.io: i/o timeout", "pause-image"),
    ("dial unix /run/containerd/containerd.sock: connect: permission denied", "socket-permission"),
    ('validate CRI v1 image API for endpoint "unix:///run/containerd/containerd.sock": transport: Error while dialing: '
     "dial unix /run/containerd/containerd.sock: connect: no such file or directory", "runtime-down"),
    ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
     "runtime-down"),
    ("remote error: tls: handshake failure", "tls-failure"),
    ("net/http: TLS handshake timeout", "tls-timeout"),
    ("manifest unknown: OCI index found, but Accept header does not support OCI indexes", "accept-header"),
    ("Error: ImageInspectError", "image-inspect"),
    (f"ctr: content digest {DIGEST}: not found", "content-missing"),
    ("error response: name invalid: name invalid", "name-invalid"),
    ("denied: adding 4.0 MiB of storage resource, which when updated to current usage of 8.0 MiB will exceed the "
     "configured upper limit of 10.0 MiB.", "harbor-quota"),
    ("unauthorized: unauthorized to access repository: p/i, action: push: unauthorized to access repository: p/i, "
     "action: push", "harbor-permission"),
    (f"unexpected status from HEAD request to https://x.corp/v2/a/manifests/{DIGEST}: 500 Server Error",
     "nexus-head-500"),
    (f"PUT https://x.corp/v2/a/blobs/uploads/12?digest={DIGEST}: 499", "early-end"),
    ("Error: writing blob: determining upload URL: http: no Location header in response", "upload-location"),
    ("writing blob: uploading layer chunked: StatusCode: 400, <html>", "upload-refused"),
    ("Error: 405: could not properly parse response JSON: <!DOCTYPE html>", "method"),
    ("Error: 404: could not properly parse response JSON: {}", "cm-push"),
    ("manifest invalid: manifest invalid", "manifest-invalid"),
    ("docker.internal.V2Handlers - not a docker request", "not-docker-request"),
    ("java.io.IOException: Package exceeds maximum decompressed size of 100 MB. Possible zip bomb attack",
     "conda-limit"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "cause"), SAID)
def test_each_message_is_known_and_its_cause_comes_first(said: str, cause: str) -> None:
    found = find_matches(said)
    assert found
    assert found[0].message.id == cause
    assert found[0].certainty == "exact"


@pytest.mark.parametrize(("said", "cause"), SAID)
def test_noise_around_and_within_the_line_does_not_matter(said: str, cause: str) -> None:
    noisy = (
        "\x1b[31m" + said.upper().replace(" ", "\r\n   ") + "\x1b[0m\n  Warning  Failed  kubelet  Error: ErrImagePull\n"
    )
    assert find_matches(f"Events:\n{noisy}\n  Normal BackOff kubelet")[0].message.id == cause


@pytest.mark.parametrize("message", known_messages(), ids=lambda message: message.id)
def test_every_phrase_finds_its_own_entry(message: KnownMessage) -> None:
    for phrase in message.phrases:
        assert message in [match.message for match in find_matches(phrase.replace("…", "what.ever:1"))], phrase


def test_the_table_is_whole() -> None:
    ids = [message.id for message in known_messages()]
    assert len(set(ids)) == len(ids) > 30
    for message in known_messages():
        assert message.title
        assert message.cause.endswith(".")
        assert message.steps
        for text in (line for step in message.steps for line in (step.say, *step.run)):
            assert set(re.findall(r"\{([a-z]+)\}", text)) <= PLACEHOLDERS.keys(), text


def test_the_address_of_the_text_stands_in_the_commands() -> None:
    (match, *_) = find_matches(f'Get "https://{HOST}/v2/": http: server gave HTTP response to HTTPS client')
    assert match.steps[0].run == (f"airgap hosts http://{HOST} --for containerd --output nodes/",)
    assert '[host."http://172.25.0.84:30018"]' in match.steps[1].run
    (match,) = find_matches("x509: cannot validate certificate for 172.25.0.84 because it doesn't contain any IP SANs")
    assert '-addext "subjectAltName=IP:172.25.0.84"' in match.steps[0].run[0]
    (match,) = find_matches('Get "https://nexus.corp/v2/": x509: certificate is valid for a.b, not nexus.corp')
    assert 'subjectAltName=DNS:nexus.corp"' in match.steps[1].run[0]
    (match,) = find_matches('Get "https://[fd00::1]:5000/v2/": http: server gave HTTP response to HTTPS client')
    assert "http://[fd00::1]:5000 " in match.steps[0].run[0]
    text = "https://[fd00::1]/v2/ doesn't contain any IP SANs x509: cannot "
    text += "validate certificate for fd00::1 because it doesn't contain any IP SANs"
    assert 'subjectAltName=IP:fd00::1"' in find_matches(text)[0].steps[0].run[0]


def test_without_an_address_the_place_for_it_is_shown_and_the_users_own_wins() -> None:
    (match,) = find_matches("http: server gave HTTP response to HTTPS client")
    assert "http://HOST:PORT " in match.steps[0].run[0]
    (match,) = find_matches(f"https://{HOST}/v2/ http: server gave HTTP response to HTTPS client", host="nexus.corp:1")
    assert "http://nexus.corp:1 " in match.steps[0].run[0]


def test_commands_keep_the_scheme_of_the_text_or_of_the_target() -> None:
    said = "unauthorized: authentication required"
    assert runs(f"http://{HOST}/v2/x/manifests/1: {said}") >= {f"airgap login http://{HOST}"}
    assert f"airgap login {HOST}" in runs(f"https://{HOST}/v2/x/manifests/1: {said}")
    assert f"airgap login http://{HOST}" in runs(said, host=HOST, plain_http=True)
    assert f"airgap login {HOST}" in runs(f"http://{HOST}/v2/: {said}", host=HOST, plain_http=False)
    assert f"curl -skI https://{HOST}/v2/ | grep -i www-authenticate" in runs(f"https://{HOST}/v2/: {said}")


def test_openssl_is_given_a_port() -> None:
    known = "x509: certificate has expired"
    expected = "openssl s_client -connect {} </dev/null | openssl x509 -noout -dates"
    assert expected.format("nexus.corp:443") in runs(f"https://nexus.corp/v2/ {known}")
    assert expected.format(HOST) in runs(f"https://{HOST}/v2/ {known}")


def test_the_request_to_a_mirror_stands_in_the_command_if_a_shell_takes_it() -> None:
    refused = "failed open: unexpected status code https://m.corp/v2/a/blobs/{}?ns=docker.io: 400 Bad Request"
    assert f"curl -ski 'https://m.corp/v2/a/blobs/{DIGEST}?ns=docker.io'" in runs(refused.format(DIGEST))
    assert "curl -ski 'https://m.corp/v2/'" in runs(refused.format("$(id)"))


def test_the_image_of_the_text_is_named_even_if_a_mirror_is_asked() -> None:
    said = 'failed to get sandbox image "rancher/pause:3.6": failed to pull "docker.io/rancher/pause:3.6": Head "https:'
    export = "airgap export --image docker.io/rancher/pause:3.6 --platform linux/amd64 -o pause.tar"
    for host in ("registry-1.docker.io", "mirror.corp:5000"):
        assert export in runs(f'{said}//{host}/v2/rancher/pause/manifests/3.6": i/o timeout')


def runs(text: str, **options: Any) -> set[str]:
    return {line for match in find_matches(text, **options) for step in match.steps for line in step.run}


@pytest.mark.parametrize("host", ["a.b$(id)", "a.b;id", "a.b`id`", "-x.y", "a.b'", "a.b\\x"])
def test_what_is_no_address_gets_into_no_command(host: str) -> None:
    for match in find_matches(f'Get "https://{host}/v2/": http: server gave HTTP response to HTTPS client'):
        for line in (line for step in match.steps for line in step.run):
            assert not re.search(r"[$;`]|id|'\s*$|http://-", line.replace("/dev/null", "")), line


def test_several_are_ranked_causes_before_answers_before_wrappers() -> None:
    text = "ErrImagePull: unauthorized: authentication required; then x509: certificate has expired; ImagePullBackOff"
    assert ids(text) == ["x509-time", "unauthorized"]
    chain = (
        "failed to fetch anonymous token: unexpected status: 403 Forbidden: requested access to the resource is denied"
    )
    assert ids(chain) == ["denied"]
    assert ids(f"{chain}; 401 Unauthorized") == ["unauthorized", "denied"]


def test_what_only_wraps_a_reason_is_named_where_there_is_no_reason() -> None:
    assert ids("Back-off pulling image: ErrImagePull") == ["pull-failed"]
    assert ids("Back-off pulling image: ErrImagePull: no basic auth credentials") == ["no-basic-auth"]
    assert ids("failed to get sandbox image: failed to pull image: i/o timeout. Error: ErrImagePull") == [
        "pause-image",
        "no-route",
    ]


def test_a_part_of_a_longer_message_is_no_message_of_its_own() -> None:
    helm = (
        "x is not a valid chart repository or cannot be reached: failed to fetch https://x.y/index.yaml : 404 Not Found"
    )
    assert ids(helm) == ["chart-repository"]
    # Elsewhere in the text it is one.
    assert ids(f"{helm}\nreading manifest 1 in x.y/a: manifest unknown") == ["chart-repository", "manifest-unknown"]
    assert ids("proxyconnect tcp: dial tcp 10.1.1.1:3128: connect: connection refused") == ["proxy"]
    both = "dial tcp 10.1.1.2:443: connection refused; proxyconnect tcp: dial tcp 10.1.1.1:3128: connection refused"
    assert ids(both) == ["proxy", "connection-refused"]


def ids(text: str) -> list[str]:
    return [match.message.id for match in find_matches(text)]


def test_misspelt_messages_are_near_and_unrelated_text_is_nothing() -> None:
    found = find_matches("htp: sever gave HTTP respnse to HTTPS clinet")
    assert found[0].message.id == "http-to-https"
    assert found[0].certainty == "near"
    for text in ("", "hello world", "the pod is running and everything is fine with the registry"):
        assert find_matches(text) == []


def test_a_long_log_is_read_from_its_end() -> None:
    text = "connection refused\n" + "x " * 200_000 + "no space left on device"
    assert [match.message.id for match in find_matches(text)] == ["no-space"]


@given(st.text(max_size=200))
def test_any_text_is_borne(text: str) -> None:
    find_matches(text)


@pytest.fixture
def korean() -> Iterator[None]:
    """Korean messages, for the length of a test."""
    i18n.use_language("ko")
    known_messages.cache_clear()
    yield
    i18n.use_language("en")
    known_messages.cache_clear()


def test_korean_texts_are_whole(request: pytest.FixtureRequest) -> None:
    all_english = known_messages()
    request.getfixturevalue("korean")
    for english, korean in zip(all_english, known_messages(), strict=True):
        assert (korean.id, korean.phrases, korean.weight) == (english.id, english.phrases, english.weight)
        assert [step.run for step in korean.steps] == [step.run for step in english.steps]
        for text in (korean.title, korean.cause, *(step.say for step in korean.steps)):
            assert re.search("[가-힣]", text), f"{english.id}: {text}"
        for ours, theirs in zip(english.steps, korean.steps, strict=True):
            assert set(re.findall(r"\{[a-z]+\}", theirs.say)) == set(re.findall(r"\{[a-z]+\}", ours.say)), theirs.say


def test_a_message_is_explained_in_the_chosen_language(request: pytest.FixtureRequest) -> None:
    said = f"http://{HOST}/v2/: unauthorized: authentication required"
    (english,) = find_matches(said)
    request.getfixturevalue("korean")
    (korean,) = find_matches(said)
    assert korean.message.title == "레지스트리가 이 사용자 또는 익명 접속을 거부함"
    assert korean.message.guide == "nodes.ko.md"
    assert [step.run for step in korean.steps] == [step.run for step in english.steps]
