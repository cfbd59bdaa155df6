#!/usr/bin/env bash
# Build the preset release and print how fast the host side is on this machine (tests/bench/bench.c).
set -euo pipefail
source "$(dirname "$0")/common.sh"
install_packages
build release bench || trouble "the build failed"
exec build/release/tests/bench/bench "$@"
