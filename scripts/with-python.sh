#!/usr/bin/env bash
# Runs a command with Python 3, in which the sample client is written.
# HALCYON_TEST_PYTHON is its path. It is installed from Debian if missing.
#
#   scripts/with-python.sh go test ./cmd/halcyon/e2e -run TestSampleClient
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

recent() { command -v python3 >/dev/null && python3 -c 'import sys; sys.exit(sys.version_info < (3, 6))'; }
recent || "$here/debian.sh" "Python 3.6 or later" python3
HALCYON_TEST_PYTHON=$(python3 -c 'import sys; print(sys.executable)')
export HALCYON_TEST_PYTHON
exec "$@"
