#!/usr/bin/env bash
# Runs a command with tmux, with which tests read a terminal's screen.
# HALCYON_TEST_TMUX is its path. It is installed from Debian if missing.
#
#   scripts/with-tmux.sh go test ./cmd/halcyon/e2e -run TestTerminal
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

command -v tmux >/dev/null || "$here/debian.sh" tmux tmux

HALCYON_TEST_TMUX=$(command -v tmux)
export HALCYON_TEST_TMUX
exec "$@"
