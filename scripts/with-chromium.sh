#!/usr/bin/env bash
# Runs a command with a browser: Chromium from Debian, and the packages of
# testdata/browser that drive it. HALCYON_TEST_CHROMIUM is the path of the
# browser, HALCYON_TEST_BROWSER the folder with node_modules. Missing packages are
# installed; no browser is downloaded from other sources.
#
#   scripts/with-chromium.sh go test ./cmd/halcyon/e2e -run TestBrowser -v
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
browser >/dev/null || "$here/debian.sh" "Chromium" chromium fonts-liberation >&2
HALCYON_TEST_CHROMIUM=$(browser) || { echo "There is no Chromium in the PATH, also after the installation." >&2; exit 1; }

HALCYON_TEST_BROWSER=$("$here/npm-packages.sh" "$here/../testdata/browser")
export HALCYON_TEST_CHROMIUM HALCYON_TEST_BROWSER
exec "$@"
