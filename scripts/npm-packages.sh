#!/usr/bin/env bash
# Prints the folder that holds the node_modules of a package.json, exactly as in its
# lock file. The folder is in the user's cache and is filled once per lock file.
# Node and npm are installed from Debian when they are missing.
#
#   scripts/npm-packages.sh testdata/browser
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
packages=$1

recent() { command -v node >/dev/null && command -v npm >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ]; }
recent || "$here/debian.sh" "Node 18 or later, with npm," nodejs npm >&2
recent || { echo "Debian's Node is $(node --version); the tests need 18 or later. Install it from https://nodejs.org/" >&2; exit 1; }

lock=$(sha256sum "$packages/package.json" "$packages/package-lock.json" | cut -d' ' -f1 | sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/halcyon/npm-$lock
if [ ! -e "$cache/complete" ]; then
	mkdir -p "$(dirname "$cache")"
	new=$(mktemp -d "$cache.XXXXXX")
	trap 'rm -rf "$new"' EXIT
	cp "$packages/package.json" "$packages/package-lock.json" "$new"
	if ! (cd "$new" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier >&2); then
		echo "The packages of $packages could not be installed: npm ci has failed. The tests need $(npm config get registry) once." >&2
		exit 1
	fi
	touch "$new/complete"
	chmod 755 "$new"
	# If two processes race, the first wins; both have the same content.
	mv -T "$new" "$cache" 2>/dev/null || rm -rf "$new"
fi
echo "$cache"
