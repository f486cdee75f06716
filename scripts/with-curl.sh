#!/usr/bin/env bash
# Runs a command with curl and unzip, which the documentation's examples use. They are
# installed from Debian if missing.
#
#   scripts/with-curl.sh go test ./cmd/halcyon/e2e -run TestDocsCurls
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

for tool in curl unzip; do
	command -v "$tool" >/dev/null || "$here/debian.sh" "$tool" "$tool" ca-certificates
done
exec "$@"
