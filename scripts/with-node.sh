#!/usr/bin/env bash
# Runs a command with Node and the packages of testdata/clients/npm. The folder that
# holds node_modules is in HALCYON_TEST_NPM. What is missing is installed; see
# npm-packages.sh.
#
#   scripts/with-node.sh go test ./cmd/halcyon -run TestNPMClients
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

HALCYON_TEST_NPM=$("$here/npm-packages.sh" "$here/../testdata/clients/npm")
export HALCYON_TEST_NPM
exec "$@"
