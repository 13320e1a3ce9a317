#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# packages.sh LIST STAMP: install the Debian packages of LIST that are missing and that this release has.
# Only root on Debian or Ubuntu installs; elsewhere a sentence says what the tests will skip. A failure is a
# warning, except where AIRGAP_REQUIRE_PARTS is set (CI). AIRGAP_NO_PACKAGES=1 leaves the machine alone.
set -eu
list=$1
stamp=$2

say() { printf 'airgap set-up: %s\n' "$*" >&2; }
has() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
offered() { apt-cache policy "$1" 2>/dev/null | grep -q '^  Candidate: [^(]'; }

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  say "no Debian packages here: tests whose programs are missing are skipped"
  touch "$stamp"
  exit 0
fi
missing=
for package in $(sed 's/#.*//' "$list"); do
  has "$package" || missing="$missing $package"
done
if [ -z "$missing" ]; then
  touch "$stamp"
  exit 0
fi
if [ -n "${AIRGAP_NO_PACKAGES-}" ] || [ "$(id -u)" != 0 ]; then
  say "not installed, so their tests are skipped (as root: apt-get install the ones you want):$missing"
  exit 0
fi

failed() {
  say "$1; the tests of the missing programs are skipped"
  [ -z "${AIRGAP_REQUIRE_PARTS-}" ] || exit 1
  exit 0
}
apt-get update -q >/dev/null || failed "apt-get update failed"
wanted=
for package in $missing; do
  if offered "$package"; then
    wanted="$wanted $package"
  else
    say "this release has no package $package: its tests are skipped"
  fi
done
if [ -n "$wanted" ]; then
  say "installing$wanted"
  # shellcheck disable=SC2086  # a list of words is meant
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $wanted >/dev/null || failed "apt-get install failed"
fi
touch "$stamp"
