#!/usr/bin/env bash
# Runs a command with Node and the packages of testdata/clients/npm and testdata/openapi,
# exactly as their lock files have them. The folders that hold node_modules are in
# HALCYON_TEST_NPM and HALCYON_TEST_OPENAPI; they lie in the user's cache, and are filled
# once for each lock file. Node and npm are installed from Debian when they are missing.
#
#   scripts/with-node.sh go test ./cmd/halcyon -run TestNPMClients
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

recent() { command -v node >/dev/null && command -v npm >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ]; }
recent || "$here/debian.sh" "Node 18 or later, with npm," nodejs npm
recent || { echo "Debian's Node is $(node --version); the tests need 18 or later. Install it from https://nodejs.org/" >&2; exit 1; }

# fill FOLDER: prints where the packages of a folder's lock file are, after they have
# been installed there if need be.
fill() {
	local packages=$1 lock cache new
	lock=$(sha256sum "$packages/package.json" "$packages/package-lock.json" | sha256sum | cut -c1-16)
	cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/halcyon/npm-$lock
	if [ ! -e "$cache/complete" ]; then
		mkdir -p "$(dirname "$cache")"
		new=$(mktemp -d "$cache.XXXXXX")
		cp "$packages/package.json" "$packages/package-lock.json" "$new"
		if ! (cd "$new" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier >&2); then
			rm -rf "$new"
			echo "The npm packages of $packages could not be installed: npm ci has failed. The tests need $(npm config get registry) once." >&2
			return 1
		fi
		touch "$new/complete"
		chmod 755 "$new"
		# Whoever is first wins; both have the same.
		mv -T "$new" "$cache" 2>/dev/null || rm -rf "$new"
	fi
	echo "$cache"
}

HALCYON_TEST_NPM=$(fill "$here/../testdata/clients/npm")
HALCYON_TEST_OPENAPI=$(fill "$here/../testdata/openapi")
export HALCYON_TEST_NPM HALCYON_TEST_OPENAPI
exec "$@"
