# SPDX-License-Identifier: Apache-2.0
"""Files of any size that would take long to read if the time grew faster than the size: one shape for each way."""

from __future__ import annotations

from collections.abc import Callable

from airgap.kube import rewrite_content, scan
from tests.kube.support import pod

DATA = b"apiVersion: v1\nkind: ConfigMap\ndata:\n"
THING = b"apiVersion: x.example/v1\nkind: T\nspec:\n"

#: Each makes a file of ``n`` things.
SHAPES: dict[str, Callable[[int], bytes]] = {
    "many sites": lambda n: pod(b"  - image: a\n" * n),
    "not ASCII": lambda n: pod("  - {name: é, image: a}\n".encode() * n),
    "one line": lambda n: '{"apiVersion":"v1","kind":"Pod","spec":{"containers":[%s]}}'.replace(
        "%s", ",".join(['{"name":"é","image":"a"}'] * n)
    ).encode(),
    "one folded value": lambda n: pod(b"  - image: a\n    args: ['" + b"x  \n\n     " * n + b"']\n"),
    "flags": lambda n: pod(b"  - args: ['" + b"-image-- - --a" * n + b"']\n"),
    "references": lambda n: pod(b"  - args: [" + b"a=" * n + b",'" + b"q.io" + b"/a" * n + b"']\n"),
    "options": lambda n: pod(b"  - args: ['" + b"--x-image=q.io/a:1 " * n + b"']\n"),
    "one variable": lambda n: pod(b"  - env: [{name: X_IMAGE, value: '" + b"a=q.io/a:1," * n + b"'}]\n"),
    "settings": lambda n: DATA + b"  k: |\n" + b"    X_IMAGE=q.io/a:1\n" * n,
    "split settings": lambda n: (
        DATA + b"  k: |\n" + b"".join(b"    w%d.image=q.io/a\n    w%d.tag=1\n" % (i, i) for i in range(n))
    ),
    "sections": lambda n: DATA + b"  k: |\n" + b"    [a.image]\n    repository=q.io/a\n    tag=1\n" * n,
    "commands": lambda n: pod(b"  - args:\n    - |\n" + b"      docker -x - pull q.io/a:1 \\\n" * n),
    "inner, literal": lambda n: DATA + b"  k: |\n    a:\n" + b"    - image: q.io/a:1\n" * n,
    "inner, escaped": lambda n: DATA + b'  k: "a:\\n' + b"- image: q.io/a:1\\n" * n + b'"\n',
    "inner, many": lambda n: DATA + b"".join(b"  k%d: |\n    a: 1\n    image: q.io/a:1\n" % i for i in range(n)),
    "keys": lambda n: THING + b"".join(b"  k%dImage: q.io/a:1\n" % i for i in range(n)),
    "split": lambda n: THING + b"  hub: q.io/x\n" + b"".join(b"  i%d: {image: a, tag: v1}\n" % i for i in range(n)),
    "aliases of a document": lambda n: (
        THING + b"  a: &a |\n" + b"    image: q.io/a\n" * n + b"  b: [" + b"*a, " * n + b"]\n"
    ),
    "aliases of a text": lambda n: (
        THING + b"  a: &a |\n" + b"    some words\n" * 9 * n + b"  b: [" + b"*a, " * n + b"]\n"
    ),
    "aliases of arguments": lambda n: (
        THING + b"  a: &a '" + b"--x --image=y " * n + b"'\n  args: [" + b"*a, " * n + b"]\n"
    ),
    "long key": lambda n: (
        b'{"apiVersion":"x/v1","kind":"T","%s":[%s]}' % (b"k" * n * 50, b",".join([b'{"image":"q.io/a:1"}'] * n))
    ),
    "entries": lambda n: b"images:\n" + b"".join(b"- name: q.io/a%d\n  newTag: v1\n" % i for i in range(n)),
    "inner, in many objects": lambda n: b"".join(
        b"---\n" + DATA + b"  k: |\n    a: %d\n    image: q.io/a:1\n" % i for i in range(n)
    ),
    "text": lambda n: THING + b"  a: '" + b"see q.io/a:1 or " * n + b"'\n",
    "lines of text": lambda n: THING + b"  a: |\n" + b"    see q.io/a:1 # not q.io/b:1\n" * n,
    "partly taken": lambda n: DATA + b"  a: |\n    #!/bin/sh\n" + b"    docker pull q.io/a:1; echo q.io/b:1\n" * n,
    "lists of scripts": lambda n: DATA + b"  a: |\n" + b"    for i in q.io/a:1 b/c:1; do ctr i pull $i; done\n" * n,
    "one line of lists": lambda n: DATA + b"  a: |\n    x: y\n    " + b"x='q.io/a:1';docker pull x; " * n + b"\n",
    "words as keys": lambda n: THING + b"  hub: x\n" + b"".join(b"  k%dImage: a:1\n" % i for i in range(n)),
    "variables": lambda n: pod(
        b"  - env:\n" + b"".join(b"    - {name: A%d_IMAGE, value: 'a:1'}\n" % i for i in range(n))
    ),
    "keys that are references": lambda n: THING + b"".join(b"  q.io/a%d:1 : x\n" % i for i in range(n)),
    "templates": lambda n: DATA + b"  a: |\n" + b'    image: {{ .x | default "q.io/a:1" }}\n' * n,
    "inner, in inner": lambda n: DATA + b"  k: |\n    a: '" + b"\n\n      X_IMAGE=q.io/a:1" * n + b"'\n",
}


def scanned_and_rewritten(content: bytes) -> None:
    """What is measured."""
    sites = scan(content, "x").sites
    rewrite_content(content, [(site, f"t.example/n/{site.reference.repository}:1") for site in sites])
