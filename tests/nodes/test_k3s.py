# SPDX-License-Identifier: Apache-2.0
"""``registries.yaml`` of k3s and rke2: what is there keeps its bytes, and only what is needed is put in."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from airgap.errors import OutputError
from airgap.nodes import MirroredRegistry, PullEndpoint, setup_for

ADDRESS = "172.25.0.84:30018"
URL = f"http://{ADDRESS}"
PATH = "/etc/rancher/k3s/registries.yaml"
CA_FILE = "/etc/rancher/k3s/airgap-172.25.0.84_30018.crt"
CA = b"-----BEGIN CERTIFICATE-----\n"
PLAIN, SECURE = PullEndpoint(ADDRESS, plain_http=True), PullEndpoint(ADDRESS, ca=CA)
BLIND, PUBLIC = PullEndpoint(ADDRESS, insecure=True), PullEndpoint(ADDRESS)
#: One registry whose images only move below a prefix, one whose names change.
MOVED = (
    MirroredRegistry("quay.io", {"a/b": "k/a/b"}),
    MirroredRegistry("docker.io", {"library/nginx": "nginx", "x/y": "y"}),
)
ENTRY = f"  {ADDRESS}:\n    endpoint:\n    - {URL}\n"


def merged(content: bytes | str, endpoint: PullEndpoint = PLAIN, moved: tuple[MirroredRegistry, ...] = ()) -> bytes:
    there = content.encode() if isinstance(content, str) else content
    (file,) = [file for file in setup_for("k3s", endpoint, moved).files if file.path == PATH]
    after = file.merge(there)
    assert file.merge(after) == after, "a second run changes something"
    return after


def refused(content: bytes | str, endpoint: PullEndpoint = PLAIN, moved: tuple[MirroredRegistry, ...] = ()) -> str:
    with pytest.raises(OutputError) as caught:
        merged(content, endpoint, moved)
    assert caught.value.exit_code == 42
    assert caught.value.hint
    return str(caught.value)


def attempted(content: bytes | str, endpoint: PullEndpoint, moved: tuple[MirroredRegistry, ...]) -> bytes | None:
    """The merged file; ``None`` where it is refused."""
    try:
        return merged(content, endpoint, moved)
    except OutputError:
        return None


def strings(content: bytes) -> Any:
    """What the file says, each scalar as it is spelled."""
    return yaml.load(content.decode("utf-8-sig"), Loader=yaml.BaseLoader)


def test_credentials_and_comments_stay() -> None:
    there = (
        '# corporate\nmirrors:\n    x.test:   # ours\n        endpoint: [ "https://x.test" ]\n\n'
        "configs:\n    x.test:\n        auth: {username: on, password: 012345}   # octal for some\n"
    )
    assert merged(there).decode() == there.replace(
        '"https://x.test" ]\n', f'"https://x.test" ]\n    {ADDRESS}:\n      endpoint:\n      - {URL}\n'
    )


@pytest.mark.parametrize(
    ("there", "after"),
    [
        ("", f"mirrors:\n{ENTRY}"),
        ("\ufeff", f"\ufeffmirrors:\n{ENTRY}"),
        ("# only\n  # comments\n", f"# only\n  # comments\nmirrors:\n{ENTRY}"),
        ("# no final newline", f"# no final newline\nmirrors:\n{ENTRY}"[:-1]),
        ("# a\r\n", f"# a\nmirrors:\n{ENTRY}".replace("\n", "\r\n")),
        ("---\n", f"---\nmirrors:\n{ENTRY}"),
        ("--- # c\n# d\n...\n", f"--- # c\n# d\nmirrors:\n{ENTRY}...\n"),
        ("---", f"---\nmirrors:\n{ENTRY}"[:-1]),
        ("mirrors:\n", f"mirrors:\n{ENTRY}"),
        ("mirrors: # c\nconfigs: # d", f"mirrors: # c\n{ENTRY}configs: # d"),
        ("configs: {}\nmirrors:", f"configs: {{}}\nmirrors:\n{ENTRY}"[:-1]),
        ("a: |\n  text\n\n# c\n", f"a: |\n  text\n\nmirrors:\n{ENTRY}# c\n"),
        ("a: |+\n  text\n\n", f"a: |+\n  text\n\nmirrors:\n{ENTRY}"),
        ("# a\u2028\n", f"# a\u2028\nmirrors:\n{ENTRY}"),
        ("a:\n- b\n-\n", f"a:\n- b\n-\nmirrors:\n{ENTRY}"),
        ("mirrors: ~ # c\n", f'mirrors: {{"{ADDRESS}": {{"endpoint": ["{URL}"]}}}} # c\n'),
        ("mirrors: {}\n", f'mirrors: {{"{ADDRESS}": {{"endpoint": ["{URL}"]}}}}\n'),
        ("{}", f'{{"mirrors": {{"{ADDRESS}": {{"endpoint": ["{URL}"]}}}}}}'),
        ('{"mirrors": {"x": {}}}\n', f'{{"mirrors": {{"x": {{}}, "{ADDRESS}": {{"endpoint": ["{URL}"]}}}}}}\n'),
        ("{mirrors: , a: b,}", f'{{mirrors: {{"{ADDRESS}": {{"endpoint": ["{URL}"]}}}} , a: b,}}'),
        (
            "mirrors: {\n  x: {}, # c\n}\n",
            f'mirrors: {{\n  x: {{}}, "{ADDRESS}": {{"endpoint": ["{URL}"]}}, # c\n}}\n',
        ),
        (f"mirrors:\n  '{ADDRESS}':\n", f"mirrors:\n  '{ADDRESS}':\n    endpoint:\n    - {URL}\n"),
        (f"mirrors:\n  '{ADDRESS}': {{}}\n", f'mirrors:\n  \'{ADDRESS}\': {{"endpoint": ["{URL}"]}}\n'),
        # A value that must change is replaced where it stands.
        (
            f"mirrors:\n '{ADDRESS}':\n   endpoint: # c\n   - http://old # d\n# e\n",
            f"mirrors:\n '{ADDRESS}':\n   endpoint: # c\n   - {URL} # d\n# e\n",
        ),
        (f"mirrors: {{{ADDRESS}: {{endpoint: [old] }}}}", f'mirrors: {{{ADDRESS}: {{endpoint: ["{URL}"] }}}}'),
        (f"mirrors:\n  {ADDRESS}:\n    endpoint:  # c\n", f'mirrors:\n  {ADDRESS}:\n    endpoint: ["{URL}"]  # c\n'),
        (
            f"mirrors:\n  {ADDRESS}:\n    # why\n    rewrite:\n      a: b\n    # and\n    endpoint: [{URL}]\n",
            f"mirrors:\n  {ADDRESS}:\n    # why\n    # and\n    endpoint: [{URL}]\n",
        ),
        (
            f"mirrors:\n  {ADDRESS}: {{rewrite: {{a: b}}, endpoint: [{URL}]}}\n",
            f"mirrors:\n  {ADDRESS}: {{endpoint: [{URL}]}}\n",
        ),
        (
            f"mirrors:\n  {ADDRESS}: {{x: '1', endpoint: [old], rewrite: {{}} }} # c\n",
            f"mirrors:\n  {ADDRESS}: {{x: '1', endpoint: [\"{URL}\"]}} # c\n",
        ),
        # An alias beside our keys is none of our business.
        (
            "a: &a {b: c}\nd: *a\nmirrors: {}\n",
            f'a: &a {{b: c}}\nd: *a\nmirrors: {{"{ADDRESS}": {{"endpoint": ["{URL}"]}}}}\n',
        ),
        ("mirrors: &m\n  x: {}\n", f"mirrors: &m\n  x: {{}}\n{ENTRY}"),
        ("mirrors:\n  x: &x {}\n  y: *x\n", f"mirrors:\n  x: &x {{}}\n  y: *x\n{ENTRY}"),
    ],
)
def test_where_it_is_put(there: str, after: str) -> None:
    assert merged(there).decode() == after


@pytest.mark.parametrize(
    "there",
    [
        f"mirrors:\n  \"{ADDRESS}\":\n    endpoint: ['{URL}']   # as it is\n",
        f'{{"mirrors": {{"{ADDRESS}": {{"endpoint": ["{URL}"]}}}}}}',
        f"\ufeffmirrors:\r\n  {ADDRESS}:\r\n    endpoint:\r\n      -   {URL}",
        f"mirrors:\n  ? {ADDRESS}\n  : endpoint: [{URL}]\n",
        f"a: &u [{URL}]\nmirrors: {{{ADDRESS}: {{endpoint: [{URL}]}}}}\nb: *u\n",
    ],
)
def test_what_is_there_already_changes_nothing(there: str) -> None:
    assert merged(there) == there.encode()


def test_tls_of_the_registry() -> None:
    there = (
        f"configs:\n  {ADDRESS}:\n    auth: {{username: 1e3}}\n"
        "    tls:\n      # mutual\n      cert_file: /c\n      key_file: /k\n"
    )
    secure = f"{there}      ca_file: {CA_FILE}\nmirrors:\n  {ADDRESS}:\n    endpoint:\n    - https://{ADDRESS}\n"
    assert merged(there, SECURE).decode() == secure
    blind = merged(secure, BLIND).decode()
    assert blind == secure.replace(f"ca_file: {CA_FILE}", "insecure_skip_verify: true")
    assert merged(blind, PUBLIC).decode() == secure.replace(f"      ca_file: {CA_FILE}\n", "")
    for spelled in ("yes", "True", "on"):
        kept = blind.replace("verify: true", f"verify: {spelled}")
        assert merged(kept, BLIND).decode() == kept
    assert merged(blind.replace("verify: true", "verify: 'true'"), BLIND).decode() == blind
    only = f"configs:\n  {ADDRESS}:\n    tls:\n      insecure_skip_verify: true # for now\nmirrors:\n{ENTRY}"
    assert merged(only).decode() == only.replace("insecure_skip_verify: true", "{}")


@pytest.mark.parametrize(
    ("there", "line", "says"),
    [
        ("a: [\n", 2, ""),
        ("a: b\n\tc: d\n", 2, ""),
        ("a: b\nc: \x01\n", 2, "special characters"),
        ("a: *b\n", 1, "undefined alias"),
        ("[" * 5000, 1, "nested too deeply"),
        (b"a: b\nc: \xff\n", 2, "not UTF-8"),
        ("a: b\n---\nc: d\n", 2, "more than one document"),
        ("# c\n- a\n", 2, "something else"),
        ("\ntext\n", 2, "something else"),
        ("a: b\nmirrors: 3\n", 2, "something else"),
        ("mirrors: []\n", 1, "something else"),
        ("mirrors: ''\n", 1, "something else"),
        (f"mirrors:\n  {ADDRESS}: x\n", 2, "something else"),
        ("mirrors: {}\na: b\nmirrors: {}\n", 3, "mirrors is there twice"),
        ("mirrors:\n  x: {}\n  'x': {}\n", 3, "x is there twice"),
        ("a: {b: 1,\n b: 2}\n", 2, "b is there twice"),
        ("a: &a {x: {}}\nmirrors: *a\n", 2, "the alias *a"),
        ("mirrors: &a\n  x: {}\nb: *a\n", 1, "aliases *a"),
        (f"mirrors:\n  {ADDRESS}: &a {{endpoint: [old]}}\n  b: *a\n", 2, "aliases *a"),
        (f"mirrors:\n  {ADDRESS}:\n    endpoint: [&a old]\n  b: *a\n", 3, "aliases *a"),
        ("a: &a {x: {}}\nmirrors:\n  <<: *a\n", 3, "by <<"),
        ("a: &a {mirrors: {}}\n<<: *a\n", 1, "by <<"),
        ("mirrors: !!map\n", 1, "something else"),
        ("--- &a\n", 1, "tag or an anchor"),
        ("mirrors: &a\n", 1, "tag or an anchor"),
        (f"mirrors:\n  {ADDRESS}:\n    endpoint: !!seq [old]\n", 3, "tag or an anchor"),
        ("mirrors:\n  ? x\n  : {}\n", 2, "does not begin its line"),
        ("a: |\n  no final newline", 1, "without changing something else"),
        ("{mirrors}", 1, "without changing something else"),
    ],
)
def test_what_cannot_be_edited_is_refused_with_its_line(there: bytes | str, line: int, says: str) -> None:
    said = refused(there)
    assert said.startswith(f"{PATH}:{line}: "), said
    assert says in said


COMMENTS = st.sampled_from(["", " # c", "   # mirrors: {}", " #"])
SCALARS = st.sampled_from(
    ["012345", "on", "~", "1e3", "'it''s'", '"\\x41"', "2001-01-01", "0o17", "<<1", "=", "plain text", "|\n", ""]
)
HOSTS = ["x.test", "r.corp:5000", "quay.io", "docker.io", ADDRESS, "'*'", "한.test"]


@st.composite
def block_files(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A ``registries.yaml`` in block style without the entries that airgap makes, and its lines without their ends."""
    lines: list[str] = draw(st.sampled_from([[], ["# head"], ["---"], ["", "# head", "---  # c"]]))
    lines = list(lines)
    step = draw(st.integers(1, 8))

    def filler(depth: int) -> None:
        for _ in range(draw(st.integers(0, 2))):
            lines.append(draw(st.sampled_from(["", "# note", " " * depth * step + "# note", "   "])))

    def put(depth: int, key: str, value: str) -> None:
        if value == "|\n":
            lines.append(" " * depth * step + f"{key}: |")
            lines.append(" " * (depth + 1) * step + "text # no comment")
        else:
            lines.append(" " * depth * step + f"{key}: {value}".rstrip() + draw(COMMENTS))
        filler(depth)

    def quoted(name: str) -> str:
        return f'"{name}"' if name[0] != "'" and draw(st.booleans()) else name

    for section in draw(st.permutations(["mirrors", "configs", "other"]))[: draw(st.integers(0, 3))]:
        put(0, section, draw(SCALARS.filter(lambda text: text != "~")) if section == "other" else "")
        if section == "other":
            continue
        hosts = [host for host in HOSTS if section == "configs" or host not in ("quay.io", "docker.io", ADDRESS)]
        for host in draw(st.lists(st.sampled_from(hosts), unique=True, max_size=3)):
            if section == "mirrors":
                put(1, quoted(host), "")
                put(2, "endpoint", "")
                indent = " " * draw(st.sampled_from([2, 3])) * step
                lines += [f"{indent}- https://old{draw(COMMENTS)}" for _ in range(draw(st.integers(1, 2)))]
            elif draw(st.booleans()):
                put(1, quoted(host), "")
                put(2, "auth", "")
                put(3, "username", draw(SCALARS))
                put(3, "password", draw(SCALARS))
            else:
                put(1, quoted(host), "{auth: {username: on, password: 012345}}")
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = end.join(lines) + (end if draw(st.booleans()) else "")
    return draw(st.sampled_from(["", "\ufeff"])) + text, lines


def overlaid(there: Any, ours: dict[str, Any]) -> dict[str, Any]:
    """``ours`` over what is there, mappings one by one."""
    result = copy.copy(there) if there else {}
    for key, value in ours.items():
        result[key] = overlaid(result.get(key), value) if isinstance(value, dict) else value
    return result


def wanted(endpoint: PullEndpoint, moved: tuple[MirroredRegistry, ...]) -> dict[str, Any]:
    mirrors: dict[str, Any] = {ADDRESS: {"endpoint": [endpoint.url]}}
    if moved:
        mirrors["quay.io"] = {"endpoint": [endpoint.url], "rewrite": {"^(.*)$": "k/$1"}}
        mirrors["docker.io"] = {"endpoint": [endpoint.url], "rewrite": {"^library/nginx$": "nginx", "^x/y$": "y"}}
    tls = {"ca_file": CA_FILE} if endpoint.ca else {"insecure_skip_verify": "true"} if endpoint.insecure else None
    return {"mirrors": mirrors, **({"configs": {ADDRESS: {"tls": tls}}} if tls else {})}


ENDPOINTS = st.sampled_from([PLAIN, SECURE, BLIND, PUBLIC])
IMAGES = st.sampled_from([(), MOVED])


@given(block_files(), ENDPOINTS, IMAGES)
def test_every_line_of_a_block_file_stays_in_order(
    file: tuple[str, list[str]], endpoint: PullEndpoint, moved: tuple[MirroredRegistry, ...]
) -> None:
    text, lines = file
    content = text.encode()
    if re.search(r"text # no comment(\s* )?\Z", text):  # a line behind it would add a newline to the scalar
        assume(attempted(content, endpoint, moved) is not None)
    before = strings(content)
    after = merged(content, endpoint, moved)
    assert strings(after) == overlaid(before, wanted(endpoint, moved))
    end = b"\r\n" if b"\r\n" in content else b"\n"
    assert after.count(b"\n") == after.count(end)
    assert after.startswith(b"\xef\xbb\xbf") == text.startswith("\ufeff")
    remaining = iter(after.decode("utf-8-sig").replace("\r\n", "\n").split("\n"))
    for line in lines:
        if endpoint in (SECURE, BLIND) and ADDRESS in line and "{auth" in line:
            line = line.partition("}}")[0]
            assert any(new.startswith(line) for new in remaining)
        else:
            assert line in remaining, line


FLOW_SCALARS = st.sampled_from(["012345", "on", "~", "'a, b'", '"}"', "1e3"])


def flow(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    space = st.sampled_from(["", " ", "\n  ", " # c\n "])
    keys = st.sampled_from(["x.test", '"r.corp:5000"', "auth", "'a b'"])

    @st.composite
    def mapping(draw: st.DrawFn) -> str:
        names = draw(st.lists(keys, unique=True, max_size=3))
        entries = [f"{draw(space)}{name}: {draw(value)}{draw(space)}" for name in names]
        comma = "," if names and draw(st.booleans()) else ""
        return f"{{{','.join(entries)}{comma}{draw(space)}}}"

    return mapping()


VALUES = st.recursive(FLOW_SCALARS, flow, max_leaves=8)


@given(flow(VALUES), flow(flow(VALUES)), st.booleans(), ENDPOINTS, IMAGES)
def test_flow_style_only_grows(
    mirrors: str, configs: str, whole: bool, endpoint: PullEndpoint, moved: tuple[MirroredRegistry, ...]
) -> None:
    text = f"{{mirrors: {mirrors}, configs: {configs}}}" if whole else f"mirrors: {mirrors}\nconfigs: {configs}\n"
    content = text.encode()
    after = merged(content, endpoint, moved)
    assert strings(after) == overlaid(strings(content), wanted(endpoint, moved))
    remaining = iter(after)
    assert all(byte in remaining for byte in content), "a byte is gone"


@given(st.one_of(st.binary(max_size=80), st.text("{}[]:,-&*a\n #\t'\"|~<", max_size=60)), ENDPOINTS, IMAGES)
def test_any_file_is_merged_or_refused(
    content: bytes | str, endpoint: PullEndpoint, moved: tuple[MirroredRegistry, ...]
) -> None:
    after = attempted(content, endpoint, moved)
    if after is None:
        assert re.match(rf"{PATH}:\d+: ", refused(content, endpoint, moved))
    else:
        assert strings(after)["mirrors"][ADDRESS]["endpoint"] == [endpoint.url]
