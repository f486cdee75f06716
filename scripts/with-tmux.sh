#!/usr/bin/env bash
# Runs a command with tmux, in which the tests look at what a terminal shows. Its path
# is in HALCYON_TEST_TMUX. It is installed from Debian when it is missing.
#
#   scripts/with-tmux.sh go test ./cmd/halcyon/e2e -run TestTerminal
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

command -v tmux >/dev/null || "$here/debian.sh" tmux tmux

HALCYON_TEST_TMUX=$(command -v tmux)
export HALCYON_TEST_TMUX
exec "$@"
