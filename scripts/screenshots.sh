#!/usr/bin/env bash
# Takes the pictures of docs/images anew, from a cloud with the demo's content whose
# clock begins at a fixed time, and makes them small. The typeface and the tool that
# makes them small are Debian's.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."

command -v pngquant >/dev/null || scripts/debian.sh "pngquant" pngquant
[ -n "$(fc-list Inter)" ] || scripts/debian.sh "The typeface Inter" fonts-inter

mkdir -p docs/images
scripts/with-chromium.sh go test ./cmd/halcyon/e2e -run TestScreenshots -update -count=1
pngquant --force --ext .png --skip-if-larger --strip 128 docs/images/*.png || [ $? = 98 ]
