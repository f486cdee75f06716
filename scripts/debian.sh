#!/usr/bin/env bash
# Installs packages from Debian, or prints what is missing and fails.
#
#   scripts/debian.sh "PostgreSQL, version 13 or later" postgresql
set -euo pipefail
what=$1
shift

as=()
if [ "$(id -u)" != 0 ]; then
	as=(sudo -n)
fi
if ! command -v apt-get >/dev/null || { [ "${#as[@]}" -gt 0 ] && ! sudo -n true 2>/dev/null; }; then
	echo "$what is needed for the tests and cannot be installed from here. Install it first: apt-get install $*" >&2
	exit 1
fi
echo "$what is missing: installing $* from Debian" >&2
export DEBIAN_FRONTEND=noninteractive
"${as[@]}" apt-get update >&2
"${as[@]}" apt-get install -y --no-install-recommends "$@" >&2
