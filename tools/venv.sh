#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# venv.sh FOLDER [PYTHON]: a virtual environment with airgap (editable) and the pinned tools of constraints.txt.
# Runs from the project's folder. What is there and still works is kept; only pip speaks to the network.
set -eu
venv=$1
chosen=${2-}

say() { printf 'airgap set-up: %s\n' "$*" >&2; }
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

if [ -n "$chosen" ]; then
  new_enough "$chosen" || { say "PYTHON=$chosen is no Python 3.10 or later"; exit 1; }
  python=$chosen
else
  python=
  for name in python3 python3.13 python3.12 python3.11 python3.10; do
    if new_enough "$name"; then python=$name; break; fi
  done
  [ -n "$python" ] || {
    say "needs Python 3.10 or later, and none of python3, python3.13 … python3.10 on the PATH is; name one with make PYTHON=…"
    exit 1
  }
fi

# A folder that was moved, or whose interpreter is gone or another than was asked for, is made anew.
same() {
  [ -x "$venv/bin/python" ] && [ -x "$venv/bin/pip" ] && new_enough "$venv/bin/python" || return 1
  [ "$("$venv/bin/python" -c 'import sys; print(sys.prefix)')" = "$(pwd -P)/$venv" ] || return 1
  head -n 1 "$venv/bin/pip" | grep -qF "$(pwd -P)/$venv/" || return 1
  [ -z "$chosen" ] || [ "$(version "$venv/bin/python")" = "$(version "$python")" ]
}
version() { "$1" -c 'import sys; print(sys.version_info)'; }

if ! same; then
  say "making $venv with $("$python" --version 2>&1)"
  if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    # Debian and Ubuntu keep ensurepip in a package of its own.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
      say "installing $package"
      apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -q -y "$package" >/dev/null
    else
      say "$python cannot make environments: install python3-venv (as root: apt-get install python3-venv), then run make again"
      exit 1
    fi
  fi
  "$python" -m venv --clear "$venv"
fi

pip() { "$venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
pip install --constraint constraints.txt pip setuptools
# Up to 0.1.0 the distribution was called airgap. It is removed first: both own bin/airgap.
if "$venv/bin/python" -c 'import importlib.metadata as m; m.distribution("airgap")' 2>/dev/null; then
  pip uninstall --yes airgap
fi
# The build back end is the pinned one in the environment, so nothing is fetched for it aside from the list.
pip install --constraint constraints.txt --no-build-isolation --editable . --group dev
say "ready: $venv/bin/airgap"
touch "$venv/.ready"
