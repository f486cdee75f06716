#!/usr/bin/env bash
# Runs a command with Node and the packages of testdata/clients/npm and testdata/openapi.
# HALCYON_TEST_NPM and HALCYON_TEST_OPENAPI are the folders with node_modules. Missing
# packages are installed; see npm-packages.sh.
#
#   scripts/with-node.sh go test ./cmd/halcyon/e2e -run TestNPMClients
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

HALCYON_TEST_NPM=$("$here/npm-packages.sh" "$here/../testdata/clients/npm")
HALCYON_TEST_OPENAPI=$("$here/npm-packages.sh" "$here/../testdata/openapi")
export HALCYON_TEST_NPM HALCYON_TEST_OPENAPI
exec "$@"
