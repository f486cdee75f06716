#!/usr/bin/env bash
# Runs a command with a private PostgreSQL cluster: in a temporary directory, with
# its own socket, removed when the command ends. HALCYON_TEST_POSTGRES is its URL.
# PostgreSQL is installed from Debian if missing.
#
#   scripts/with-postgres.sh go test ./...
#
# POSTGRES_FSYNC=on enables fsync as in production, for benchmarks; tests run without.
set -euo pipefail

programs() {
	local dir
	for dir in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) "$(dirname "$(command -v initdb || echo /nowhere/initdb)")"; do
		if [ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ]; then
			echo "$dir"
			return
		fi
	done
	return 1
}

install() { "$(dirname "$0")/debian.sh" "PostgreSQL, version 13 or later," postgresql; }

bin=$(programs) || { install; bin=$(programs); }

dir=$(mktemp -d /tmp/halcyon-pg.XXXXXX)
run=(env)
if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root
	chown postgres "$dir"
	run=(runuser -u postgres --)
fi
stop() {
	"${run[@]}" "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT TERM

cd "$dir"
"${run[@]}" "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C >/dev/null
options="-c listen_addresses='' -c unix_socket_directories='$dir' -c max_connections=400 -c shared_buffers=256MB"
if [ "${POSTGRES_FSYNC:-off}" != on ]; then
	options="$options -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
fi
"${run[@]}" "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -o "$options" -w start >/dev/null || { cat "$dir/log" >&2; exit 1; }
cd "$OLDPWD"

export HALCYON_TEST_POSTGRES="postgres://postgres@/postgres?host=$dir"
"$@"
