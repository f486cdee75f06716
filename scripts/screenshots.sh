#!/usr/bin/env bash
# Takes the screenshots of docs/images, from a demo whose clock starts at a fixed time,
# and compresses them. The font and the compression tool come from Debian.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."

command -v pngquant >/dev/null || scripts/debian.sh "pngquant" pngquant
[ -n "$(fc-list Inter)" ] || scripts/debian.sh "The typeface Inter" fonts-inter

mkdir -p docs/images
scripts/with-chromium.sh go test ./cmd/halcyon/e2e -run TestScreenshots -update -count=1
pngquant --force --ext .png --skip-if-larger --strip 128 docs/images/*.png || [ $? = 98 ]
